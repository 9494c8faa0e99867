/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * With a steady team a sequence has the bits of a call of its own, whatever the number of threads. So has a key/value
 * head with the query heads that read it. Forward and backward, with windows, slopes and grouped heads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

/* One problem; `whole` and `alone` have the outputs of both ways to compute it. */
struct problem {
    struct kernel_attention a;
    int64_t n_q, n_kv, n_lse;
    char *q, *k, *v, *d_o;
    struct outputs {
        char *o, *dq, *dk, *dv;
        float *lse;
    } whole, alone;
};

static struct outputs outputs_new(const struct problem *p, enum kernel_dtype t) {
    return (struct outputs){.o = guarded_new(t, p->n_q, 0),
                            .dq = guarded_new(t, p->n_q, 1),
                            .dk = guarded_new(t, p->n_kv, 2),
                            .dv = guarded_new(t, p->n_kv, 0),
                            .lse = guarded_new(KERNEL_F32, p->n_lse, 0)};
}

static struct problem problem_new(struct kernel_attention a) {
    const int64_t d = a.head_dim;
    a.seq_k = a.seq_q, a.scale = 1 / sqrtf((float)d);
    a.q_head = a.o_head = a.kv_head = d, a.q_row = a.o_row = a.heads * d, a.kv_row = a.kv_heads * d;
    struct problem p = {.a = a, .n_q = a.batch * a.seq_q * a.q_row, .n_kv = a.batch * a.seq_k * a.kv_row};
    p.n_lse = a.batch * a.heads * a.seq_q;
    p.q = values_new(a.dtype, p.n_q, 0, NORMAL, 1), p.k = values_new(a.dtype, p.n_kv, 1, NORMAL, 2);
    p.v = values_new(a.dtype, p.n_kv, 2, NORMAL, 3), p.d_o = values_new(a.dtype, p.n_q, 3, NORMAL, 4);
    p.whole = outputs_new(&p, a.dtype), p.alone = outputs_new(&p, a.dtype);
    return p;
}

/* Sequences from b and key/value heads from h, as many as `a` says. */
static void run(struct kernel_team *team, const struct problem *p, struct kernel_attention a, int64_t b, int64_t h,
                const struct outputs *out, float *lse) {
    const int64_t e = (int64_t)kernel_dtype_bytes(a.dtype), group = p->a.heads / p->a.kv_heads;
    const int64_t q = (b * a.seq_q * a.q_row + h * group * a.q_head) * e;
    const int64_t kv = (b * a.seq_k * a.kv_row + h * a.kv_head) * e;
    a.q = p->q + q, a.k = p->k + kv, a.v = p->v + kv, a.o = out->o + q, a.d_o = p->d_o + q;
    a.dq = out->dq + q, a.dk = out->dk + kv, a.dv = out->dv + kv, a.lse = lse;
    if (a.slopes) a.slopes += h * group;
    team->scratch_bytes = kernel_attention_scratch(team->threads, a.seq_q, a.head_dim);
    team->scratch = guarded_scratch(team->scratch_bytes);
    team->ops->attention_forward(team, &a);
    team->ops->attention_backward(team, &a);
    guarded_release(team->scratch);
}

/* Two key/value heads at a time, then the last one, of each sequence. */
static void run_alone(struct kernel_team *team, const struct problem *p) {
    const int64_t group = p->a.heads / p->a.kv_heads, seq = p->a.seq_q;
    for (int64_t b = 0; b < p->a.batch; b++)
        for (int64_t h = 0; h < p->a.kv_heads; h += 2) {
            struct kernel_attention a = p->a;
            a.batch = 1, a.kv_heads = p->a.kv_heads - h < 2 ? 1 : 2, a.heads = a.kv_heads * group;
            team->threads = 1 + (int)(b + h / 2) % 3;
            run(team, p, a, b, h, &p->alone, p->alone.lse + (b * p->a.heads + h * group) * seq);
        }
}

static void check(const struct kernel_ops *ops, const struct problem *p, const char *what, const void *whole,
                  const void *alone, size_t bytes) {
    const struct kernel_attention *a = &p->a;
    if (memcmp(whole, alone, bytes) != 0)
        fail_msg("%s: %s alone is not that of the whole: heads %lld of %lld, seq %lld, head_dim %lld, window %lld",
                 kernel_variant(ops, "attention_forward"), what, (long long)a->heads, (long long)a->kv_heads,
                 (long long)a->seq_q, (long long)a->head_dim, (long long)a->window);
}

static void problem_run(const struct kernel_ops *ops, struct kernel_attention a) {
    const struct problem p = problem_new(a);
    const size_t e = kernel_dtype_bytes(a.dtype), q = (size_t)p.n_q * e, kv = (size_t)p.n_kv * e;
    struct kernel_team team = {.ops = ops, .threads = 2, .steady = true};
    run(&team, &p, p.a, 0, 0, &p.whole, p.whole.lse);
    run_alone(&team, &p);
    check(ops, &p, "o", p.whole.o, p.alone.o, q);
    check(ops, &p, "lse", p.whole.lse, p.alone.lse, (size_t)p.n_lse * sizeof(float));
    check(ops, &p, "dq", p.whole.dq, p.alone.dq, q);
    check(ops, &p, "dk", p.whole.dk, p.alone.dk, kv);
    check(ops, &p, "dv", p.whole.dv, p.alone.dv, kv);
    guarded_free();
}

static void sequences_and_heads_alone(void **state) {
    (void)state;
    static const float slopes[] = {0.5f, 0.25f, 0.125f, 0.0625f, 0, 0.3f};
    static const struct kernel_attention problems[] = {
        {.batch = 2, .heads = 3, .kv_heads = 3, .seq_q = 131, .head_dim = 16},
        {.batch = 1, .heads = 6, .kv_heads = 3, .seq_q = 331, .head_dim = 40, .window = 75},
        {.batch = 3, .heads = 3, .kv_heads = 1, .seq_q = 97, .head_dim = 64, .slopes = slopes},
        {.batch = 1, .heads = 5, .kv_heads = 5, .seq_q = 260, .head_dim = 128, .window = 33, .slopes = slopes},
        {.batch = 2, .heads = 6, .kv_heads = 3, .seq_q = 64, .head_dim = 80},
    };
    for (int isa = effort_emulator() ? KERNEL_ISA_ref + 1 : KERNEL_ISA_ref; isa < KERNEL_ISA_COUNT; isa++) {
        struct kernel_ops ops;
        if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
        kernel_select(&ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
            for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
                struct kernel_attention a = problems[i];
                a.dtype = (enum kernel_dtype)t;
                problem_run(&ops, a);
            }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sequences_and_heads_alone)};
    lacking_report();
    return cmocka_run_group_tests(tests, skewed, NULL);
}
