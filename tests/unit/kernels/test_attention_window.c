/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Attention with a window and with ALiBi slopes against FP64, every variant that this host can run: windows at the
 * edges of panels and blocks, grouped heads, offsets and ragged sequences. A window that holds everything changes no
 * bit. Parts of the keys can be merged. The gate distinguishes each from a call without it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "attention/attention.h"
#include "check/attention.h"
#include "unit/support/attention_variants.h"

static void test_windows(void **state) {
    enum { PANEL = ATTENTION_PANEL, BLOCK = ATTENTION_BLOCK, SEQ = 2 * BLOCK + PANEL + 9 };
    static const int64_t windows[12] = {1,         2,     7,         PANEL - 1,     PANEL,         PANEL + 1,
                                        BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + PANEL, 2 * BLOCK + 1, SEQ + 1};
    static const int64_t heads[][2] = {{2, 2}, {4, 2}, {3, 1}};
    (void)state;
    for (int i = 0, turn = 0; i < 12; i++)
        for (int alibi = 0; alibi < 2; alibi++, turn++) {
            const int64_t *h = heads[(turn + turn / 3) % 3]; /* each of them in every layout */
            variants_turn((struct problem){1, h[0], h[1], SEQ, SEQ, 24, .window = windows[i], .alibi = alibi}, turn);
        }
}

/* Groups of panels: sequences at the edges of a group of four, and windows. There are enough heads for one thread to
 * take groups of four, and few enough for more threads to take smaller ones and share a head. */
static void test_groups(void **state) {
    enum { GROUP = ATTENTION_GROUP_PANELS * ATTENTION_PANEL };
    static const int64_t seqs[] = {GROUP - 1, GROUP, GROUP + 1, GROUP + ATTENTION_PANEL + 1, 2 * GROUP + 1};
    static const int64_t windows[] = {0, 3, ATTENTION_BLOCK + 1, GROUP, GROUP + 1};
    static const int64_t heads[][2] = {{4, 1}, {6, 3}, {2, 1}};
    (void)state;
    for (int i = 0, turn = 0; i < 5; i++)
        for (int j = 0; j < 5; j++, turn++) {
            const int64_t *h = heads[turn % 3];
            variants_turn((struct problem){1, h[0], h[1], seqs[i], seqs[i], 9, .window = windows[j]}, turn + turn / 6);
        }
}

/* For 2 sequences. A token's heads are separate, fused, or interleaved as in BLOOM. */
static void test_alibi(void **state) {
    static const int64_t heads[][2] = {{1, 1}, {3, 3}, {4, 2}, {6, 2}, {5, 1}}, seqs[] = {1, 33, 65, 130};
    (void)state;
    for (int i = 0, turn = 0; i < 4; i++)
        for (int j = 0; j < 5; j++, turn++) {
            const int64_t *h = heads[j];
            variants_turn((struct problem){2, h[0], h[1], seqs[i], seqs[i], 17, .alibi = true}, turn);
        }
    for (int turn = 0; turn < 3; turn++) {
        variants_turn((struct problem){1, 2, 2, 97, 97, 64, .fill = HUGE_SCORES, .alibi = true, .window = 40}, turn);
        variants_turn((struct problem){1, 2, 2, 45, 45, 7, .fill = EQUAL, .alibi = true, .window = 5}, turn);
    }
}

static void test_offsets(void **state) {
    static const struct problem cases[] = {
        {1, 2, 1, 40, 100, 24, .q_offset = 60, .window = 33},                  /* the last queries of a sequence */
        {1, 3, 3, 70, 70, 16, .q_offset = 100, .window = 90},                  /* the last queries see none */
        {2, 4, 2, 100, 50, 20, .k_offset = 37, .window = 9},                   /* first and last queries see none */
        {1, 2, 2, 70, 70, 16, .q_offset = 1000, .window = 100},                /* no query sees any */
        {1, 1, 1, 100, 30, 20, .q_offset = -50, .k_offset = -20, .window = 3}, /* negative positions */
        {1, 2, 2, 50, 200, 64, .q_offset = 70, .k_offset = 7, .window = 31},   /* unseen keys on both sides */
        {1, 3, 1, 1, 300, 80, .q_offset = 299, .window = 65},                  /* one query */
        {1, 6, 2, 65, 1, 33, .q_offset = 100000000000, .k_offset = 99999999970, .window = 50},
        {1, 4, 2, 33, 65, 8, .q_offset = 40000000}, /* too far for an exact distance */
    };
    (void)state;
    for (int i = 0; i < 9; i++)
        for (int alibi = 0; alibi < 2; alibi++) {
            struct problem p = cases[i];
            p.alibi = alibi;
            variants_turn(p, i + 3 * alibi);
        }
}

