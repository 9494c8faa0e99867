/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * A slice of a matmul has the bits of the whole: any rows and columns of C in a call of their own, with B packed or
 * not, on any number of threads. With a steady team the caches may differ too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "unit/support/effort.h"
#include "unit/support/gemm_operands.h"

/* Numbers that say what the next case is. */
static int64_t draw(int64_t below) {
    static uint64_t drawn;
    return (int64_t)(base_random_u64(20250107, BASE_STREAM_TEST, drawn++) % (uint64_t)below);
}

static void *element(const void *p, enum kernel_dtype t, int64_t at) {
    return p ? (char *)p + (size_t)at * kernel_dtype_bytes(t) : NULL;
}

/* m rows of a matmul from row i, and n columns from column j. */
static struct kernel_gemm slice_of(const struct kernel_gemm *g, int64_t i, int64_t m, int64_t j, int64_t n) {
    const int64_t at = i * g->ldc + j;
    struct kernel_gemm s = *g;
    s.m = m, s.n = n;
    s.a = element(g->a, g->in, g->a_trans ? i : i * g->lda), s.b = element(g->b, g->in, g->b_trans ? j * g->ldb : j);
    s.bias = element(g->bias, g->in, j), s.d = element(g->d, g->out, at), s.c = element(g->c, g->out, at);
    s.x = element(g->x, g->out, at), s.y = element(g->y, g->out, at);
    return s;
}

/* One call of a slice or the whole, with B packed or not. A steady team's caches vary; others keep L1 and with it KC.
 */
static void slice_run(const struct gemm_variant *v, struct kernel_gemm g, bool steady, bool tiny) {
    const struct kernel_caches caches = {.l1 = steady ? 512 << draw(10) : tiny ? 512 : 0, .l2 = 600 << draw(10)};
    char *packed = draw(3) ? NULL : gemm_packed_new(v, &g, 1);
    if (packed) g.b = packed, g.b_packed = true;
    struct kernel_team team = gemm_team(v, 1 + (int)draw(3), &caches);
    team.steady = steady;
    v->ops.gemm(&team, &g);
    free(packed);
}

/* C is D again before a call that adds to it. */
static void outputs_reset(struct gemm_problem *p) {
    if (p->g.d == p->g.c)
        memcpy(p->c.data, p->d.data, p->c.bytes);
    else
        memset(p->c.data, 0xff, p->c.bytes);
    memset(p->y.data, 0xff, p->y.bytes);
}

/* The whole, and then the same in nine slices, some of them empty. */
static void slices_run(const struct gemm_variant *v, struct gemm_problem *p) {
    const int64_t m = p->g.m, n = p->g.n, i1 = draw(m + 1), j1 = draw(n + 1);
    const int64_t i[] = {0, i1, i1 + draw(m - i1 + 1), m}, j[] = {0, j1, j1 + draw(n - j1 + 1), n};
    const bool steady = draw(2), tiny = draw(2);
    struct gemm_matrix c = p->c, y = p->y;
    c.data = malloc(c.bytes), y.data = malloc(y.bytes);
    assert_true(c.data && y.data);
    outputs_reset(p);
    slice_run(v, p->g, steady, tiny);
    memcpy(c.data, p->c.data, c.bytes), memcpy(y.data, p->y.data, y.bytes);
    outputs_reset(p);
    for (int r = 0; r < 3; r++)
        for (int q = 0; q < 3; q++)
            slice_run(v, slice_of(&p->g, i[r], i[r + 1] - i[r], j[q], j[q + 1] - j[q]), steady, tiny);
    gemm_expect_same(v, p, "C in slices", &p->c, &c);
    gemm_expect_same(v, p, "Y in slices", &p->y, &y);
    free(c.data), free(y.data);
}

static void test_slices(void **state) {
    (void)state;
    for (int v = 0; v < gemm_variant_count; v++) {
        const char *name = gemm_variants[v].name; /* a library promises nothing of the kind */
        if (!strcmp(name, "openblas") || !strcmp(name, "cblas")) continue;
        for (int turn = 0; turn < (effort_emulator() ? 30 : 150); turn++) {
            const bool plain = turn % 5 == 0; /* so plain that sums are -0 where products of tiny numbers vanish */
            const int64_t m = 1 + draw(draw(2) ? 16 : 90), n = 1 + draw(draw(2) ? 40 : 140);
            const int64_t k = plain ? 1 : 1 + draw(turn % 2 ? 1300 : 150);
            struct gemm_problem p = gemm_problem_new(m, n, k, (int)draw(4), (int)draw(3), plain ? 0 : (int)draw(4));
            p.g.c = p.c.data, p.g.x = p.x.data, p.g.y = p.y.data;
            p.g.epilogue = (enum kernel_epilogue)draw(3);
            if (p.g.d && draw(2)) p.g.d = p.g.c;
            slices_run(&gemm_variants[v], &p);
            gemm_problem_free(&p);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_slices)};
    return cmocka_run_group_tests(tests, gemm_setup, NULL);
}
