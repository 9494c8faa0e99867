/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads one of Calculon's systems (github.com/calculon-ai/calculon, systems/NAME.json): engines in TFLOP/s with shares
 * by the GFLOP of an operation, memories in GiB and GB/s with shares by MB, networks from the inside out, each with the
 * processors it spans, GB/s one way of a processor, the share of it that messages get, and latency in s. A processor is
 * an accelerator; what the innermost network spans is a node. Its costs by operation, `processor_usage` and
 * `processing_mode` are Calculon's model, not the machine, and are left. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "project/machine_check.h"
#include "project/machine_fields.h"
#include "project/machine_read.h"

struct calculon {
    struct project_machine *m;
    const char *path, *source;
    double tier_size, tier_rate; /* of the network before: processors, bytes/s */
};

bool project_calculon_is(const json_t *json) {
    return !json_object_get(json, "schema") && (json_object_get(json, "matrix") || json_object_get(json, "networks"));
}

/* The number at part.key, above 0. */
static int number(const struct calculon *in, const json_t *object, const char *part, const char *key, double *x,
                  struct base_error *e) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value) || !(json_number_value(value) > 0))
        return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" %s", in->path, part, key,
                         value ? "must be a number above 0" : "is missing; a system of Calculon has it");
    *x = json_number_value(value);
    return BASE_OK;
}

/* Sets a fact to what part.key is in its unit, within the fact's limits. */
static int put(const struct calculon *in, const char *fact, const char *part, const char *key, double value,
               struct base_error *e) {
    const struct project_field *f = project_field_find(fact);
    char field[2 * PROJECT_KEY];
    snprintf(field, sizeof field, "%s.%s, in %s,", part, key, fact);
    int code = project_rule_check(&f->rule, in->path, field, value, value, e);
    if (code) return code;
    struct project_fact *slot = project_field_slot(f, in->m);
    *slot = project_fact_make(value, value, PROJECT_ASSUMED, "as the system's file has it");
    slot->source = in->source;
    return BASE_OK;
}

static int convert(const struct calculon *in, const char *fact, const json_t *object, const char *part, const char *key,
                   double unit, struct base_error *e) {
    double x = 0;
    int code = number(in, object, part, key, &x, e);
    return code ? code : put(in, fact, part, key, x * unit, e);
}

/* [[size, share], ...] from the largest size down to 0. */
static int read_shares(const struct calculon *in, const json_t *table, const char *field, double unit,
                       struct project_shares *out, struct base_error *e) {
    const size_t rows = json_array_size(table);
    if (!rows || rows > PROJECT_ROWS)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a list of 1 to %d pairs [size, share]", in->path,
                         field, PROJECT_ROWS);
    for (size_t i = 0; i < rows; i++) {
        const json_t *row = json_array_get(table, i), *from = json_array_get(row, 0), *share = json_array_get(row, 1);
        const double x = json_number_value(from), y = json_number_value(share);
        if (json_array_size(row) != 2 || !json_is_number(from) || !json_is_number(share) || x < 0 || !(y > 0) || y > 1)
            return base_fail(e, BASE_USAGE,
                             "%s: field \"%s[%zu]\" must be [size, share], the share above 0 and at most 1", in->path,
                             field, i);
        if (i && x * unit >= out->row[i - 1].from)
            return base_fail(e, BASE_USAGE, "%s: field \"%s[%zu]\": sizes go from the largest down", in->path, field,
                             i);
        out->row[i].from = x * unit;
        out->row[i].share = y;
    }
    if (out->row[rows - 1].from > 0)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\": the last row must be of size 0, for whatever is smaller",
                         in->path, field);
    out->count = (int)rows;
    return BASE_OK;
}

/* The peak of every type that the engine has, unless an engine before has it. */
static int read_engine(const struct calculon *in, const json_t *json, const char *part, struct base_error *e) {
    static const char *const types[PROJECT_DTYPES] = {
        [PROJECT_FP32] = "float32", [PROJECT_FP16] = "float16", [PROJECT_BF16] = "bfloat16", [PROJECT_FP8] = "float8"};
    struct project_accelerator *a = &in->m->accelerator;
    const json_t *engine = json_object_get(json, part), *tables = json_object_get(engine, "gflops_efficiency");
    if (!json_is_object(engine) || !json_object_size(tables))
        return base_fail(e, BASE_USAGE, "%s: field \"%s%s\" is missing; a system of Calculon has it, by type", in->path,
                         part, json_is_object(engine) ? ".gflops_efficiency" : "");
    for (int t = 0; t < PROJECT_DTYPES; t++) {
        /* BF16 runs at FP16's rate on every tensor core that has both */
        const bool twin = t == PROJECT_BF16 && !json_object_get(tables, "bfloat16");
        const char *type = twin ? "float16" : types[t];
        const json_t *table = type ? json_object_get(tables, type) : NULL;
        char field[PROJECT_KEY], fact[PROJECT_KEY];
        if (!table || project_fact_known(&a->peak_flop_per_s[t])) continue;
        snprintf(fact, sizeof fact, "accelerator.peak_flop_per_s.%s", project_dtype_name((enum project_dtype)t));
        snprintf(field, sizeof field, "%s.gflops_efficiency.%s", part, type);
        int code = convert(in, fact, engine, part, "tflops", 1e12, e);
        if (!code) code = read_shares(in, table, field, 1e9, &a->matmul_share[t], e);
        if (code) return code;
    }
    return BASE_OK;
}

