/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a system of Calculon (github.com/calculon-ai/calculon, systems/NAME.json). Units are those of
 * calculon/processor.py, memory.py and network.py. Engines: TFLOP/s, with shares by the GFLOP of an operation.
 * Memories: GiB and GB/s, with shares by MB. Networks, innermost first: processors, GB/s one way per processor, the
 * share that messages get, latency in s.
 *
 * A processor is an accelerator. The innermost network is a node. A type's peak is the matrix engine's, else the vector
 * engine's. Since 2023 an engine has `tflops` and shares by type; before, it had one `tflops` for all. Costs by
 * operation, `must_be_filled`, `processor_usage` and `processing_mode` belong to Calculon's model and are ignored. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "machine/calculon.h"
#include "machine/check.h"
#include "machine/fields.h"

enum { NAME = 64 };

bool machine_calculon_is(const json_t *json) {
    return !json_object_get(json, "schema") && (json_object_get(json, "matrix") || json_object_get(json, "networks"));
}

/* "bfloat16"; NULL: Calculon lacks the type. */
static const char *type_name(int dtype) {
    static const char *const names[MACHINE_DTYPES] = {
        [MACHINE_FP32] = "float32", [MACHINE_FP16] = "float16", [MACHINE_BF16] = "bfloat16", [MACHINE_FP8] = "float8"};
    return names[dtype];
}

/* An engine in the old or the new layout. */
struct engine {
    const char *part;
    const json_t *json;
    bool by_type; /* each type is an object with tflops and shares */
};

/* The engine's entry for a type; NULL: none. */
static const json_t *of_type(const struct engine *g, const char *type) {
    return json_object_get(g->by_type ? g->json : json_object_get(g->json, "gflops_efficiency"), type);
}

/* Adds a remark on each unknown type. BASE_USAGE: no type is known. */
static int check_types(struct calculon *in, const struct engine *g, struct base_error *e) {
    const json_t *types = g->by_type ? g->json : json_object_get(g->json, "gflops_efficiency");
    const char *key;
    json_t *value;
    size_t left = 0;
    json_object_foreach((json_t *)types, key, value) {
        bool known = false;
        for (int t = 0; t < MACHINE_DTYPES; t++) known = known || (type_name(t) && !strcmp(key, type_name(t)));
        if (known) continue;
        machine_calculon_remark(in, "left out: %s.%.32s, no type of Calculon's", g->part, key);
        left++;
    }
    if (left < json_object_size(types)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s\" has none of the types float32, float16, bfloat16, float8",
                     in->path, g->part);
}

static int open_engine(struct calculon *in, const json_t *json, const char *part, struct engine *g,
                       struct base_error *e) {
    static const char *const old[] = {"tflops", "gflops_efficiency"};
    *g = (struct engine){.part = part, .json = json_object_get(json, part)};
    const json_t *shares = json_object_get(g->json, "gflops_efficiency");
    g->by_type = !shares && !json_object_get(g->json, "tflops");
    if (!json_object_size(g->json))
        return base_fail(e, BASE_USAGE,
                         "%s: field \"%s\" is missing; a system of Calculon needs it, by type, as \"float16\"",
                         in->path, part);
    if (!g->by_type && !json_is_object(shares))
        return base_fail(e, BASE_USAGE,
                         "%s: field \"%s.gflops_efficiency\" %s; give it by type, as {\"float16\": [[0, 0.9]]}, or "
                         "give each type its tflops and shares",
                         in->path, part, shares ? "does not state its type" : "is missing");
    if (!g->by_type) machine_calculon_leave_out(in, g->json, part, old, 2);
    return check_types(in, g, e);
}

/* Reads the peak of a type and its shares from the engine's entry `type`. */
static int read_type(struct calculon *in, const struct engine *g, int t, const char *type, struct base_error *e) {
    struct machine_accelerator *a = &in->m->accelerator;
    const json_t *own = of_type(g, type);
    char part[NAME], field[2 * NAME], fact[MACHINE_KEY];
    snprintf(fact, sizeof fact, "accelerator.peak_flop_per_s.%s", machine_dtype_name((enum machine_dtype)t));
    if (g->by_type) {
        snprintf(part, sizeof part, "%s.%s", g->part, type);
        snprintf(field, sizeof field, "%s.gflops_efficiency", part);
        int code = machine_calculon_convert(in, fact, own, part, "tflops", e);
        return code ? code
                    : machine_calculon_shares(in, json_object_get(own, "gflops_efficiency"), field, 1e9,
                                              &a->matmul_share[t], e);
    }
    snprintf(field, sizeof field, "%s.gflops_efficiency.%s", g->part, type);
    int code = machine_calculon_convert(in, fact, g->json, g->part, "tflops", e);
    return code ? code : machine_calculon_shares(in, own, field, 1e9, &a->matmul_share[t], e);
}

