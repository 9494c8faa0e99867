/* SPDX-License-Identifier: Apache-2.0
 *
 * Maps a machine's facts to a platform: device class, fabric, links, network. */
#include "costmodel/platform.h"

#include <math.h>
#include <string.h>

/* Share of peak of large matmuls in training, for a device without any figure: the range of the fitted classes. */
static const double MATMUL_SHARE[COST_SIDES] = {0.4, 0.55, 0.75};
/* Rate of a whole step's matmuls over that of the best one alone: clocks fall under power caps. */
static const double SUSTAINED = 0.9;

const char *cost_label_name(enum cost_label label) {
    static const char *const names[] = {"interpolated", "extrapolated", "announced"};
    return names[label];
}

enum machine_dtype cost_platform_dtype(const struct machine *m) {
    static const enum machine_dtype order[] = {MACHINE_BF16, MACHINE_FP16};
    for (int i = 0; i < 2; i++)
        if (machine_fact_known(&m->accelerator.peak_flop_per_s[order[i]])) return order[i];
    return MACHINE_FP32;
}

static double pick(const struct machine_fact *f, enum cost_side side) {
    return side == COST_SLOW ? f->low : side == COST_FAST ? f->high : f->value;
}

/* A peak; 0: unknown. */
static double of_type(const struct machine_accelerator *a, enum machine_dtype dtype, enum cost_side side) {
    const struct machine_fact *peak = &a->peak_flop_per_s[dtype];
    return machine_fact_known(peak) ? pick(peak, side) : 0;
}

static bool has_prefix(const char *text, const char *with) {
    return text && !strncmp(text, with, strlen(with));
}

/* *unlike: why no fitted fabric resembles it; unchanged if one does. */
static enum cost_fabric fabric_of(const char *technology, const char **unlike) {
    static const char *const ethernets[] = {"RoCE", "Ethernet", "EFA", "Slingshot", "400 GbE"};
    if (technology && strstr(technology, "InfiniBand")) return COST_INFINIBAND;
    if (has_prefix(technology, "Omni-Path")) return COST_OMNIPATH;
    for (size_t i = 0; i < sizeof ethernets / sizeof *ethernets; i++)
        if (has_prefix(technology, ethernets[i])) return COST_ROCE;
    if (!*unlike) *unlike = "no run on its network's technology was fitted";
    return COST_INFINIBAND;
}

/* The largest all-reduce bus bandwidth measured at the nearest number of nodes; 0: none. */
static double achieved(const struct machine_rows *rows, double nodes) {
    double best = 0, nearest = INFINITY;
    for (int i = 0; i < rows->count; i++) {
        const struct machine_row *r = &rows->row[i];
        if (strcmp(r->op, "all_reduce") || !machine_fact_known(&r->figure)) continue;
        const double far = isfinite(r->nodes) ? fabs(log(r->nodes / nodes)) : 0;
        if (far < nearest || (far == nearest && r->figure.value > best)) nearest = far, best = r->figure.value;
    }
    return best;
}

static double share_of_peak(const struct machine *m, enum machine_dtype dtype, enum cost_side side) {
    const struct machine_accelerator *a = &m->accelerator;
    const struct machine_fact *best = &a->achieved_flop_per_s[dtype];
    if (machine_fact_known(best)) return SUSTAINED * best->value / a->peak_flop_per_s[dtype].value;
    if (a->matmul_share[dtype].count > 0) return a->matmul_share[dtype].row[0].share;
    return MATMUL_SHARE[side];
}

int cost_platform_class(const struct machine *m, enum machine_dtype dtype, enum cost_side side, struct cost_platform *x,
                        const char **unlike, struct base_error *e) {
    const struct machine_fact *stated = machine_class(m);
    const int code = machine_class_of(stated, &x->class, e);
    if (code) return code;
    if (!machine_class_has(x->class, MACHINE_MATMUL_SHARE)) {
        x->matmul_share = share_of_peak(m, dtype, side);
        *unlike = "no run on its accelerator was fitted: its efficiency is a guess, and so is the interval's";
    } else if (stated->status == MACHINE_ASSUMED) {
        *unlike = "no run on its accelerator was fitted: priced as its class";
    }
    return BASE_OK;
}

static int missing(const struct machine *m, const char *key, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "--machine %s: \"%s\" is unknown, but a step's price needs it; give --set %s=X",
                     m->name, key, key);
}

/* Bandwidth and topology of the links inside a node, and the size of the scale-up domain. */
static void links(const struct machine *m, double devices, enum cost_side side, struct cost_platform *x) {
    const struct machine_fact all = machine_scale_up(m), *spans = &m->node.scale_up_nodes;
    const double nominal = machine_fact_known(&all) ? pick(&all, side) / devices : x->memory_bytes_per_s / 2;
    const double measured = achieved(&m->node.achieved, 1), share = m->node.scale_up_share.value;
    x->link_nominal_bytes_per_s = nominal;
    x->link_bytes_per_s = measured > 0      ? measured
                          : isfinite(share) ? share * nominal
                                            : x->class->link_share.value * nominal;
    x->pairwise = (enum machine_node_topology)m->node.topology.value == MACHINE_DIRECT;
    x->domain = x->node_accelerators;
    if (machine_fact_known(spans) && spans->value > 1)
        x->domain = exp2(floor(log2(spans->value * x->node_accelerators))); /* runs use 64 of 72 */
}

