/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 4 8
 * check: timeout 300
 *
 * With --reproducible, 20 steps of any layout have the bits of one rank that computes sequence by sequence: the loss
 * and the norm of each step, and in the end gradients, weights and moments. Of each layout one family or two also pass
 * the checks of support/layouts.h. */
#include "mpi/support/layouts.h"

enum { TRAINED = 20, TENSORS = 96, KINDS = 4 };

/* dp is what remains of the world. micro 0: one micro-batch has all sequences of a rank. */
struct shared {
    int tp, sp, zero, pp, vp, schedule;
    int64_t micro;
    int recompute, threads;
};

static const struct shared layouts[] = {
    {1, 0, 0, 1, 1, PLAN_1F1B, 2, PLAN_RECOMPUTE_NONE, 2},
    {1, 0, 0, 1, 1, PLAN_1F1B, 0, PLAN_RECOMPUTE_FULL, 3},
    {1, 0, 1, 1, 1, PLAN_1F1B, 1, PLAN_RECOMPUTE_SELECTIVE, 1},
    {1, 0, 2, 1, 1, PLAN_1F1B, 0, PLAN_RECOMPUTE_NONE, 1},
    {1, 0, 3, 1, 1, PLAN_1F1B, 0, PLAN_RECOMPUTE_NONE, 2},
    {2, 0, 0, 1, 1, PLAN_1F1B, 1, PLAN_RECOMPUTE_NONE, 2},
    {2, 1, 0, 1, 1, PLAN_1F1B, 1, PLAN_RECOMPUTE_FULL, 1},
    {2, 1, 1, 1, 1, PLAN_1F1B, 0, PLAN_RECOMPUTE_NONE, 1},
    {4, 1, 3, 1, 1, PLAN_1F1B, 0, PLAN_RECOMPUTE_NONE, 1},
    {4, 0, 0, 1, 1, PLAN_1F1B, 2, PLAN_RECOMPUTE_NONE, 1},
    {1, 0, 0, 2, 1, PLAN_1F1B, 1, PLAN_RECOMPUTE_NONE, 1},
    {1, 0, 1, 2, 1, PLAN_GPIPE, 2, PLAN_RECOMPUTE_NONE, 1},
    {1, 0, 0, 2, 2, PLAN_1F1B, 1, PLAN_RECOMPUTE_FULL, 1},
    {1, 0, 0, 2, 1, PLAN_ZERO_BUBBLE, 1, PLAN_RECOMPUTE_NONE, 1},
    {2, 1, 0, 2, 1, PLAN_ZERO_BUBBLE, 1, PLAN_RECOMPUTE_NONE, 1},
    {2, 0, 1, 2, 2, PLAN_1F1B, 2, PLAN_RECOMPUTE_SELECTIVE, 1},
    {1, 0, 0, 4, 1, PLAN_1F1B, 1, PLAN_RECOMPUTE_NONE, 1},
    {8, 1, 0, 1, 1, PLAN_1F1B, 1, PLAN_RECOMPUTE_NONE, 1},
    {2, 1, 2, 2, 1, PLAN_1F1B, 0, PLAN_RECOMPUTE_NONE, 1},
};

/* The bits that a training leaves, the same on all ranks. */
struct bits {
    double loss[TRAINED], norm[TRAINED];
    uint64_t tensor[KINDS][TENSORS];
};

static void train_bits(struct agreed *a, const struct plan_request *q, struct bits *bits) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    struct run r;
    memset(bits, 0, sizeof *bits);
    open_run(&r, a, q);
    parallel_start(&r.engine, 7, false);
    for (int i = 0; i < TRAINED; i++) {
        struct parallel_result result;
        parallel_step(&r.engine, r.source, &o, i, &result);
        bits->loss[i] = result.loss, bits->norm[i] = result.grad_norm;
    }
    float *x = malloc((size_t)r.engine.whole.largest * sizeof *x);
    for (int kind = 0; x && kind < KINDS; kind++)
        for (int i = 0; i < r.engine.whole.count && i < TENSORS; i++) {
            parallel_collect(&r.engine, (enum parallel_what)kind, i, x);
            bits->tensor[kind][i] = agreed_hash(x, (size_t)r.engine.whole.tensors[i].count * sizeof *x);
        }
    free(x);
    close_run(&r);
}

