/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
 *
 * Steps that send gradients during backward, after it, or now one and now the other have the same bits: losses, norms,
 * gradients and weights, of every family in both precisions, on all ranks; also if the rows of a tied token table are
 * gathered apart. */
#include <string.h>

#include "mpi/support/agreed.h"
#include "unit/support/rig.h"

enum { STEPS = 4 };
enum turn { OVERLAPPED, DEFERRED, MIXED, TURNS };

/* What a training leaves. */
struct trace {
    double loss[STEPS], norm[STEPS];
    uint64_t gradients, weights;
};

static void train(struct parallel_engine *g, const struct data_source *source, enum turn turn, struct trace *t) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    memset(t, 0, sizeof *t);
    parallel_start(g, 11, true);
    for (int step = 0; step < STEPS; step++) {
        struct parallel_result r;
        parallel_overlap(g, turn == OVERLAPPED || (turn == MIXED && step % 2 == 0));
        parallel_step(g, source, &o, step, &r);
        t->loss[step] = r.loss, t->norm[step] = r.grad_norm;
    }
    t->gradients = parallel_gradients_mix(g), t->weights = parallel_weights_mix(g, false);
}

static void compare(struct agreed *a, const char *family, enum kernel_dtype dtype, int64_t bucket,
                    enum plan_rows rows) {
    static const char *const names[TURNS] = {"overlapped", "deferred", "mixed"};
    const struct model_config c = rig_config_of(family, 3, 48, 4, 101, 40);
    struct plan_request q = rig_request(&c, dtype, 19, 2, 2 * a->world.size);
    struct data_options data = {.vocab = c.vocab, .seq = q.seq, .seed = 11, .shares = 1};
    struct data_source *source = NULL;
    struct parallel_engine g;
    struct trace trace[TURNS];
    struct kernel_ops ops;
    struct base_error e = {0};
    struct plan plan;
    q.layout.dp = a->world.size;
    q.rank = a->world.rank;
    q.bucket = bucket;
    q.rows = rows;
    kernel_select(&ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    int code = plan_make(&plan, &q, &e);
    if (!code) code = parallel_open(&g, &plan, &a->world, &ops, &e);
    if (!code) code = data_open(&source, &data, &e);
    if (code) {
        fprintf(stderr, "rank %d: %s\n", a->world.rank, e.text);
        comm_abort(&a->world, code);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        char what[96];
        snprintf(what, sizeof what, "%s, %s, buckets of %lld, %s, rows %s", family,
                 dtype == KERNEL_F32 ? "fp32" : "bf16", (long long)bucket, names[turn],
                 plan.rows_apart ? "apart" : "together");
        train(&g, source, (enum turn)turn, &trace[turn]);
        agreed_check(a, !memcmp(&trace[turn], &trace[0], sizeof trace[0]) && trace[turn].norm[STEPS - 1] > 0, what);
        agreed_check(a, agreed_same(a, agreed_hash(&trace[turn], sizeof trace[turn])), "the same bits on all ranks");
    }
    data_close(source);
    parallel_close(&g);
}

int main(void) {
    static const int64_t buckets[] = {1, 5000, 1 << 20};
    struct agreed a;
    agreed_open(&a);
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            for (int b = 0; b < 3; b++) {
                compare(&a, rig_families[f], (enum kernel_dtype)dtype, buckets[b], PLAN_ROWS_APART);
                compare(&a, rig_families[f], (enum kernel_dtype)dtype, buckets[b], PLAN_ROWS_TOGETHER);
            }
    return agreed_close(&a);
}
