/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
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
    int zero;
    int64_t micro, accumulation;
};
static const struct layout layouts[] = {{0, 2, 2}, {1, 1, 1}, {1, 2, 3}, {2, 2, 1}, {2, 1, 3}, {3, 2, 1}, {3, 1, 2}};

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
    char text[200];
    open_run(&r, a, &q);
    gate_clear(&gate);
    must(a, gate_path_on(&gate, &r.engine, 11, &e), &e);
    for (int i = 0; i < CHECK_COUNT; i++)
        if (!isnan(gate.residual[i])) worst = fmax(worst, gate.residual[i]);
    snprintf(text, sizeof text, "%s: worst residual %.3g", what, worst);
    agreed_check(a, worst < CHECK_THRESHOLD / 4, text);
    close_run(&r);
}

/* The messages of a step, by kind. Of one rank alone there are none. */
static void check_messages(struct agreed *a, const struct run *r, const char *what) {
    static const struct {
        enum comm_op op;
        const char *name;
    } kinds[] = {{COMM_ALL_REDUCE_START, "all_reduce"},
                 {COMM_REDUCE_SCATTER_START, "reduce_scatter"},
                 {COMM_ALL_GATHER_START, "all_gather"}};
    const struct plan_ledger *l = &r->plan.ledger;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && a->world.size > 1; i++) {
        double calls = 0, bytes = 0;
        char text[200];
        for (int k = 0; k < l->count; k++) {
            if (l->ops[k].kind != PLAN_MESSAGE || strcmp(l->ops[k].op, kinds[i].name)) continue;
            calls += l->ops[k].count, bytes += l->ops[k].count * l->ops[k].bytes;
        }
        snprintf(text, sizeof text, "%s: %s, %lld calls of %.0f, %lld bytes of %.0f", what, kinds[i].name,
                 (long long)r->counter.op[kinds[i].op].calls, calls, (long long)r->counter.op[kinds[i].op].bytes,
                 bytes);
        agreed_check(
            a, (double)r->counter.op[kinds[i].op].calls == calls && (double)r->counter.op[kinds[i].op].bytes == bytes,
            text);
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
        memset(r->counter.op, 0, sizeof r->counter.op);
        parallel_step(&r->engine, r->source, &o, i, &result);
        check_messages(a, r, what);
        t->loss[i] = result.loss, t->norm[i] = result.grad_norm;
        if (i == 0) parallel_probe(&r->engine, r->source, i, &result); /* changes nothing */
    }
    t->gradients = parallel_gradients_mix(&r->engine), t->weights = parallel_weights_mix(&r->engine);
}

static void check_bits(struct agreed *a, const struct plan_request *q, const char *what) {
    struct trace with, without;
    struct run r;
    open_run(&r, a, q);
    train(a, &r, true, &with, what);
    train(a, &r, false, &without, what);
    agreed_check(a, !memcmp(&with, &without, sizeof with) && isfinite(with.norm[0]) && with.norm[0] > 0, what);
    with.gradients = 0; /* each rank's own block */
    agreed_check(a, agreed_same(a, agreed_hash(&with, sizeof with)), "the same bits on all ranks");
    close_run(&r);
}

int main(void) {
    struct agreed a;
    int count = 0;
    agreed_open(&a);
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++, count++) {
                const struct layout *l = &layouts[i];
                const struct model_config c = rig_config_of(rig_families[f], 4, 48, 4, 101, 40);
                struct plan_request q = rig_request(&c, (enum kernel_dtype)dtype, 19, l->micro, 1);
                char what[120];
                q.layout.dp = a.world.size;
                q.layout.zero = l->zero;
                q.global_batch = a.world.size * l->micro * l->accumulation;
                q.bucket = 1000;
                snprintf(what, sizeof what, "%s, %s, ZeRO %d, micro-batches %lld x %lld", rig_families[f],
                         dtype == KERNEL_F32 ? "fp32" : "bf16", l->zero, (long long)l->accumulation,
                         (long long)l->micro);
                check_gate(&a, &q, what);
                check_bits(&a, &q, what);
            }
    if (!a.world.rank) printf("%d ranks: %d layouts pass the gate\n", a.world.size, count);
    return agreed_close(&a);
}