/* The first difference; NULL: none. */
static const char *difference(const struct plan_request *q, const struct bits *x, const struct bits *y) {
    static const char *const kinds[KINDS] = {"weights", "gradient", "first moment", "second moment"};
    static char text[160];
    struct model_params whole;
    struct base_error e;
    for (int i = 0; i < TRAINED; i++) {
        snprintf(text, sizeof text, "step %d: loss %.17g, not %.17g; norm %.17g, not %.17g", i, x->loss[i], y->loss[i],
                 x->norm[i], y->norm[i]);
        if (memcmp(&x->loss[i], &y->loss[i], sizeof x->loss[i]) || memcmp(&x->norm[i], &y->norm[i], sizeof x->norm[i]))
            return text;
    }
    if (model_params_open(&whole, &q->config, &e)) return "no memory to compare in";
    const int count = whole.count;
    for (int i = 0; i < KINDS * count; i++) {
        snprintf(text, sizeof text, "%s of %s", kinds[i / count], whole.tensors[i % count].name);
        if (x->tensor[i / count][i % count] == y->tensor[i / count][i % count]) continue;
        model_params_close(&whole);
        return text;
    }
    model_params_close(&whole);
    return count > TENSORS ? "a model of too many tensors for this test" : NULL;
}

static struct plan_request request_of(const struct model_config *c, enum kernel_dtype dtype, int leaves) {
    /* leaves of three sequences, which a micro-batch of two may cut; the head's chunks may be shorter than one */
    struct plan_request q = rig_request(c, dtype, 24, 1, (dtype ? 3 : 2) * leaves);
    q.head_rows = c->tied ? 10 : 0;
    q.layout.reproducible = leaves;
    q.bucket = 1000;
    return q;
}

/* Of one rank, by rank 0 for all. */
static void truth_of(struct agreed *a, const struct plan_request *q, struct bits *truth) {
    struct agreed one = *a;
    comm_serial(&one.world);
    if (!a->world.rank) train_bits(&one, q, truth);
    a->world.ops->rest(&a->world);
    a->world.ops->broadcast(&a->world, truth, sizeof *truth);
}

static void check_layout(struct agreed *a, const struct shared *l, const struct plan_request *alone,
                         const struct bits *truth, bool gate) {
    struct plan_request q = *alone;
    struct bits mine;
    char text[400];
    q.layout.tp = l->tp, q.layout.sequence_parallel = l->sp, q.layout.zero = l->zero;
    q.layout.pp = l->pp, q.layout.vp = l->vp, q.layout.schedule = l->schedule, q.layout.recompute = l->recompute;
    q.layout.dp = a->world.size / l->tp / l->pp;
    q.layout.micro_batch = l->micro ? l->micro : q.global_batch / q.layout.dp;
    if (q.global_batch / q.layout.dp % q.layout.micro_batch) q.layout.micro_batch = 1;
    /* of one family: threads that sleep at each of so many short barriers take long */
    q.threads = a->world.size == 1 && q.dtype == KERNEL_F32 && !strcmp(q.config.family->type, "gpt2") ? l->threads : 1;
    q.rank = a->world.rank;
    train_bits(a, &q, &mine);
    const char *differs = difference(&q, &mine, truth);
    snprintf(text, sizeof text, "%s, %s, tied %d, TP %d%s, PP %d x %d %s, DP %d, ZeRO %d, mbs %lld: %.150s",
             q.config.family->type, q.dtype == KERNEL_F32 ? "fp32" : "bf16", q.config.tied, l->tp, l->sp ? " SP" : "",
             l->pp, l->vp, plan_schedule_name((enum plan_schedule)l->schedule), q.layout.dp, l->zero,
             (long long)q.layout.micro_batch, differs ? differs : "");
    agreed_check(a, !differs, text);
    if (gate) layout_check(a, &q);
}

int main(void) {
    struct agreed a;
    int count = 0;
    agreed_open(&a);
    const int leaves = a.world.size < 4 ? 4 : a.world.size;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
            struct model_config c = rig_config_of(rig_families[f], 5, 16 * leaves, 2 * leaves, 101, 40);
            struct bits truth;
            if (c.experts) continue;
            c.tied = c.tied || dtype;
            c.parameters = model_params_count(&c);
            const struct plan_request q = request_of(&c, (enum kernel_dtype)dtype, leaves);
            truth_of(&a, &q, &truth);
            for (int i = 0; i < (int)(sizeof layouts / sizeof *layouts); i++) {
                const struct shared *l = &layouts[i];
                const int dp = a.world.size / (l->tp * l->pp);
                const bool whole = l->tp * l->pp * dp == a.world.size && dp <= leaves;
                if (!whole || (a.world.size > 4 && l->tp * l->pp < 4)) continue;
                if (a.world.size >= 4 && (f + dtype + i) % a.world.size) continue; /* in turn */
                check_layout(&a, l, &q, &truth, (f + 2 * dtype + i) % 4 == 0);
                count++;
            }
        }
    if (!a.world.rank) printf("%d ranks: %d layouts have the bits of one rank\n", a.world.size, count);
    return agreed_close(&a);
}
