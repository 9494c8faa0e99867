/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine's facts as a platform: device family, fabric, links, network. */
#include "project/platform.h"

#include <math.h>
#include <string.h>

/* Shares of the nominal rate of links that all-reduces get: measured on V100 (124e9 of 150e9 bytes/s at 4 GB) and A100
 * (229e9 of 300e9 at 1 GiB); recalled for the others, to which fits are insensitive. */
static const double LINK_SHARE[] = {[PROJECT_V100] = 124.0 / 150,
                                    [PROJECT_A100] = 229.0 / 300,
                                    [PROJECT_H100] = 0.8,
                                    [PROJECT_GB200] = 650.0 / 900,
                                    [PROJECT_OTHER_DEVICE] = 0.75};
/* Shares of peak of large matmuls in training steps where nothing is known of a device: what families were fitted to,
 * from the lowest to the highest; fused attention gets this share of that, as on those. */
static const double MATMUL_SHARE[PROJECT_SIDES] = {0.4, 0.55, 0.75}, FLASH_SHARE = 0.6;
/* A whole step's matmuls get this share of the best one measured alone: clocks fall under power caps. */
static const double SUSTAINED = 0.9;

const char *project_label_name(enum project_label label) {
    static const char *const names[] = {"interpolated", "extrapolated", "announced"};
    return names[label];
}

enum project_dtype project_platform_dtype(const struct project_machine *m) {
    static const enum project_dtype order[] = {PROJECT_BF16, PROJECT_FP16};
    for (int i = 0; i < 2; i++)
        if (project_fact_known(&m->accelerator.peak_flop_per_s[order[i]])) return order[i];
    return PROJECT_FP32;
}

static double pick(const struct project_fact *f, enum project_side side) {
    return side == PROJECT_SLOW ? f->low : side == PROJECT_FAST ? f->high : f->value;
}

enum project_device project_platform_device(const struct project_machine *m, const char **unlike) {
    static const struct {
        const char *prefix;
        enum project_device device;
        bool fitted; /* itself, not a sibling alone */
    } families[] = {
        {"v100-sxm2", PROJECT_V100, true}, {"a100-sxm4", PROJECT_A100, true}, {"a100-", PROJECT_A100, false},
        {"h100-sxm5", PROJECT_H100, true}, {"h200-", PROJECT_H100, true},     {"h100-", PROJECT_H100, false},
        {"gh200-", PROJECT_H100, false},   {"h800-", PROJECT_H100, false},    {"gb200", PROJECT_GB200, true},
        {"gb300", PROJECT_GB200, true},    {"b200-", PROJECT_GB200, true},    {"b300-", PROJECT_GB200, false},
    };
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        if (strncmp(m->accelerator.name, families[i].prefix, strlen(families[i].prefix))) continue;
        if (!families[i].fitted) *unlike = "no run on its accelerator was fitted: priced as its family";
        return families[i].device;
    }
    *unlike = "no run on its accelerator was fitted: its efficiency is a guess, and so is the interval's";
    return PROJECT_OTHER_DEVICE;
}

double project_platform_link_share(enum project_device device) {
    return LINK_SHARE[device];
}

static bool begins(const char *text, const char *with) {
    return text && !strncmp(text, with, strlen(with));
}

/* *unlike: why no fitted fabric is like it. */
static enum project_fabric fabric_of(const char *technology, const char **unlike) {
    static const char *const ethernets[] = {"RoCE", "Ethernet", "EFA", "Slingshot", "400 GbE"};
    if (technology && strstr(technology, "InfiniBand")) return PROJECT_INFINIBAND;
    if (begins(technology, "Omni-Path")) return PROJECT_OMNIPATH;
    for (size_t i = 0; i < sizeof ethernets / sizeof *ethernets; i++)
        if (begins(technology, ethernets[i])) return PROJECT_ROCE;
    if (!*unlike) *unlike = "no run on its network's technology was fitted";
    return PROJECT_INFINIBAND;
}

/* The largest bus bandwidth among rows of an all-reduce; 0: none. */
static double achieved(const struct project_rows *rows, double nodes) {
    double best = 0, nearest = INFINITY;
    for (int i = 0; i < rows->count; i++) {
        const struct project_row *r = &rows->row[i];
        if (strcmp(r->op, "all_reduce") || !project_fact_known(&r->figure)) continue;
        const double far = isfinite(r->nodes) ? fabs(log(r->nodes / nodes)) : 0;
        if (far < nearest || (far == nearest && r->figure.value > best)) nearest = far, best = r->figure.value;
    }
    return best;
}

static double share_of_peak(const struct project_machine *m, enum project_dtype dtype, enum project_side side) {
    const struct project_accelerator *a = &m->accelerator;
    const struct project_fact *best = &a->achieved_flop_per_s[dtype];
    if (project_fact_known(best)) return SUSTAINED * best->value / a->peak_flop_per_s[dtype].value;
    if (a->matmul_share[dtype].count > 0) return a->matmul_share[dtype].row[0].share;
    return MATMUL_SHARE[side];
}