static int read_memories(const struct calculon *in, const json_t *json, struct base_error *e) {
    const json_t *own = json_object_get(json, "mem1"), *host = json_object_get(json, "mem2");
    struct project_accelerator *a = &in->m->accelerator;
    double gib = 0;
    int code = convert(in, "accelerator.memory_bytes", own, "mem1", "GiB", 1073741824.0, e);
    if (!code) code = convert(in, "accelerator.memory_bytes_per_s", own, "mem1", "GBps", 1e9, e);
    if (!code)
        code = read_shares(in, json_object_get(own, "MB_efficiency"), "mem1.MB_efficiency", 1e6, &a->memory_share, e);
    if (code || !host) return code;
    code = number(in, host, "mem2", "GiB", &gib, e);
    if (!code)
        code = put(in, "node.memory_bytes", "mem2", "GiB", gib * 1073741824.0 * in->m->node.accelerators.value, e);
    return code ? code : convert(in, "accelerator.host.bytes_per_s", host, "mem2", "GBps", 1e9, e);
}

/* What every network has; `part` is "networks[1]". */
struct tier {
    char part[32];
    const json_t *json;
    double size, rate;
};

static int open_tier(const struct calculon *in, const json_t *list, int i, struct tier *t, struct base_error *e) {
    double gbps = 0, share = 0;
    t->json = json_array_get(list, (size_t)i);
    snprintf(t->part, sizeof t->part, "networks[%d]", i);
    int code = number(in, t->json, t->part, "size", &t->size, e);
    if (!code) code = number(in, t->json, t->part, "bandwidth", &gbps, e);
    if (!code) code = number(in, t->json, t->part, "efficiency", &share, e);
    t->rate = gbps * 1e9;
    if (!code && i && fmod(t->size, in->m->node.accelerators.value) != 0)
        code = base_fail(e, BASE_USAGE, "%s: field \"%s.size\" is %g, not a multiple of networks[0].size, %g", in->path,
                         t->part, t->size, in->m->node.accelerators.value);
    return code;
}

static int read_node(struct calculon *in, const struct tier *t, struct base_error *e) {
    struct project_machine *m = in->m;
    int code = put(in, "node.accelerators", t->part, "size", t->size, e);
    if (!code) code = put(in, "accelerator.scale_up.bytes_per_s", t->part, "bandwidth", t->rate, e);
    if (!code) code = convert(in, "node.scale_up_share", t->json, t->part, "efficiency", 1, e);
    m->node.topology = project_fact_make(PROJECT_NVSWITCH, PROJECT_NVSWITCH, PROJECT_ASSUMED,
                                         "Calculon has any pair of a network at full rate");
    return code;
}

/* A processor's share of the network is a rail of its own. */
static int read_rails(struct calculon *in, const struct tier *t, struct base_error *e) {
    struct project_machine *m = in->m;
    int code = put(in, "node.rail_bytes_per_s", t->part, "bandwidth", t->rate, e);
    if (!code) code = convert(in, "network.share", t->json, t->part, "efficiency", 1, e);
    if (!code) code = convert(in, "network.latency_s", t->json, t->part, "latency", 1, e);
    m->node.rails = m->node.accelerators;
    m->network.topology = project_fact_make(PROJECT_FAT_TREE, PROJECT_FAT_TREE, PROJECT_ASSUMED,
                                            "Calculon's networks are levels of switches");
    in->tier_rate = t->rate;
    return code;
}

static int read_level(struct calculon *in, const struct tier *t, struct base_error *e) {
    struct project_level *level = &in->m->network.levels[in->m->network.level_count];
    const double nodes = t->size / in->m->node.accelerators.value, over = in->tier_rate / t->rate;
    int code = project_rule_check(&project_rule_oversubscription, in->path, t->part, over, over, e);
    if (code) return code;
    level->name = project_keep(&in->m->texts, t->part);
    level->nodes = project_fact_make(nodes, nodes, PROJECT_ASSUMED, "size / networks[0].size");
    level->oversubscription =
        project_fact_make(over, over, PROJECT_ASSUMED, "bandwidth of networks[1] over this network's");
    level->nodes.source = level->oversubscription.source = in->source;
    in->m->network.level_count++;
    return BASE_OK;
}

static int read_networks(struct calculon *in, const json_t *json, struct base_error *e) {
    const json_t *list = json_object_get(json, "networks");
    const int tiers = (int)json_array_size(list);
    struct tier t = {.size = 0};
    if (tiers < 1 || tiers > PROJECT_LEVELS + 1)
        return base_fail(e, BASE_USAGE,
                         "%s: field \"networks\" must be a list of 1 to %d networks, from the inside out", in->path,
                         PROJECT_LEVELS + 1);
    for (int i = 0; i < tiers; i++) {
        int code = open_tier(in, list, i, &t, e);
        if (!code && i == 0) code = read_node(in, &t, e);
        if (!code && i == 1) code = read_rails(in, &t, e);
        if (!code && i > 0) code = read_level(in, &t, e);
        if (code) return code;
    }
    return put(in, "accelerators", t.part, "size", t.size, e);
}

int project_calculon_read(struct project_machine *m, const json_t *json, const char *path, struct base_error *e) {
    struct calculon in = {.m = m, .path = path};
    char name[PROJECT_FILE_NAME], title[128];
    project_file_name(path, name);
    snprintf(title, sizeof title, "%s, a system of Calculon's", name);
    m->path = m->accelerator.path = in.source = project_keep(&m->texts, path);
    m->name = m->accelerator.name = project_keep(&m->texts, name);
    m->title = m->accelerator.title = project_keep(&m->texts, title);
    m->accelerator.kind = PROJECT_ACCELERATOR;
    m->accelerator.devices = 1;
    m->hypothetical = true;
    int code = read_engine(&in, json, "matrix", e);
    if (!code) code = read_engine(&in, json, "vector", e);
    if (!code) code = read_networks(&in, json, e);
    if (!code) code = read_memories(&in, json, e);
    if (code) return code;
    project_machine_complete(m);
    return project_machine_check(m, NULL, e);
}