/* Reads the peak of every type of the engine, unless an earlier engine had it. */
static int read_engine(struct calculon *in, const json_t *json, const char *part, struct base_error *e) {
    struct machine_fact *peak = in->m->accelerator.peak_flop_per_s;
    struct engine g;
    int code = open_engine(in, json, part, &g, e);
    for (int t = 0; t < MACHINE_DTYPES && !code; t++) {
        const char *type = type_name(t);
        if (!type || machine_fact_known(&peak[t])) continue;
        if (of_type(&g, type)) {
            code = read_type(in, &g, t, type, e);
        } else if (t == MACHINE_BF16 && of_type(&g, "float16")) { /* tensor cores with both types have the same rate */
            code = read_type(in, &g, t, "float16", e);
            machine_calculon_remark(in, "bfloat16 taken at the rate of %s.float16", part);
        }
    }
    return code;
}

static int read_memories(struct calculon *in, const json_t *json, struct base_error *e) {
    const json_t *own = json_object_get(json, "mem1"), *host = json_object_get(json, "mem2");
    struct machine_accelerator *a = &in->m->accelerator;
    static const char *const known[] = {"GiB", "GBps", "MB_efficiency"};
    double each = 0;
    machine_calculon_leave_out(in, own, "mem1", known, 3), machine_calculon_leave_out(in, host, "mem2", known, 3);
    int code = machine_calculon_convert(in, "accelerator.memory_bytes", own, "mem1", "GiB", e);
    if (!code) code = machine_calculon_convert(in, "accelerator.memory_bytes_per_s", own, "mem1", "GBps", e);
    if (!code)
        code = machine_calculon_shares(in, json_object_get(own, "MB_efficiency"), "mem1.MB_efficiency", 1e6,
                                       &a->memory_share, e);
    if (code || !host) return code;
    code = machine_calculon_number(in, host, "mem2", "GiB", &each, e);
    if (!code)
        code = machine_calculon_put(in, "node.memory_bytes", "mem2", "GiB", each * in->m->node.accelerators.value, e);
    return code ? code : machine_calculon_convert(in, "accelerator.host.bytes_per_s", host, "mem2", "GBps", e);
}

/* A network; `part` is "networks[1]". */
struct tier {
    char part[32];
    const json_t *json;
    double size, rate; /* rate: bytes/s */
};

static int open_tier(struct calculon *in, const json_t *list, int i, struct tier *t, struct base_error *e) {
    static const char *const known[] = {
        "size",           "bandwidth",      "efficiency", "latency", "ops", "collective_minus1_scalar",
        "must_be_filled", "processor_usage"};
    double share = 0;
    t->json = json_array_get(list, (size_t)i);
    snprintf(t->part, sizeof t->part, "networks[%d]", i);
    int code = machine_calculon_number(in, t->json, t->part, "size", &t->size, e);
    if (!code) code = machine_calculon_number(in, t->json, t->part, "bandwidth", &t->rate, e);
    if (!code) code = machine_calculon_number(in, t->json, t->part, "efficiency", &share, e);
    if (!code) machine_calculon_leave_out(in, t->json, t->part, known, sizeof known / sizeof *known);
    if (!code && i && fmod(t->size, in->m->node.accelerators.value) != 0)
        code = base_fail(e, BASE_USAGE, "%s: field \"%s.size\" is %g, not a multiple of networks[0].size, %g", in->path,
                         t->part, t->size, in->m->node.accelerators.value);
    return code;
}

