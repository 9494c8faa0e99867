/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4 8
 * check: timeout 300
 *
 * The gate holds for every layout of this many ranks, of every family in both precisions: loss and every gradient equal
 * the serial FP64 step within a quarter of the threshold, the update too, and all ranks compute with the same weights.
 * Messages overlapped with compute, or not, leave the same bits. What is sent is what the ledger has. */
#include <math.h>
#include <string.h>

#include "comm/count.h"
#include "gate/gate.h"
#include "mpi/support/agreed.h"
#include "unit/support/rig.h"

enum { STEPS = 3 };

/* A layout, and how many micro-batches a rank computes. */
struct layout {
    int tp, sp, zero;
    int64_t micro, accumulation;
};
static const struct layout layouts[] = {
    {1, 0, 0, 2, 2}, {1, 0, 1, 1, 1}, {1, 0, 1, 2, 3}, {1, 0, 2, 2, 1}, {1, 0, 2, 1, 3}, {1, 0, 3, 2, 1},
    {1, 0, 3, 1, 2}, {2, 0, 0, 2, 2}, {2, 0, 1, 1, 2}, {2, 0, 2, 1, 2}, {2, 0, 3, 2, 2}, {2, 1, 0, 2, 2},
    {2, 1, 1, 1, 2}, {2, 1, 2, 1, 2}, {2, 1, 3, 2, 2}, {4, 0, 0, 2, 1}, {4, 0, 1, 2, 2}, {4, 0, 2, 1, 2},
    {4, 0, 3, 1, 1}, {4, 1, 0, 1, 2}, {4, 1, 2, 1, 2}, {4, 1, 3, 1, 2}};

struct run {
    struct comm world; /* counts what is sent */
    struct comm_counter counter;
    struct plan plan;
    struct parallel_engine engine;
    struct data_source *source;
    struct kernel_ops ops;
};

static void must(struct agreed *a, int code, const struct base_error *e) {
    if (!code) return;
    fprintf(stderr, "rank %d: %s\n", a->world.rank, e->text);
    comm_abort(&a->world, code);
}

static void open_run(struct run *r, struct agreed *a, const struct plan_request *q) {
    struct base_error e = {0};
    const struct data_options data = {.vocab = q->config.vocab, .seq = q->seq, .seed = 5, .shares = 1};
    memset(r, 0, sizeof *r);
    kernel_select(&r->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    must(a, plan_make(&r->plan, q, &e), &e);
    comm_count_wrap(&r->world, &r->counter, &a->world, COMM_FORWARD);
    must(a, parallel_open(&r->engine, &r->plan, &r->world, &r->ops, &e), &e);
    must(a, data_open(&r->source, &data, &e), &e);
}
static void close_run(struct run *r) {
    data_close(r->source);
    parallel_close(&r->engine);
}

/* The gate of a shrunken plan. */
static void check_gate(struct agreed *a, const struct plan_request *request, const char *what) {
    const struct plan_request q = gate_shrink(request);
    struct gate gate;
    struct base_error e = {0};
    struct run r;
    double worst = 0;
    char text[300];
    open_run(&r, a, &q);
    gate_clear(&gate);
    must(a, gate_path_on(&gate, &r.engine, 11, &e), &e);
    const char *where = "";
    for (int i = 0; i < CHECK_COUNT; i++)
        if (gate.residual[i] > worst) worst = gate.residual[i], where = gate.where[i];
    snprintf(text, sizeof text, "%s: worst residual %.3g: %.90s", what, worst, where);
    agreed_check(a, worst < CHECK_THRESHOLD / 4, text);
    close_run(&r);
}

/* The groups that a rank sends to; the last one is of ranks that share a key/value head. */
enum { GROUPS = 3 };
static void groups_of(struct run *r, struct comm *groups[GROUPS]) {
    const struct parallel_groups *g = &r->engine.groups;
    groups[0] = g->data, groups[1] = g->tensor, groups[2] = g->sharing;
}
static void forget(struct run *r) {
    struct comm *groups[GROUPS];
    groups_of(r, groups);
    for (int i = 0; i < GROUPS; i++)
        if (groups[i]) memset(comm_counter_of(groups[i])->op, 0, sizeof comm_counter_of(groups[i])->op);
}

/* The messages of a step, by group and kind. Of one rank alone there are none. */
static void check_messages(struct agreed *a, struct run *r, const char *what) {
    static const char *const names[GROUPS] = {"dp", "tp", "kv"};
    static const struct {
        enum comm_op op;
        const char *name;
    } kinds[] = {{COMM_ALL_REDUCE_START, "all_reduce"},
                 {COMM_REDUCE_SCATTER_START, "reduce_scatter"},
                 {COMM_ALL_GATHER_START, "all_gather"}};
    const struct plan_ledger *l = &r->plan.ledger;
    struct comm *groups[GROUPS];
    groups_of(r, groups);
    for (int i = 0; i < GROUPS * 3; i++) {
        const struct comm *group = groups[i / 3];
        double calls = 0, bytes = 0;
        char text[256];
        for (int k = 0; k < l->count; k++) {
            const struct plan_op *op = &l->ops[k];
            if (op->kind != PLAN_MESSAGE || strcmp(op->op, kinds[i % 3].name) || strcmp(op->group, names[i / 3]))
                continue;
            calls += op->count, bytes += op->count * op->bytes;
        }
        if (!group || group->size == 1) {
            agreed_check(a, calls == 0, "no messages without a group");
            continue;
        }
        const struct comm_counter *k = comm_counter_of(group);
        const enum comm_op op = kinds[i % 3].op;
        snprintf(text, sizeof text, "%s: %s of %s, %lld calls of %.0f, %lld bytes of %.0f", what, kinds[i % 3].name,
                 names[i / 3], (long long)k->op[op].calls, calls, (long long)k->op[op].bytes, bytes);
        agreed_check(a, (double)k->op[op].calls == calls && (double)k->op[op].bytes == bytes, text);
    }
}

/* What a training leaves on a rank. */
struct trace {
    double loss[STEPS], norm[STEPS];
    uint64_t gradients, weights;
};

static void train(struct agreed *a, struct run *r, bool overlap, struct trace *t, const char *what) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    struct parallel_result result;
    memset(t, 0, sizeof *t);
    parallel_overlap(&r->engine, overlap);
    parallel_start(&r->engine, 7, true);
    for (int i = 0; i < STEPS; i++) {
        forget(r);
        parallel_step(&r->engine, r->source, &o, i, &result);
        check_messages(a, r, what);
        t->loss[i] = result.loss, t->norm[i] = result.grad_norm;
        if (i == 0) parallel_probe(&r->engine, r->source, i, &result); /* changes nothing */
    }
    t->gradients = parallel_gradients_mix(&r->engine), t->weights = parallel_weights_mix(&r->engine);
}