/* A window that holds every key, or slopes of 0, change no bit. */
static void test_no_change(void **state) {
    static const float flat[4] = {0};
    static const int64_t windows[] = {135, 136, INT64_MAX};
    struct operands s, same;
    (void)state;
    operands_make(&s, &(struct problem){1, 4, 2, 130, 130, 24, .layout = FUSED, .q_offset = 5});
    operands_make(&same, &(struct problem){1, 4, 2, 130, 130, 24, .layout = FUSED, .q_offset = 5});
    for (int i = 0; i < 3 * variants_count; i++) {
        same.a.window = windows[i % 3], same.a.slopes = i % 2 ? flat : NULL;
        variants_forward(&s, &variants[i / 3], 2), variants_forward(&same, &variants[i / 3], 2);
        variants_backward(&s, &variants[i / 3], 2), variants_backward(&same, &variants[i / 3], 2);
        assert_memory_equal(s.o, same.o, (size_t)s.n_o * 4);
        assert_memory_equal(s.a.lse, same.a.lse, (size_t)s.n_lse * 4);
        assert_memory_equal(s.grad, same.grad, (size_t)s.n_in * 4);
    }
    operands_free(&s);
    operands_free(&same);
}

/* The keys in two parts, whose results join in FP32. */
static void split_keys(const struct kernel_attention *a, int64_t cut, struct kernel_attention parts[2]) {
    const size_t key = (size_t)(cut * a->kv_row) * kernel_dtype_bytes(a->dtype);
    parts[0] = parts[1] = *a;
    parts[0].seq_k = cut, parts[1].seq_k -= cut, parts[1].k_offset += cut;
    parts[1].k = (const char *)a->k + key, parts[1].dk = (float *)a->dk + cut * a->kv_row;
    parts[1].v = (const char *)a->v + key, parts[1].dv = (float *)a->dv + cut * a->kv_row;
}

/* Zeros where rows of one operand are; gaps stay poisoned. */
static void clear_rows(const struct kernel_attention *a, float *x, int64_t seq, int64_t heads,
                       int64_t index(const struct kernel_attention *, int64_t, int64_t, int64_t)) {
    for (int64_t row = 0; row < seq * heads; row++)
        memset(x + index(a, 0, row / heads, row % heads), 0, (size_t)a->head_dim * sizeof *x);
}

/* The gate passes what joined, and fails it against other earlier results. */
static void check_gate_of_part(double check(const struct kernel_ops *, const struct kernel_attention *, uint64_t,
                                            const double *, double *),
                               const struct kernel_ops *ops, const struct kernel_attention *a, double *before,
                               double *space) {
    const double right = check(ops, a, 5, before, space);
    for (int64_t i = 0; i < CHECK_ATTENTION_ROWS * (a->head_dim + 1); i++)
        before[i] = isinf(before[i]) ? 0 : before[i] + 0.25;
    const double wrong = check(ops, a, 5, before, space);
    if (right > 1 || wrong <= 1)
        fail_msg("%s: residual %g, with other earlier results %g", kernel_variant(ops, "attention_forward"), right,
                 wrong);
}

/* o and lse are merged. With o and lse of the whole, gradients add up. */
static void check_parts(const struct kernel_ops *ops, const struct problem *problem, int64_t cut) {
    struct operands s;
    struct kernel_attention parts[2];
    operands_make(&s, problem);
    struct kernel_attention *a = &s.a;
    const bool pairs = kernel_attention_weights(ops, problem->dtype) == KERNEL_BF16;
    float *o = operands_take(&s, (size_t)s.n_o * sizeof *o), *grad = operands_take(&s, (size_t)s.n_in * sizeof *grad);
    double *space = operands_take(&s, (size_t)(2 * 131 + 8 * 40) * sizeof *space), before[CHECK_ATTENTION_ROWS * 41];
    double *o_error = pairs ? s.x.o_pairs : s.x.o_error;
    a->add = true, a->o = o, a->dq = grad, a->dk = grad + s.at_k, a->dv = grad + s.at_v;
    for (int64_t i = 0; i < s.n_lse; i++) a->lse[i] = -INFINITY;
    split_keys(a, cut, parts);
    for (int p = 0; p < 2; p++) {
        check_attention_before(&parts[p], false, 5, before);
        variants_run(ops, ops->attention_forward, &parts[p], 2);
        check_gate_of_part(check_attention_forward, ops, &parts[p], before, space);
    }
    /* a part's share has the error of its lse, and no value exceeds 1 */
    for (int64_t i = 0; i < s.n_lse * a->head_dim; i++) {
        const int64_t row = i / a->head_dim, h = row / a->seq_q, t = row % a->seq_q;
        o_error[attention64_o(a, 0, t, h) + i % a->head_dim] += 4 * s.x.lse_error[row];
    }
    variants_check("merged o", ops, KERNEL_F32, o, s.n_o, s.x.o, o_error);
    variants_check("merged lse", ops, KERNEL_F32, a->lse, s.n_lse, s.x.lse, s.x.lse_error);
    operands_store_forward(&s);
    attention64_backward(a, &s.x);
    clear_rows(a, a->dq, a->seq_q, a->heads, attention64_q);
    clear_rows(a, a->dk, a->seq_k, a->kv_heads, attention64_kv);
    clear_rows(a, a->dv, a->seq_k, a->kv_heads, attention64_kv);
    for (int p = 0; p < 4; p++) { /* twice each, so that all add to something */
        parts[p % 2].o = s.o;
        check_attention_before(&parts[p % 2], true, 5, before);
        variants_run(ops, ops->attention_backward, &parts[p % 2], 2);
        check_gate_of_part(check_attention_backward, ops, &parts[p % 2], before, space);
    }
    double *grad_error = pairs ? s.grad_pairs : s.grad_error;
    for (int64_t i = 0; i < s.n_in; i++) s.grad64[i] *= 2, grad_error[i] *= 2;
    variants_check("gradient by parts", ops, KERNEL_F32, grad, s.n_in, s.grad64, grad_error);
    operands_free(&s);
}
static void test_parts(void **state) {
    static const struct problem cases[] = {
        {1, 4, 2, 130, 130, 40, .layout = FUSED},
        {1, 4, 2, 130, 130, 40, .layout = FUSED, .alibi = true},
        {1, 4, 2, 130, 130, 40, .layout = FUSED, .window = 64},
        {1, 2, 2, 130, 130, 17, .layout = INTERLEAVED, .window = 31, .alibi = true},
        {1, 3, 1, 40, 131, 40, .q_offset = 90, .window = 20},                /* the first part is not seen */
        {1, 3, 1, 40, 131, 40, .q_offset = 7, .k_offset = 7, .alibi = true}, /* the second part is not seen */
        {1, 4, 2, 90, 70, 24, .q_offset = 30, .window = 20, .alibi = true},  /* the last queries see neither part */
    };
    (void)state;
    for (int i = 0; i < 7 * KERNEL_DTYPE_COUNT * variants_count; i++) {
        struct problem p = cases[i % 7];
        p.dtype = (enum kernel_dtype)(i / 7 % KERNEL_DTYPE_COUNT);
        for (int64_t cut = 1; cut < 70; cut += 64) check_parts(&variants[i / 7 / KERNEL_DTYPE_COUNT], &p, cut);
    }
}