static int read_node(struct calculon *in, const struct tier *t, struct base_error *e) {
    struct machine *m = in->m;
    int code = machine_calculon_put(in, "node.accelerators", t->part, "size", t->size, e);
    if (!code) code = machine_calculon_put(in, "accelerator.scale_up.bytes_per_s", t->part, "bandwidth", t->rate, e);
    if (!code) code = machine_calculon_convert(in, "node.scale_up_share", t->json, t->part, "efficiency", e);
    m->node.topology = machine_fact_make(MACHINE_NVSWITCH, MACHINE_NVSWITCH, MACHINE_ASSUMED,
                                         "Calculon has any pair of a network at full rate");
    return code;
}

/* Each processor has its own rail. */
static int read_rails(struct calculon *in, const struct tier *t, struct base_error *e) {
    struct machine *m = in->m;
    const json_t *latency = json_object_get(t->json, "latency");
    int code = machine_calculon_put(in, "node.rail_bytes_per_s", t->part, "bandwidth", t->rate, e);
    if (!code) code = machine_calculon_convert(in, "network.share", t->json, t->part, "efficiency", e);
    if (!code && json_number_value(latency) == 0 && json_is_number(latency))
        machine_calculon_remark(in, "%s.latency 0 taken as unknown", t->part);
    else if (!code)
        code = machine_calculon_convert(in, "network.latency_s", t->json, t->part, "latency", e);
    m->node.rails = m->node.accelerators;
    m->network.topology = machine_fact_make(MACHINE_FAT_TREE, MACHINE_FAT_TREE, MACHINE_ASSUMED,
                                            "Calculon's networks are levels of switches");
    in->tier_rate = t->rate;
    return code;
}

static int read_level(struct calculon *in, const struct tier *t, struct base_error *e) {
    struct machine_level *level = &in->m->network.levels[in->m->network.level_count];
    const double nodes = t->size / in->m->node.accelerators.value, over = in->tier_rate / t->rate;
    int code = machine_rule_check(&project_rule_oversubscription, in->path, t->part, over, over, e);
    if (code) return code;
    level->name = machine_keep(&in->m->texts, t->part);
    level->nodes = machine_fact_make(nodes, nodes, MACHINE_ASSUMED, "size / networks[0].size");
    level->oversubscription =
        machine_fact_make(over, over, MACHINE_ASSUMED, "bandwidth of networks[1] over this network's");
    level->nodes.source = level->oversubscription.source = in->source;
    in->m->network.level_count++;
    return BASE_OK;
}

static int read_networks(struct calculon *in, const json_t *json, struct base_error *e) {
    const json_t *list = json_object_get(json, "networks");
    const int tiers = (int)json_array_size(list);
    struct tier t = {.size = 0};
    if (tiers < 1 || tiers > MACHINE_LEVELS + 1)
        return base_fail(e, BASE_USAGE, "%s: field \"networks\" must be a list of 1 to %d networks, innermost first",
                         in->path, MACHINE_LEVELS + 1);
    for (int i = 0; i < tiers; i++) {
        int code = open_tier(in, list, i, &t, e);
        if (!code && i == 0) code = read_node(in, &t, e);
        if (!code && i == 1) code = read_rails(in, &t, e);
        if (!code && i > 0) code = read_level(in, &t, e);
        if (code) return code;
    }
    return machine_calculon_put(in, "accelerators", t.part, "size", t.size, e);
}

int machine_calculon_read(struct machine *m, const json_t *json, const char *path, struct base_error *e) {
    struct calculon in = {.m = m, .path = path};
    char name[MACHINE_FILE_NAME], title[128];
    machine_file_name(path, name);
    snprintf(title, sizeof title, "%s, a system of Calculon's", name);
    m->path = m->accelerator.path = in.source = machine_keep(&m->texts, path);
    m->name = m->accelerator.name = machine_keep(&m->texts, name);
    m->title = m->accelerator.title = machine_keep(&m->texts, title);
    m->accelerator.kind = MACHINE_ACCELERATOR;
    m->accelerator.devices = 1;
    m->hypothetical = true;
    int code = read_engine(&in, json, "matrix", e);
    if (!code) code = read_engine(&in, json, "vector", e);
    if (!code) code = read_networks(&in, json, e);
    if (!code) code = read_memories(&in, json, e);
    if (code) return code;
    m->remarks = *in.remarks ? machine_keep(&m->texts, in.remarks) : NULL;
    machine_complete(m);
    return machine_check(m, NULL, e);
}