/* Divisor of the bandwidth of a job that spans several groups of a network level. At worst all messages cross, and it
 * is the level's oversubscription. At best it is 1, as a ring placed by groups crosses once. */
static double oversubscription(const struct machine *m, double nodes, enum cost_side side) {
    double most = 1;
    for (int i = 1; i < m->network.level_count; i++)
        if (nodes > m->network.levels[i - 1].nodes.value && machine_fact_known(&m->network.levels[i].oversubscription))
            most = fmax(most, m->network.levels[i].oversubscription.value);
    return side == COST_SLOW ? most : side == COST_FAST ? 1 : sqrt(most);
}

static void network(const struct machine *m, double nodes, enum cost_side side, struct cost_platform *x,
                    const char **unlike) {
    const struct machine_fact node = machine_node_bytes_per_s(m);
    const double measured = achieved(&m->network.achieved, 16);
    x->fabric = fabric_of(m->network.technology, unlike);
    x->node_bytes_per_s = pick(&node, side) / oversubscription(m, nodes, side);

    if (*unlike && measured > 0) x->node_share = fmin(1, measured / x->node_bytes_per_s);
    if (*unlike && isfinite(m->network.share.value)) x->node_share = m->network.share.value;
}

int cost_platform_fill(const struct machine *m, enum machine_dtype dtype, double nodes, enum cost_side side,
                       struct cost_platform *x, const char **unlike, struct base_error *e) {
    const struct machine_accelerator *a = &m->accelerator;
    const double devices = a->devices > 1 ? a->devices : 1, sockets = m->node.accelerators.value;
    struct machine_fact peak;
    const char *why = NULL;
    int code = machine_peak(m, dtype, &peak, e);
    if (code) return code;
    const struct machine_fact memory = machine_fact_known(&a->memory_bytes) ? a->memory_bytes : m->node.memory_bytes;
    if (!machine_fact_known(&memory))
        return missing(m, a->kind == MACHINE_CPU ? "node.memory_bytes" : "accelerator.memory_bytes", e);
    if (!machine_fact_known(&a->memory_bytes_per_s)) return missing(m, "accelerator.memory_bytes_per_s", e);
    const struct machine_fact *fp32 = &a->peak_flop_per_s[MACHINE_FP32];
    *x = (struct cost_platform){
        .peak_flop_per_s = pick(&peak, side) / devices,
        .fp32_flop_per_s = machine_fact_known(fp32) ? pick(fp32, side) / devices : 0,
        .tf32_share = 1, /* the peak above is already that of `dtype` */
        .peak_fp8_flop_per_s = of_type(a, MACHINE_FP8, side) / devices,
        .peak_fp4_flop_per_s = of_type(a, MACHINE_FP4, side) / devices,
        .power_w = machine_fact_known(&a->power_w) ? a->power_w.value / devices : 0,
        .memory_bytes = memory.value / (machine_fact_known(&a->memory_bytes) ? 1 : sockets) / devices,
        .memory_bytes_per_s = pick(&a->memory_bytes_per_s, side) / devices,
        .units = machine_fact_known(&a->units) && a->kind != MACHINE_CPU ? a->units.value / devices : 0,
        .node_accelerators = sockets * devices,
    };
    if ((code = cost_platform_class(m, dtype, side, x, &why, e))) return code;
    links(m, devices, side, x);
    network(m, nodes, side, x, &why);
    if (unlike) *unlike = why;
    return BASE_OK;
}

const char *cost_platform_weakest(const struct machine *m, enum machine_dtype dtype, enum machine_status *status) {
    const struct machine_accelerator *a = &m->accelerator;
    const struct machine_fact links = machine_scale_up(m);
    const struct {
        const char *key;
        const struct machine_fact *fact;
    } read[] = {{"accelerator.peak_flop_per_s", &a->peak_flop_per_s[dtype]},
                {"accelerator.memory_bytes", &a->memory_bytes},
                {"accelerator.memory_bytes_per_s", &a->memory_bytes_per_s},
                {"accelerator.units", &a->units},
                {"node.scale_up_bytes_per_s", &links},
                {"node.accelerators", &m->node.accelerators},
                {"node.topology", &m->node.topology},
                {"node.rails", &m->node.rails},
                {"node.rail_bytes_per_s", &m->node.rail_bytes_per_s}};
    const char *key = read[0].key;
    *status = read[0].fact->status;
    for (size_t i = 1; i < sizeof read / sizeof *read; i++) {
        const enum machine_status weaker = machine_status_weaker(*status, read[i].fact->status);
        if (!machine_fact_known(read[i].fact) || weaker == *status) continue;
        *status = weaker, key = read[i].key;
    }
    return key;
}
