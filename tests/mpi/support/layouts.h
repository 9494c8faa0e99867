/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks of one layout, by all ranks together: the gate; the messages of a step against the ledger's; the same bits
 * with and without overlap, and on ranks that have the same weights; and of a pipeline the bits of one stage. */
#ifndef TOISE_TESTS_LAYOUTS_H
#define TOISE_TESTS_LAYOUTS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/count.h"
#include "gate/collectives.h"
#include "mpi/support/agreed.h"
#include "parallel/collect.h"
#include "unit/support/rig.h"

enum { STEPS = 3 };

/* A layout, and how many micro-batches a rank computes. */
struct layout {
    int tp, sp, zero;
    int64_t micro, accumulation;
    int pp, vp, schedule, cp;
};
struct run {
    struct comm world; /* counts what is sent */
    struct comm_counter counter;
    struct plan plan;
    struct parallel_engine engine;
    struct data_source *source;
    struct kernel_ops ops;
};

static inline void must(struct agreed *a, int code, const struct base_error *e) {
    if (!code) return;
    fprintf(stderr, "rank %d: %s\n", a->world.rank, e->text);
    comm_abort(&a->world, code);
}

static inline void open_run(struct run *r, struct agreed *a, const struct plan_request *q) {
    struct base_error e = {0};
    const struct data_options data = {.vocab = q->config.vocab, .seq = q->seq, .seed = 5, .shares = 1};
    memset(r, 0, sizeof *r);
    kernel_select(&r->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    must(a, plan_make(&r->plan, q, &e), &e);
    comm_count_wrap(&r->world, &r->counter, &a->world, COMM_FORWARD);
    must(a, parallel_open(&r->engine, &r->plan, &r->world, &r->ops, &e), &e);
    must(a, data_open(&r->source, &data, &e), &e);
}
static inline void close_run(struct run *r) {
    data_close(r->source);
    parallel_close(&r->engine);
}

/* The gate of a shrunken plan. */
static inline void check_gate(struct agreed *a, const struct plan_request *request, const char *what) {
    const struct plan_request q = gate_shrink(request);
    struct gate gate;
    struct base_error e = {0};
    struct run r;
    double worst = 0;
    char text[400];
    open_run(&r, a, &q);
    gate_clear(&gate);
    must(a, gate_path_on(&gate, &r.engine, 11, &e), &e);
    const char *where = "";
    for (int i = 0; i < CHECK_COUNT; i++)
        if (gate.residual[i] > worst) worst = gate.residual[i], where = gate.where[i];
    snprintf(text, sizeof text, "%s: worst residual %.3g: %.90s", what, worst, where);
    /* Gradients of queries and keys cancel where attention is saturated, and those of a router where its choice is
     * clear. Of one rank alone in BF16, over 300 seeds, the mean is 1.8 and the most 10.0 with Mistral, and 2.1 and 9.6
     * with Mixtral, with any choice of experts. Of 1,020 drawn layouts one, of GLM's router over three ranks, had 13,
     * and little in FP32. In FP32 with AVX2, over 150 seeds of each family, means are 1.5 to 2.1 and the most is
     * 4.9. */
    agreed_check(a, worst < CHECK_THRESHOLD * (q.dtype == KERNEL_F32 ? 0.5 : 0.75), text);
    close_run(&r);
}

/* What a training leaves on a rank. */
struct trace {
    double loss[STEPS], norm[STEPS];
    uint64_t gradients, weights;
};

static inline void train(struct agreed *a, struct run *r, bool overlap, struct trace *t, const char *what) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    struct parallel_result result;
    memset(t, 0, sizeof *t);
    parallel_overlap(&r->engine, overlap);
    parallel_start(&r->engine, 7, true);
    for (int i = 0; i < STEPS; i++) {
        struct gate_count count = {0};
        struct gate gate;
        char text[400];
        gate_clear(&gate);
        gate_count_begin(&r->engine);
        parallel_step(&r->engine, r->source, &o, i, &result);
        gate_count_end(&count, &r->engine);
        gate_count_check(&gate, &count, &r->engine);
        snprintf(text, sizeof text, "%s: %.90s", what, gate.where[CHECK_SUMS]);
        agreed_check(a, gate_passed(&gate), text);
        t->loss[i] = result.loss, t->norm[i] = result.grad_norm;
        if (i == 0) parallel_probe(&r->engine, r->source, i, &result); /* changes nothing */
    }
    t->gradients = parallel_gradients_mix(&r->engine), t->weights = parallel_weights_mix(&r->engine, false);
}

static inline bool alike(struct comm *group, uint64_t mine) {
    uint64_t first = mine;
    group->ops->broadcast(group, &first, sizeof first);
    return first == mine;
}

static inline void check_bits(struct agreed *a, const struct plan_request *q, const char *what) {
    struct trace with, without;
    struct run r;
    open_run(&r, a, q);
    train(a, &r, true, &with, what);
    train(a, &r, false, &without, what);
    agreed_check(a, !memcmp(&with, &without, sizeof with) && isfinite(with.norm[0]) && with.norm[0] > 0, what);
    const struct parallel_groups *g = &r.engine.groups;
    bool weights = alike(g->data, with.weights) && (!g->tensor || alike(g->tensor, parallel_common_mix(&r.engine)));
    weights = alike(g->same_experts, parallel_weights_mix(&r.engine, true)) && weights;
    char text[400];
    snprintf(text, sizeof text, "%s: the same weights, loss %.17g, norm %.17g", what, with.loss[STEPS - 1],
             with.norm[STEPS - 1]);
    with.gradients = with.weights = 0; /* each rank has others */
    agreed_check(a, weights && agreed_same(a, agreed_hash(&with, sizeof with)), text);
    close_run(&r);
}