static int missing(const struct project_machine *m, const char *key, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "--machine %s: \"%s\" is unknown, which the price of a step needs; give --set %s=X",
                     m->name, key, key);
}

/* What the links inside a node and a rank's neighbours are. */
static void links(const struct project_machine *m, double devices, enum project_side side, struct project_platform *x) {
    const struct project_fact all = project_machine_scale_up(m), *spans = &m->node.scale_up_nodes;
    const double nominal = project_fact_known(&all) ? pick(&all, side) / devices : x->memory_bytes_per_s / 2;
    const double measured = achieved(&m->node.achieved, 1), share = m->node.scale_up_share.value;
    x->link_nominal_bytes_per_s = nominal;
    x->link_bytes_per_s = measured > 0      ? measured
                          : isfinite(share) ? share * nominal
                                            : project_platform_link_share(x->device) * nominal;
    x->pairwise = (enum project_node_topology)m->node.topology.value == PROJECT_DIRECT;
    x->domain = x->node_accelerators;
    if (project_fact_known(spans) && spans->value > 1)
        x->domain = exp2(floor(log2(spans->value * x->node_accelerators))); /* what runs take of 72 is 64 */
}

/* What a job of so many nodes loses where it spans several groups of a level: at worst the level's oversubscription,
 * since all would cross; at best nothing, since a ring placed by groups crosses once. */
static double oversubscription(const struct project_machine *m, double nodes, enum project_side side) {
    double most = 1;
    for (int i = 1; i < m->network.level_count; i++)
        if (nodes > m->network.levels[i - 1].nodes.value && project_fact_known(&m->network.levels[i].oversubscription))
            most = fmax(most, m->network.levels[i].oversubscription.value);
    return side == PROJECT_SLOW ? most : side == PROJECT_FAST ? 1 : sqrt(most);
}

static void network(const struct project_machine *m, double nodes, enum project_side side, struct project_platform *x,
                    const char **unlike) {
    const struct project_fact node = project_machine_node_bytes_per_s(m);
    const double measured = achieved(&m->network.achieved, 16);
    x->fabric = fabric_of(m->network.technology, unlike);
    x->node_bytes_per_s = pick(&node, side) / oversubscription(m, nodes, side);

    if (*unlike && measured > 0) x->node_share = fmin(1, measured / x->node_bytes_per_s);
    if (*unlike && isfinite(m->network.share.value)) x->node_share = m->network.share.value;
}

int project_platform_fill(const struct project_machine *m, enum project_dtype dtype, double nodes,
                          enum project_side side, struct project_platform *x, const char **unlike,
                          struct base_error *e) {
    const struct project_accelerator *a = &m->accelerator;
    const double devices = a->devices > 1 ? a->devices : 1, sockets = m->node.accelerators.value;
    struct project_fact peak;
    const char *why = NULL;
    int code = project_machine_peak(m, dtype, &peak, e);
    if (code) return code;
    const struct project_fact memory = project_fact_known(&a->memory_bytes) ? a->memory_bytes : m->node.memory_bytes;
    if (!project_fact_known(&memory))
        return missing(m, a->kind == PROJECT_CPU ? "node.memory_bytes" : "accelerator.memory_bytes", e);
    if (!project_fact_known(&a->memory_bytes_per_s)) return missing(m, "accelerator.memory_bytes_per_s", e);
    const struct project_fact *fp32 = &a->peak_flop_per_s[PROJECT_FP32];
    *x = (struct project_platform){
        .device = project_platform_device(m, &why),
        .peak_flop_per_s = pick(&peak, side) / devices,
        .fp32_flop_per_s = project_fact_known(fp32) ? pick(fp32, side) / devices : 0,
        .tf32_share = 1, /* the peak above is that of the type asked for */
        .memory_bytes = memory.value / (project_fact_known(&a->memory_bytes) ? 1 : sockets) / devices,
        .memory_bytes_per_s = pick(&a->memory_bytes_per_s, side) / devices,
        .units = project_fact_known(&a->units) && a->kind != PROJECT_CPU ? a->units.value / devices : 0,
        .node_accelerators = sockets * devices,
    };
    if (x->device == PROJECT_OTHER_DEVICE) {
        x->matmul_share = share_of_peak(m, dtype, side);
        x->flash_share = FLASH_SHARE * x->matmul_share;
    }
    links(m, devices, side, x);
    network(m, nodes, side, x, &why);
    if (unlike) *unlike = why;
    return BASE_OK;
}

const char *project_platform_weakest(const struct project_machine *m, enum project_dtype dtype,
                                     enum project_status *status) {
    const struct project_accelerator *a = &m->accelerator;
    const struct project_fact links = project_machine_scale_up(m);
    const struct {
        const char *key;
        const struct project_fact *fact;
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
        const enum project_status weaker = project_status_weaker(*status, read[i].fact->status);
        if (!project_fact_known(read[i].fact) || weaker == *status) continue;
        *status = weaker, key = read[i].key;
    }
    return key;
}
