/* SPDX-License-Identifier: Apache-2.0
 *
 * Bandwidths of links, groups of ranks, collectives and p2p. */
#include "costmodel/network.h"

#include <math.h>

#include "costmodel/device.h"

/* Latency of a ring's step inside a node, from all-reduces of 1 MiB among 8 A100 (106 us, 14 steps). Not fitted. */
static const double ALPHA_INSIDE = 6e-6;

/* Direct links achieve what is known of the device class. */
static double inside(const struct cost_platform *x, const struct cost_parameters *p) {
    if (!x->pairwise || !machine_class_has(x->class, MACHINE_DIRECT_RATE)) return x->link_bytes_per_s;
    return cost_parameters_trait(p, x->class, MACHINE_DIRECT_RATE);
}

/* Omni-Path achieves fixed bandwidths of a node and a group; other fabrics a share of the nominal bandwidth. */
static void outside(const struct cost_platform *x, const struct cost_parameters *p, struct cost_links *l) {
    const double nominal = x->node_bytes_per_s;
    l->node = l->group = nominal * (x->node_share > 0              ? x->node_share
                                    : x->fabric == COST_INFINIBAND ? p->value[COST_P_infiniband]
                                                                   : p->value[COST_P_roce]);
    if (x->fabric != COST_OMNIPATH || x->node_share > 0) return;
    if (machine_class_has(x->class, MACHINE_OMNIPATH_NODE))
        l->node = fmin(nominal, cost_parameters_trait(p, x->class, MACHINE_OMNIPATH_NODE));
    if (machine_class_has(x->class, MACHINE_OMNIPATH_GROUP))
        l->group = fmin(nominal, cost_parameters_trait(p, x->class, MACHINE_OMNIPATH_GROUP));
    l->spread = p->value[COST_P_opa_spread];
}

void cost_links_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_links *l) {
    const struct cost_platform *x = &job->platform;
    *l = (struct cost_links){
        .domain = fmin(x->domain, job->accelerators),
        .inside = inside(x, p),
        .alpha = p->value[COST_P_alpha],
        .alpha_inside = ALPHA_INSIDE,
        .interference = ablation->interference ? 0 : p->value[COST_P_interference],
        .plain = p->value[COST_P_all_to_all],
        .dispatch = p->value[COST_P_dispatch],
        .far = x->fabric == COST_OMNIPATH ? 0 : x->node_bytes_per_s * p->value[COST_P_all_to_all_far],
        .pairwise = x->pairwise ? x->node_accelerators : 0,
        .overlap = !ablation->overlap,
    };
    outside(x, p, l);
    if (ablation->achieved) {
        l->inside = x->link_nominal_bytes_per_s;
        l->node = l->group = x->node_bytes_per_s;
        l->spread = 0;
    }
    const double nodes = fmax(1, l->domain / x->node_accelerators);
    l->node *= nodes;
    l->group *= nodes;
    l->far *= nodes;
}

/* A group of `count` ranks, each `stride` ranks after the last. */
static struct cost_group strided(const struct cost_links *l, double count, double stride) {
    const double ranks = fmin(count, fmax(1, floor(l->domain / stride)));
    return (struct cost_group){ranks, ceil(count / ranks), fmax(1, l->domain / ranks), 1};
}

/* Share of a rank's direct links that lead to peers in the group. */
static double usable_share(const struct cost_links *l, double ranks) {
    const double peers = l->pairwise - 1;
    return peers > 0 ? fmin(1, fmax(1, ranks - 1) / peers) : 1;
}

struct cost_group cost_group_tensor(const struct cost_job *job, const struct cost_links *l) {
    const double ranks = fmin(job->layout.tp, l->domain);
    return (struct cost_group){ranks, ceil(job->layout.tp / l->domain), l->domain / ranks, usable_share(l, ranks)};
}

/* Ranks of one model replica within a pipeline stage: the stride of data parallel ranks. */
static double data_stride(const struct cost_job *job) {
    return (double)job->layout.tp * job->layout.cp;
}

struct cost_group cost_group_data(const struct cost_job *job, const struct cost_links *l) {
    return strided(l, job->layout.dp, data_stride(job));
}

/* The stride of expert parallel ranks: those next to each other slice an expert, or else are of one replica. */
static double expert_stride(const struct plan_layout *y) {
    const int slices = plan_layout_expert_slices(y);
    return slices < y->tp ? slices : y->tp * y->cp;
}

struct cost_group cost_group_expert(const struct cost_job *job, const struct cost_links *l) {
    struct cost_group g = strided(l, plan_layout_expert_ranks(&job->layout), expert_stride(&job->layout));
    g.share = usable_share(l, g.ranks);
    return g;
}