/* Gradients of a pipeline against those of one rank with the same micro-batches. A tied table sums head and embedding
 * in another order. */
static inline void check_pipeline(struct agreed *a, const struct plan_request *q, const char *what) {
    struct plan_request alone = *q;
    struct parallel_result mine, truth;
    struct agreed one = *a;
    struct run r, s;
    int differ = 0;
    alone.layout.pp = alone.layout.vp = 1, alone.layout.schedule = PLAN_1F1B, alone.rank = 0;
    comm_serial(&one.world);
    open_run(&r, a, q), open_run(&s, &one, &alone);
    parallel_start(&r.engine, 3, true), parallel_start(&s.engine, 3, true);
    parallel_gradients(&r.engine, r.source, 0, &mine), parallel_gradients(&s.engine, s.source, 0, &truth);
    float *x = malloc((size_t)r.engine.whole.largest * sizeof *x);
    for (int i = 0; x && i < r.engine.whole.count; i++) {
        const struct model_tensor *t = &r.engine.whole.tensors[i];
        parallel_collect(&r.engine, PARALLEL_GRADIENTS, i, x);
        if (t->kind->role == MODEL_TOKEN_TABLE && q->config.tied) continue;
        for (int64_t k = 0; k < t->count; k++) differ += x[k] != s.engine.grads[t->offset + k]; /* 0 is -0 */
    }
    agreed_check(a, x && !differ && mine.loss == truth.loss, what);
    free(x);
    close_run(&r), close_run(&s);
}

/* Layers that do not divide over the stages. */
static inline int64_t layers_of(const struct layout *l) {
    return l->pp * l->vp + l->pp * l->vp / 2 + 1;
}

/* Whether so many ranks can run it. */
static inline bool layout_fits(const struct layout *l, int ranks) {
    return ranks % (l->tp * l->pp * l->cp) == 0;
}
/* Tokens that its ranks can share. */
static inline int64_t layout_seq(const struct layout *l) {
    int64_t seq = l->sp ? 5 * l->tp : 19;
    while (l->cp > 1 && (seq % (2 * l->cp) || (l->sp && seq / l->cp % l->tp))) seq++;
    return seq;
}

/* Some of the replicas share out experts, and a rule may choose them. */
static inline void layout_experts(struct plan_request *q, int variant) {
    static const struct model_route routes[] = {{false, 0, 0}, {true, 1, 3}, {false, 0, 0}, {true, 1.5, 3}};
    int ranks[3], n = 0;
    if (q->config.experts == 0) return;
    for (int ep = 1; ep <= 4; ep *= 2)
        if (plan_layout_replicas(&q->layout) % ep == 0 && q->config.experts % ep == 0) ranks[n++] = ep;
    q->layout.ep = ranks[n - 1 - variant % n];
    q->route = routes[variant % 4];
}

/* The request of a layout: what it leaves open depends on `variant`. */
static inline struct plan_request layout_request(const struct comm *world, const struct layout *l,
                                                 const struct model_config *c, enum kernel_dtype dtype, int variant) {
    struct plan_request q = rig_request(c, dtype, layout_seq(l), l->micro, 1);
    q.layout.tp = l->tp, q.layout.cp = l->cp, q.layout.sequence_parallel = l->sp;
    q.layout.pp = l->pp, q.layout.vp = l->vp, q.layout.schedule = l->schedule;
    q.layout.dp = world->size / (l->tp * l->pp * q.layout.cp), q.layout.zero = l->zero;
    q.layout.recompute = l->schedule == PLAN_ZERO_BUBBLE ? PLAN_RECOMPUTE_NONE : variant % PLAN_RECOMPUTES;
    q.rows = (enum plan_rows)(variant / PLAN_RECOMPUTES % 3);
    static const char *const orders[] = {"tp-cp-dp-pp", "dp-tp-cp-pp", "pp-dp-cp-tp",
                                         "cp-dp-pp-tp", "tp-pp-dp-cp", "pp-cp-tp-dp"};
    plan_grid_order(&q.layout, orders[variant % 6], NULL);
    layout_experts(&q, variant);
    q.rank = world->rank;
    q.global_batch = q.layout.dp * l->micro * l->accumulation;
    q.bucket = 1000;
    return q;
}

static inline void layout_check(struct agreed *a, const struct plan_request *q) {
    const struct plan_layout *l = &q->layout;
    char what[240];
    snprintf(what, sizeof what,
             "%s, %s, TP %d%s, CP %d, PP %d x %d %s, DP %d, EP %d, route %g, ZeRO %d, recompute %d, rows %d, "
             "micro-batches %lld x %lld",
             q->config.family->type, q->dtype == KERNEL_F32 ? "fp32" : "bf16", l->tp, l->sequence_parallel ? " SP" : "",
             l->cp, l->pp, l->vp, plan_schedule_name((enum plan_schedule)l->schedule), l->dp, l->ep, q->route.skew,
             l->zero, l->recompute, (int)q->rows, (long long)(q->global_batch / l->dp / l->micro_batch),
             (long long)l->micro_batch);
    if (getenv("SHOW") && !a->world.rank) puts(what);
    check_gate(a, q, what);
    check_bits(a, q, what);
    if (l->pp == a->world.size && !l->zero) check_pipeline(a, q, what);
}

#endif
