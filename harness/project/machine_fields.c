/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of facts. Limits are far beyond any machine there is: they catch GB for bytes, bits for bytes, kW for W. */
#include "project/machine_fields.h"

#include <stdio.h>
#include <string.h>

#define AT(member) (long)offsetof(struct project_machine, member)
#define RATE(part, path, member, least, most, slip)                                                                    \
    { PROJECT_OF_##part, path, AT(member), {PROJECT_RATE, least, most, slip, NULL}, false }
#define COUNT(part, path, member, least, most, slip)                                                                   \
    { PROJECT_OF_##part, path, AT(member), {PROJECT_COUNT, least, most, slip, NULL}, false }
#define NEEDED_RATE(part, path, member, least, most, slip)                                                             \
    { PROJECT_OF_##part, path, AT(member), {PROJECT_RATE, least, most, slip, NULL}, true }
#define NEEDED_COUNT(part, path, member, least, most, slip)                                                            \
    { PROJECT_OF_##part, path, AT(member), {PROJECT_COUNT, least, most, slip, NULL}, true }
#define NEEDED_WORD(part, path, member, words)                                                                         \
    { PROJECT_OF_##part, path, AT(member), {PROJECT_WORD, 0, 0, NULL, words}, true }
#define OF_TYPE(path, member, type, least, most, slip)                                                                 \
    RATE(ACCELERATOR, path, accelerator.member[PROJECT_##type], least, most, slip)
#define BY_TYPE(path, member, least, most, slip)                                                                       \
    OF_TYPE(path ".fp64", member, FP64, least, most, slip),                                                            \
        OF_TYPE(path ".fp64_matrix", member, FP64_MATRIX, least, most, slip),                                          \
        OF_TYPE(path ".fp32", member, FP32, least, most, slip),                                                        \
        OF_TYPE(path ".tf32", member, TF32, least, most, slip),                                                        \
        OF_TYPE(path ".fp16", member, FP16, least, most, slip),                                                        \
        OF_TYPE(path ".bf16", member, BF16, least, most, slip), OF_TYPE(path ".fp8", member, FP8, least, most, slip)

static const char *const node_topologies[] = {[PROJECT_NVSWITCH] = "nvswitch",
                                              [PROJECT_DIRECT] = "direct",
                                              [PROJECT_PCIE] = "pcie",
                                              [PROJECT_NONE] = "none",
                                              NULL};
static const char *const topologies[] = {[PROJECT_FAT_TREE] = "fat-tree",
                                         [PROJECT_CLOS] = "clos",
                                         [PROJECT_DRAGONFLY] = "dragonfly",
                                         [PROJECT_DRAGONFLY_PLUS] = "dragonfly+",
                                         [PROJECT_HYPERCUBE] = "hypercube",
                                         [PROJECT_TORUS] = "torus",
                                         NULL};

static const char flops[] = "give FLOP/s, as 312e12 for 312 TFLOP/s";
static const char watts[] = "give watts, as 400 for an accelerator and 10e6 for 10 MW";
static const char hertz[] = "give Hz, as 1.41e9";
static const char bytes[] = "give bytes, as 80e9 or 85899345920 for 80 GB";
static const char rates[] = "give bytes/s one way, as 25e9 for 200 Gbit/s";
static const char counts[] = "give a count";
static const char seconds[] = "give seconds, as 2e-6";

const struct project_field project_fields[] = {
    COUNT(MACHINE, "year", year, 1990, 2100, "give a year"),
    COUNT(MACHINE, "nodes", nodes, 1, 1e7, counts),
    COUNT(MACHINE, "accelerators", accelerators, 1, 1e8, counts),
    RATE(MACHINE, "power_w", power_w, 50, 1e10, watts),
    RATE(MACHINE, "hpl_flop_per_s", hpl_flop_per_s, 1e9, 1e21, flops),
    NEEDED_COUNT(MACHINE, "node.accelerators", node.accelerators, 1, 1024, counts),
    NEEDED_WORD(MACHINE, "node.topology", node.topology, node_topologies),
    COUNT(MACHINE, "node.scale_up_nodes", node.scale_up_nodes, 1, 1e5, counts),
    RATE(MACHINE, "node.scale_up_bytes_per_s", node.scale_up_bytes_per_s, 1e9, 1e13, rates),
    RATE(MACHINE, "node.pair_bytes_per_s", node.pair_bytes_per_s, 1e9, 1e13, rates),
    RATE(MACHINE, "node.scale_up_share", node.scale_up_share, 1e-3, 1, "give a share from 0.001 to 1"),
    NEEDED_COUNT(MACHINE, "node.rails", node.rails, 1, 256, counts),
    NEEDED_RATE(MACHINE, "node.rail_bytes_per_s", node.rail_bytes_per_s, 1e9, 100e9,
                "one interface's bytes/s one way, as 50e9 for 400 Gbit/s; bits are eight times that"),
    RATE(MACHINE, "node.memory_bytes", node.memory_bytes, 1e9, 1e15, bytes),
    COUNT(MACHINE, "node.sockets", node.sockets, 1, 64, counts),
    COUNT(MACHINE, "node.cores", node.cores, 1, 1e5, counts),
    RATE(MACHINE, "node.power_w", node.power_w, 50, 1e6, watts),
    NEEDED_WORD(MACHINE, "network.topology", network.topology, topologies),
    RATE(MACHINE, "network.latency_s", network.latency_s, 1e-8, 1e-3, seconds),
    RATE(MACHINE, "network.share", network.share, 1e-3, 1, "give a share from 0.001 to 1"),
    {PROJECT_OF_ACCELERATOR, "released", PROJECT_NOWHERE, {.figure = PROJECT_TEXT}, false},
    BY_TYPE("peak_flop_per_s", peak_flop_per_s, 1e9, 1e18, flops),
    BY_TYPE("achieved_matmul_flop_per_s", achieved_flop_per_s, 1e9, 1e18, flops),
    COUNT(ACCELERATOR, "units", accelerator.units, 1, 1e6, counts),
    RATE(ACCELERATOR, "clock_hz", accelerator.clock_hz, 1e8, 1e11, hertz),
    BY_TYPE("flop_per_cycle", flop_per_cycle, 1, 1e7, "FLOP of one unit in a cycle, as 2048"),
    RATE(ACCELERATOR, "memory_bytes", accelerator.memory_bytes, 8e9, 1e12, bytes),
    NEEDED_RATE(ACCELERATOR, "memory_bytes_per_s", accelerator.memory_bytes_per_s, 1e9, 1e15,
                "give bytes/s, as 2039e9 for 2,039 GB/s"),
    RATE(ACCELERATOR, "l2_bytes", accelerator.l2_bytes, 1e4, 1e12, "give bytes, as 41943040 for 40 MiB"),
    RATE(ACCELERATOR, "l3_bytes", accelerator.l3_bytes, 1e4, 1e12, "give bytes, as 41943040 for 40 MiB"),
    RATE(ACCELERATOR, "launch_s", accelerator.launch_s, 1e-8, 1e-2, seconds),
    RATE(ACCELERATOR, "power_w", accelerator.power_w, 50, 3000, watts),
    RATE(ACCELERATOR, "host.bytes_per_s", accelerator.host_bytes_per_s, 1e9, 1e13, rates),
    COUNT(ACCELERATOR, "scale_up.links", accelerator.links, 1, 1000, counts),
    RATE(ACCELERATOR, "scale_up.link_bytes_per_s", accelerator.link_bytes_per_s, 1e9, 1e13, rates),
    RATE(ACCELERATOR, "scale_up.bytes_per_s", accelerator.scale_up_bytes_per_s, 1e9, 1e13, rates),
    {PROJECT_OF_ACCELERATOR,
     "scale_up.die_to_die_bytes_per_s",
     PROJECT_NOWHERE,
     {PROJECT_RATE, 1e9, 1e14, rates, NULL},
     false},
    RATE(FACILITY, "pue", facility.pue, 1, 5, "power in over power of the machines, as 1.2"),
    RATE(FACILITY, "mean_power_w", facility.mean_power_w, 1e3, 1e10, watts),
    RATE(FACILITY, "peak_power_w", facility.peak_power_w, 1e3, 1e10, watts),
    RATE(FACILITY, "storage.read_bytes_per_s", facility.storage_read_bytes_per_s, 1e6, 1e15, rates),
    RATE(FACILITY, "storage.write_bytes_per_s", facility.storage_write_bytes_per_s, 1e6, 1e15, rates),
};
const int project_field_count = sizeof project_fields / sizeof *project_fields;

const struct project_rule project_rule_oversubscription = {PROJECT_RATE, 1, 1000, "1 is full bisection, 7 is 7:1",
                                                           NULL};
const struct project_rule project_rule_level_nodes = {PROJECT_COUNT, 1, 1e7, counts, NULL};

/* What else a part may say; "x." is all of x. */
static const char *const others[][24] = {
    [PROJECT_OF_MACHINE] = {"schema", "name", "title", "owner", "state", "hypothetical", "country", "facility", "like",
                            "notes", "sources", "cost", "queues", "node.accelerator", "node.cpu", "node.achieved",
                            "network.technology", "network.levels", "network.achieved"},
    [PROJECT_OF_ACCELERATOR] = {"schema", "name", "title", "vendor", "kind", "architecture", "like", "unit", "devices",
                                "notes", "sources", "gemm_tiles", "host.technology", "scale_up.technology",
                                "scale_up.achieved", "runs.names", "runs.with", "runs.network"},
    [PROJECT_OF_FACILITY] = {"title", "country", "notes", "storage.technology", "storage.achieved"}};

void project_field_key(const struct project_field *field, char key[PROJECT_KEY]) {
    static const char *const prefix[] = {"", "accelerator.", "facility."};
    snprintf(key, PROJECT_KEY, "%s%s", prefix[field->part], field->path);
}

const struct project_field *project_field_find(const char *key) {
    for (int i = 0; i < project_field_count; i++) {
        char own[PROJECT_KEY];
        project_field_key(&project_fields[i], own);
        if (project_fields[i].at != PROJECT_NOWHERE && !strcmp(own, key)) return &project_fields[i];
    }
    return NULL;
}

const struct project_fact *project_field_fact(const struct project_field *field, const struct project_machine *m) {
    return (const struct project_fact *)(const void *)((const char *)m + field->at);
}

struct project_fact *project_field_slot(const struct project_field *field, struct project_machine *m) {
    return (struct project_fact *)(void *)((char *)m + field->at);
}

void project_fields_clear(struct project_machine *m, enum project_part part) {
    for (int i = 0; i < project_field_count; i++) {
        const struct project_field *f = &project_fields[i];
        if (f->part == part && f->at != PROJECT_NOWHERE) *project_field_slot(f, m) = project_fact_unknown();
    }
    if (part == PROJECT_OF_ACCELERATOR) m->accelerator.gemm_tiles = project_fact_unknown();
}

/* Whether the part has a field at this path, or fields below it. */
static bool is_known(enum project_part part, const char *path, bool *below) {
    const size_t n = strlen(path);
    bool known = false;
    *below = false;
    for (int i = 0; i < project_field_count; i++) {
        const char *p = project_fields[i].path;
        if (project_fields[i].part != part || strncmp(p, path, n)) continue;
        known = known || !p[n] || p[n] == '.';
        *below = *below || p[n] == '.';
    }
    for (int i = 0; others[part][i]; i++) {
        const char *p = others[part][i];
        if (strncmp(p, path, n)) continue;
        known = known || !p[n] || p[n] == '.';
        *below = *below || p[n] == '.';
    }
    return known;
}

/* A misspelt key would be a fact that is silently absent. */
static int check_keys(const struct project_document *d, enum project_part part, const json_t *json, const char *prefix,
                      struct base_error *e) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        char path[2 * PROJECT_KEY];
        bool below;
        snprintf(path, sizeof path, "%s%s%.64s", prefix, *prefix ? "." : "", key);
        if (!is_known(part, path, &below))
            return base_fail(e, BASE_USAGE,
                             "%s: field \"%s\" is not one that harness/catalog/README.md has; correct its spelling, or "
                             "say it in \"notes\"",
                             project_document_where(d, path), path);
        int code = below && strlen(path) < PROJECT_KEY ? check_keys(d, part, value, path, e) : BASE_OK;
        if (code) return code;
    }
    return BASE_OK;
}

int project_fields_read(const struct project_document *d, enum project_part part, struct project_machine *m,
                        struct base_error *e) {
    struct project_fact unkept;
    int code = check_keys(d, part, d->json, "", e);
    for (int i = 0; !code && i < project_field_count; i++) {
        const struct project_field *f = &project_fields[i];
        const json_t *value;
        if (f->part != part) continue;
        code = project_document_find(d, f->path, &value, e);
        if (!code && !value && f->required)
            code = base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing; state it, assumed where nobody says",
                             project_document_where(d, f->path), f->path);
        if (!code && value)
            code = project_document_fact(d, f->path, value, &f->rule,
                                         f->at == PROJECT_NOWHERE ? &unkept : project_field_slot(f, m), e);
    }
    return code;
}