static bool alike(struct comm *group, uint64_t mine) {
    uint64_t first = mine;
    group->ops->broadcast(group, &first, sizeof first);
    return first == mine;
}

static void check_bits(struct agreed *a, const struct plan_request *q, const char *what) {
    struct trace with, without;
    struct run r;
    open_run(&r, a, q);
    train(a, &r, true, &with, what);
    train(a, &r, false, &without, what);
    agreed_check(a, !memcmp(&with, &without, sizeof with) && isfinite(with.norm[0]) && with.norm[0] > 0, what);
    const struct parallel_groups *g = &r.engine.groups;
    const bool weights =
        alike(g->data, with.weights) && (!g->tensor || alike(g->tensor, parallel_common_mix(&r.engine)));
    char text[300];
    snprintf(text, sizeof text, "%s: the same weights, loss %.17g, norm %.17g", what, with.loss[STEPS - 1],
             with.norm[STEPS - 1]);
    with.gradients = with.weights = 0; /* each rank has others */
    agreed_check(a, weights && agreed_same(a, agreed_hash(&with, sizeof with)), text);
    close_run(&r);
}

int main(void) {
    struct agreed a;
    int count = 0;
    agreed_open(&a);
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
                const struct layout *l = &layouts[i];
                struct model_config c = rig_config_of(rig_families[f], 4, 48, 4, 101, 40);
                c.tied = c.tied || i % 2; /* then a llama's embeddings are the token table alone */
                c.parameters = model_params_count(&c);
                struct plan_request q = rig_request(&c, (enum kernel_dtype)dtype, l->sp ? 20 : 19, l->micro, 1);
                char what[120];
                if (a.world.size % l->tp) continue;
                q.layout.tp = l->tp;
                q.layout.sequence_parallel = l->sp;
                q.layout.recompute = (int)(i + (size_t)f) % PLAN_RECOMPUTES;
                q.rows = (enum plan_rows)((i + (size_t)dtype) % 3);
                q.layout.dp = a.world.size / l->tp;
                q.layout.zero = l->zero;
                q.rank = a.world.rank;
                q.global_batch = q.layout.dp * l->micro * l->accumulation;
                q.bucket = 1000;
                snprintf(what, sizeof what,
                         "%s, %s, TP %d%s, DP %d, ZeRO %d, recompute %d, rows %d, micro-batches %lld x %lld",
                         rig_families[f], dtype == KERNEL_F32 ? "fp32" : "bf16", l->tp, l->sp ? " SP" : "", q.layout.dp,
                         l->zero, q.layout.recompute, (int)q.rows, (long long)l->accumulation, (long long)l->micro);
                count++;
                check_gate(&a, &q, what);
                check_bits(&a, &q, what);
            }
    if (!a.world.rank) printf("%d ranks: %d layouts pass the gate\n", a.world.size, count);
    return agreed_close(&a);
}
