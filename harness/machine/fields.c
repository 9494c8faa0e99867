/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of facts. Limits are far beyond any real machine. They catch wrong units: GB for bytes, bits for bytes, kW
 * for W. */
#include "machine/fields.h"

#include <stdio.h>
#include <string.h>

#include "machine/classes.h"

#define AT(member) (long)offsetof(struct machine, member)
#define RATE(part, path, member, least, most, slip)                                                                    \
    { MACHINE_OF_##part, path, AT(member), {MACHINE_RATE, least, most, slip, NULL}, false }
#define COUNT(part, path, member, least, most, slip)                                                                   \
    { MACHINE_OF_##part, path, AT(member), {MACHINE_COUNT, least, most, slip, NULL}, false }
#define NEEDED_RATE(part, path, member, least, most, slip)                                                             \
    { MACHINE_OF_##part, path, AT(member), {MACHINE_RATE, least, most, slip, NULL}, true }
#define NEEDED_COUNT(part, path, member, least, most, slip)                                                            \
    { MACHINE_OF_##part, path, AT(member), {MACHINE_COUNT, least, most, slip, NULL}, true }
#define NEEDED_WORD(part, path, member, words)                                                                         \
    { MACHINE_OF_##part, path, AT(member), {MACHINE_WORD, 0, 0, NULL, words}, true }
#define OF_TYPE(path, member, type, least, most, slip)                                                                 \
    RATE(ACCELERATOR, path, accelerator.member[MACHINE_##type], least, most, slip)
#define BY_TYPE(path, member, least, most, slip)                                                                       \
    OF_TYPE(path ".fp64", member, FP64, least, most, slip),                                                            \
        OF_TYPE(path ".fp64_matrix", member, FP64_MATRIX, least, most, slip),                                          \
        OF_TYPE(path ".fp32", member, FP32, least, most, slip),                                                        \
        OF_TYPE(path ".tf32", member, TF32, least, most, slip),                                                        \
        OF_TYPE(path ".fp16", member, FP16, least, most, slip),                                                        \
        OF_TYPE(path ".bf16", member, BF16, least, most, slip), OF_TYPE(path ".fp8", member, FP8, least, most, slip),  \
        OF_TYPE(path ".fp4", member, FP4, least, most, slip)

static const char *const node_topologies[] = {[MACHINE_NVSWITCH] = "nvswitch",
                                              [MACHINE_DIRECT] = "direct",
                                              [MACHINE_PCIE] = "pcie",
                                              [MACHINE_NONE] = "none",
                                              NULL};
static const char *const topologies[] = {[MACHINE_FAT_TREE] = "fat-tree",
                                         [MACHINE_CLOS] = "clos",
                                         [MACHINE_DRAGONFLY] = "dragonfly",
                                         [MACHINE_DRAGONFLY_PLUS] = "dragonfly+",
                                         [MACHINE_HYPERCUBE] = "hypercube",
                                         [MACHINE_TORUS] = "torus",
                                         NULL};

static const char flops[] = "give FLOP/s, as 312e12 for 312 TFLOP/s";
static const char watts[] = "give watts, as 400 for an accelerator and 10e6 for 10 MW";
static const char hertz[] = "give Hz, as 1.41e9";
static const char bytes[] = "give bytes, as 80e9 or 85899345920 for 80 GB";
static const char rates[] = "give bytes/s one way, as 25e9 for 200 Gbit/s";
static const char counts[] = "give a count";
static const char seconds[] = "give seconds, as 2e-6";

const struct machine_field machine_fields[] = {
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
                "give one interface's bytes/s one way, as 50e9 for 400 Gbit/s; bits are eight times that"),
    RATE(MACHINE, "node.memory_bytes", node.memory_bytes, 1e9, 1e15, bytes),
    COUNT(MACHINE, "node.sockets", node.sockets, 1, 64, counts),
    COUNT(MACHINE, "node.cores", node.cores, 1, 1e5, counts),
    RATE(MACHINE, "node.power_w", node.power_w, 50, 1e6, watts),
    {MACHINE_OF_MACHINE, "node.class", AT(node.class), {MACHINE_WORD, 0, 0, NULL, machine_class_names}, false},
    NEEDED_WORD(MACHINE, "network.topology", network.topology, topologies),
    RATE(MACHINE, "network.latency_s", network.latency_s, 1e-8, 1e-3, seconds),
    RATE(MACHINE, "network.share", network.share, 1e-3, 1, "give a share from 0.001 to 1"),
    {MACHINE_OF_ACCELERATOR, "class", AT(accelerator.class), {MACHINE_WORD, 0, 0, NULL, machine_class_names}, false},
    {MACHINE_OF_ACCELERATOR, "released", MACHINE_NOWHERE, {.figure = MACHINE_TEXT}, false},
    BY_TYPE("peak_flop_per_s", peak_flop_per_s, 1e9, 1e18, flops),
    BY_TYPE("achieved_matmul_flop_per_s", achieved_flop_per_s, 1e9, 1e18, flops),
    COUNT(ACCELERATOR, "units", accelerator.units, 1, 1e6, counts),
    RATE(ACCELERATOR, "clock_hz", accelerator.clock_hz, 1e8, 1e11, hertz),
    BY_TYPE("flop_per_cycle", flop_per_cycle, 1, 1e7, "give the FLOP of one unit per cycle, as 2048"),
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
    {MACHINE_OF_ACCELERATOR,
     "scale_up.die_to_die_bytes_per_s",
     MACHINE_NOWHERE,
     {MACHINE_RATE, 1e9, 1e14, rates, NULL},
     false},
    RATE(FACILITY, "pue", facility.pue, 1, 5, "give the facility's power over that of its machines, as 1.2"),
    RATE(FACILITY, "mean_power_w", facility.mean_power_w, 1e3, 1e10, watts),
    RATE(FACILITY, "peak_power_w", facility.peak_power_w, 1e3, 1e10, watts),
    RATE(FACILITY, "storage.read_bytes_per_s", facility.storage_read_bytes_per_s, 1e6, 1e15, rates),
    RATE(FACILITY, "storage.write_bytes_per_s", facility.storage_write_bytes_per_s, 1e6, 1e15, rates),
};
const int machine_field_count = sizeof machine_fields / sizeof *machine_fields;

const struct machine_rule project_rule_oversubscription = {MACHINE_RATE, 1, 1000,
                                                           "give 1 for full bisection, 7 for 7:1", NULL};
const struct machine_rule machine_rule_level_nodes = {MACHINE_COUNT, 1, 1e7, counts, NULL};

/* The other keys that a part may have. */
static const char *const others[][24] = {
    [MACHINE_OF_MACHINE] = {"schema", "name", "title", "owner", "state", "hypothetical", "country", "facility", "like",
                            "notes", "sources", "cost", "queues", "node.accelerator", "node.cpu", "node.achieved",
                            "network.technology", "network.levels", "network.achieved"},
    [MACHINE_OF_ACCELERATOR] = {"schema", "name", "title", "vendor", "kind", "architecture", "like", "unit", "devices",
                                "notes", "sources", "gemm_tiles", "host.technology", "scale_up.technology",
                                "scale_up.achieved", "runs.names", "runs.with", "runs.network", "runs.direct"},
    [MACHINE_OF_FACILITY] = {"title", "country", "notes", "storage.technology", "storage.achieved"}};

void machine_field_key(const struct machine_field *field, char key[MACHINE_KEY]) {
    static const char *const prefix[] = {"", "accelerator.", "facility."};
    snprintf(key, MACHINE_KEY, "%s%s", prefix[field->part], field->path);
}

const struct machine_field *machine_field_find(const char *key) {
    for (int i = 0; i < machine_field_count; i++) {
        char own[MACHINE_KEY];
        machine_field_key(&machine_fields[i], own);
        if (machine_fields[i].at != MACHINE_NOWHERE && !strcmp(own, key)) return &machine_fields[i];
    }
    return NULL;
}

const struct machine_fact *machine_field_fact(const struct machine_field *field, const struct machine *m) {
    return (const struct machine_fact *)(const void *)((const char *)m + field->at);
}

struct machine_fact *machine_field_slot(const struct machine_field *field, struct machine *m) {
    return (struct machine_fact *)(void *)((char *)m + field->at);
}

void machine_fields_clear(struct machine *m, enum machine_part part) {
    for (int i = 0; i < machine_field_count; i++) {
        const struct machine_field *f = &machine_fields[i];
        if (f->part == part && f->at != MACHINE_NOWHERE) *machine_field_slot(f, m) = machine_fact_unknown();
    }
    if (part == MACHINE_OF_ACCELERATOR) m->accelerator.gemm_tiles = machine_fact_unknown();
}

/* Whether the part has a field at this path, or fields below it. */
static bool is_known(enum machine_part part, const char *path, bool *below) {
    const size_t n = strlen(path);
    bool known = false;
    *below = false;
    for (int i = 0; i < machine_field_count; i++) {
        const char *p = machine_fields[i].path;
        if (machine_fields[i].part != part || strncmp(p, path, n)) continue;
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

/* Refuses unknown keys: a misspelt fact must not be silently absent. */
static int check_keys(const struct machine_document *d, enum machine_part part, const json_t *json, const char *prefix,
                      struct base_error *e) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value) {
        char path[2 * MACHINE_KEY];
        bool below;
        snprintf(path, sizeof path, "%s%s%.64s", prefix, *prefix ? "." : "", key);
        if (!is_known(part, path, &below))
            return base_fail(e, BASE_USAGE,
                             "%s: field \"%s\" is unknown (see harness/catalog/README.md); correct its spelling, or "
                             "move it into \"notes\"",
                             machine_document_where(d, path), path);
        int code = below && strlen(path) < MACHINE_KEY ? check_keys(d, part, value, path, e) : BASE_OK;
        if (code) return code;
    }
    return BASE_OK;
}

int machine_fields_read(const struct machine_document *d, enum machine_part part, struct machine *m,
                        struct base_error *e) {
    struct machine_fact unkept;
    int code = check_keys(d, part, d->json, "", e);
    for (int i = 0; !code && i < machine_field_count; i++) {
        const struct machine_field *f = &machine_fields[i];
        const json_t *value;
        if (f->part != part) continue;
        code = machine_document_find(d, f->path, &value, e);
        if (!code && !value && f->required)
            code = base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing; add it, as assumed if it is not published",
                             machine_document_where(d, f->path), f->path);
        if (!code && value) code = machine_rule_ready(&f->rule, e);
        if (!code && value)
            code = machine_document_fact(d, f->path, value, &f->rule,
                                         f->at == MACHINE_NOWHERE ? &unkept : machine_field_slot(f, m), e);
    }
    return code;
}