static double gate(const struct kernel_ops *ops, const struct kernel_attention *a, double *space) {
    return fmax(check_attention_forward(ops, a, 3, NULL, space), check_attention_backward(ops, a, 3, NULL, space));
}
/* The gate passes what ran as asked, and fails what ran with another window or other slopes. */
static void check_gate(enum kernel_dtype dtype) {
    struct operands s;
    struct problem p = {1, 4, 2, 130, 130, 24, .layout = FUSED, .window = 9, .alibi = true, .dtype = dtype};
    operands_make(&s, &p);
    double *space = operands_take(&s, (size_t)(2 * 130 + 8 * 24) * sizeof *space);
    const float *slopes = s.a.slopes, turned[] = {slopes[1], slopes[0], slopes[3], slopes[2]};
    for (int v = 0; v < variants_count; v++) {
        struct kernel_attention wrong = s.a;
        variants_forward(&s, &variants[v], 2);
        variants_backward(&s, &variants[v], 2);
        assert_true(gate(&variants[v], &s.a, space) <= 1);
        for (wrong.window = 8; wrong.window <= 10; wrong.window += 2)
            assert_true(gate(&variants[v], &wrong, space) > 1);
        wrong.window = 0;
        assert_true(gate(&variants[v], &wrong, space) > 1);
        wrong = s.a, wrong.slopes = NULL;
        assert_true(gate(&variants[v], &wrong, space) > 1);
        wrong.slopes = turned;
        assert_true(gate(&variants[v], &wrong, space) > 1);
    }
    operands_free(&s);
}
static void test_gate(void **state) {
    (void)state;
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) check_gate((enum kernel_dtype)dtype);
}

/* Saturated scores, 10^4 to 10^8, whose rounding changes a weight by a factor or entirely. What ran passes; what no
 * rounding could give fails. */
static void test_gate_saturated(void **state) {
    struct operands s;
    (void)state;
    operands_make(&s, &(struct problem){1, 4, 2, 130, 130, 24, .layout = FUSED, .fill = HUGE_SCORES});
    double *space = operands_take(&s, (size_t)(2 * 130 + 8 * 24) * sizeof *space);
    const float scale = s.a.scale;
    for (int v = 0; v < variants_count; v++)
        for (float factor = 1; factor < 2e4f; factor *= 10) {
            s.a.scale = scale * factor;
            variants_forward(&s, &variants[v], 2);
            variants_backward(&s, &variants[v], 2);
            assert_true(gate(&variants[v], &s.a, space) <= 1);
            for (int64_t i = 0; i < s.n_o; i++) ((float *)s.o)[i] *= -100;
            assert_true(check_attention_forward(&variants[v], &s.a, 3, NULL, space) > 1);
        }
    operands_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows), cmocka_unit_test(test_groups),         cmocka_unit_test(test_alibi),
        cmocka_unit_test(test_offsets), cmocka_unit_test(test_no_change),      cmocka_unit_test(test_parts),
        cmocka_unit_test(test_gate),    cmocka_unit_test(test_gate_saturated),
    };
    return cmocka_run_group_tests(tests, variants_setup, NULL);
}