struct cost_group cost_group_expert_data(const struct cost_job *job, const struct cost_links *l) {
    const struct plan_layout *y = &job->layout;
    return strided(l, fmax(1, plan_layout_expert_replicas(y)), expert_stride(y) * plan_layout_expert_ranks(y));
}

struct cost_group cost_group_context(const struct cost_job *job, const struct cost_links *l) {
    return strided(l, job->layout.cp, job->layout.tp);
}

/* The first `size` ranks of a group. */
static struct cost_group first_ranks(struct cost_group g, double size) {
    g.ranks = fmin(g.ranks, size);
    g.nodes = ceil(size / g.ranks);
    return g;
}

struct cost_group cost_group_zero3(const struct cost_job *job, const struct cost_links *l) {
    return first_ranks(cost_group_data(job, l), fmin(job->traits.zero_group, job->layout.dp));
}

struct cost_group cost_group_expert_zero3(const struct cost_job *job, const struct cost_links *l) {
    const double size = fmin(job->traits.zero_group, job->layout.dp) / plan_layout_expert_ranks(&job->layout);
    return first_ranks(cost_group_expert_data(job, l), fmax(1, size));
}

/* Bandwidth to other domains, for all ranks of one group in a domain together. */
static double rate_outside(const struct cost_links *l, const struct cost_group *g) {
    const double spread = l->spread > 0 ? pow(g->nodes / 4, -l->spread) : 1;
    return fmin(l->group, l->node / g->sharing) * spread;
}

double cost_collective_s(const struct cost_links *l, const struct cost_group *g, enum cost_collective op, double bytes,
                         double pieces) {
    const double rounds = (double)op, world = g->ranks * g->nodes;
    const double inside = rounds * bytes * (g->ranks - 1) / g->ranks / (l->inside * g->share);
    if (g->nodes <= 1) return inside + pieces * rounds * l->alpha_inside * (g->ranks - 1);
    const bool tree = op == COST_ALL_REDUCE;
    const double moved = rounds * bytes * (tree ? (g->nodes - 1) / g->nodes : (world - 1) / world);
    const double latency = l->alpha * (tree ? 2 * log2(g->nodes) : world - 1);
    return fmax(inside, moved / rate_outside(l, g)) + pieces * latency;
}

/* Of `n` equal groups of experts, those that hold some of k experts drawn at random. */
static double reached(double n, double k) {
    return n * (1 - pow(1 - 1 / n, k));
}

double cost_dispatch_s(const struct cost_links *l, const struct cost_group *g, enum cost_dispatcher dispatcher,
                       double k, double bytes) {
    const double world = g->ranks * g->nodes;
    const bool plain = dispatcher == COST_DISPATCH_PLAIN;
    const double share = g->share * (plain ? l->plain : l->dispatch);
    const double far = l->far > 0 ? l->far / g->sharing : rate_outside(l, g);
    const double copies = plain ? k : reached(world, k), away = plain ? k : reached(g->nodes, k);
    const double inside = bytes * copies * (plain ? (g->ranks - 1) / world : (world - 1) / world) / (l->inside * share);
    const double part = (g->nodes - 1) / g->nodes;
    const double outside = g->nodes > 1 ? bytes * away * part * g->ranks / far : 0;
    const double latency = plain ? l->alpha_inside * (g->ranks - 1) + l->alpha * (world - g->ranks)
                                 : l->alpha_inside + l->alpha * (g->nodes - 1);
    return fmax(inside, outside) + latency;
}

/* Share of the p2p between stages that leaves a domain. */
static double crossing(const struct cost_job *job, const struct cost_links *l) {
    const struct plan_layout *y = &job->layout;
    if ((double)y->tp * y->cp * y->dp >= l->domain) return 1;
    return fmin(1, fmax(0, (job->accelerators / l->domain - 1) / (y->pp - 1)));
}

double cost_hop_s(const struct cost_job *job, const struct cost_links *l) {
    const double bytes = job->traits.weight_bytes * cost_job_tokens(job) * (double)job->model.width;
    const double mine = bytes / job->layout.tp;
    if (job->layout.pp == 1) return 0;
    const double cross = crossing(job, l), outside_s = mine / fmin(l->group, l->node / l->domain) + l->alpha;
    double hop = cross * outside_s + (1 - cross) * (mine / l->inside + l->alpha_inside);
    if (job->layout.tp > 1 && !job->layout.sequence_parallel) {
        struct cost_group g = cost_group_tensor(job, l);
        g.sharing = 1;
        hop += cost_collective_s(l, &g, COST_SCATTER, bytes, 1);
    }
    return hop;
}

double cost_exposed_s(const struct cost_links *l, double x, double y) {
    return l->overlap ? fmax(0, x - y) + l->interference * fmin(x, y) : x;
}
