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

/* Where row i is in q and dq, o, lse. The heads of a token are contiguous. */
struct place {
    int64_t q, o, lse;
};
static struct place place_of(const struct kernel_attention *a, int64_t i) {
    int64_t t = i / a->heads, h = i % a->heads;
    return (struct place){attention64_q(a, 0, t, h), attention64_o(a, 0, t, h), h * a->seq_q + t};
}

static void split_keys(const struct kernel_attention *a, int64_t cut, struct kernel_attention parts[2]) {
    parts[0] = parts[1] = *a;
    parts[0].seq_k = cut, parts[1].seq_k -= cut, parts[1].k_offset += cut;
    parts[1].k = (const float *)a->k + cut * a->kv_row, parts[1].dk = (float *)a->dk + cut * a->kv_row;
    parts[1].v = (const float *)a->v + cut * a->kv_row, parts[1].dv = (float *)a->dv + cut * a->kv_row;
}

/* Merges o of the parts by lse into `merged`, with the layout of o. A query that sees nothing in a part takes no
 * share of it. */
static void merge_forward(struct operands *s, const struct kernel_ops *ops, const struct kernel_attention parts[2],
                          float *merged) {
    const int64_t rows = s->a.seq_q * s->a.heads, d = s->a.head_dim;
    for (int p = 0; p < 2; p++) {
        variants_run(ops, ops->attention_forward, &parts[p], 2);
        for (int64_t i = 0; i < rows; i++) {
            struct place at = place_of(&s->a, i);
            double lse = (double)s->a.lse[at.lse], share = isinf(lse) ? 0 : exp(lse - s->x.lse[at.lse]);
            for (int64_t c = at.o; c < at.o + d; c++)
                merged[c] = (float)share * ((const float *)s->a.o)[c] + (p ? merged[c] : 0);
        }
    }
    /* a part's share has the error of its lse, and no value exceeds 1 */
    for (int64_t i = 0; i < rows; i++) {
        struct place at = place_of(&s->a, i);
        for (int64_t c = at.o; c < at.o + d; c++) s->x.o_error[c] += 4 * s->x.lse_error[at.lse];
    }
}

/* Keys in two parts: o is merged by lse. With o and lse of the whole, dk and dv are the parts' and dq is the sum. */
static void check_parts(const struct kernel_ops *ops, const struct problem *problem, int64_t cut) {
    struct operands s;
    struct kernel_attention parts[2];
    operands_make(&s, problem);
    const int64_t rows = s.a.seq_q * s.a.heads, d = s.a.head_dim;
    float *merged = operands_take(&s, (size_t)s.n_o * sizeof *merged);
    float *dq = operands_take(&s, (size_t)s.n_in * sizeof *dq);
    split_keys(&s.a, cut, parts);
    merge_forward(&s, ops, parts, merged);
    variants_check("merged o", ops, KERNEL_F32, merged, s.n_o, s.x.o, s.x.o_error);
    operands_store_forward(&s);
    attention64_backward(&s.a, &s.x);
    for (int p = 0; p < 2; p++) {
        variants_run(ops, ops->attention_backward, &parts[p], 2);
        for (int64_t i = 0; i < rows; i++)
            for (int64_t c = place_of(&s.a, i).q, end = c + d; c < end; c++)
                dq[c] = ((const float *)s.a.dq)[c] + (p ? dq[c] : 0);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t c = place_of(&s.a, i).q, end = c + d; c < end; c++) ((float *)s.a.dq)[c] = dq[c];
    variants_check("gradient by parts", ops, KERNEL_F32, s.grad, s.n_in, s.grad64, s.grad_error);
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
    for (int i = 0; i < 7 * variants_count; i++)
        for (int64_t cut = 1; cut < 70; cut += 64) check_parts(&variants[i / 7], &cases[i % 7], cut);
}

static double gate(const struct kernel_ops *ops, const struct kernel_attention *a, double *space) {
    return fmax(check_attention_forward(ops, a, 3, space), check_attention_backward(ops, a, 3, space));
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
            assert_true(check_attention_forward(&variants[v], &s.a, 3, space) > 1);
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
