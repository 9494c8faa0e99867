/* SPDX-License-Identifier: Apache-2.0
 *
 * The sum of squares by folds: the same bits on any number of threads, in any order and in any shares, and within its
 * bound of the exact sum, which is an integer here. The numbers fill each fold to its limit, where one bit less in a
 * unit would round. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

__extension__ typedef unsigned __int128 wide;

/* n integers times 2^exponent. LEVEL + f: one large number, and others that fill fold f for 2^20 addends. */
enum kind { INTEGERS, OUTLIER, DENORMALS, HUGE_NUMBERS, LEVEL, KINDS = LEVEL + KERNEL_FOLDS };
enum { LEVEL_BITS = 20, MOST = 3000001, SHARES = 61 };
struct numbers {
    int64_t n;
    int exponent;
    float *x;
};

static uint64_t draw(uint64_t below) {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

static void numbers_fill(struct numbers *s, enum kind kind) {
    static const int exponents[KINDS] = {0, 0, -149, 100};
    s->exponent = exponents[kind];
    s->n = kind == INTEGERS ? MOST : kind >= LEVEL ? 1 << LEVEL_BITS : 100003;
    for (int64_t i = 0; i < s->n && kind < LEVEL; i++)
        s->x[i] = ldexpf((float)draw(1 << 20) - 0x1p19f, s->exponent) * (draw(8) ? 1 : 0);
    if (kind == OUTLIER) s->x[s->n / 3] = -1e10f * 0x1p19f;
    if (kind < LEVEL) return;
    /* the fold splits what is at most 2^120 and then 2^34 smaller, thrice; 2^48 where 2^20 of the largest would not fit
     */
    const int f = (int)kind - (int)LEVEL, largest = f ? 60 : 24;
    s->x[0] = nextafterf(ldexpf(1, largest), 0);
    for (int64_t i = 1; i < s->n; i++) s->x[i] = ldexpf(0x1p24f - 1 - (float)draw(1 << 17), largest - 24 - 17 * f);
}

static void folds(const struct numbers *s, int threads, double sum[KERNEL_FOLDS]) {
    const struct kernel_team team = {.threads = threads};
    double unit[KERNEL_FOLDS];
    for (int f = 0; f < KERNEL_FOLDS; f++) sum[f] = 0;
    kernel_fold_units(kernel_largest(&team, s->n, s->x), s->n, unit);
    kernel_square_folds(&team, s->n, s->x, unit, sum);
}

static void expect_same(enum kind kind, const char *what, const double *got, const double *want) {
    if (memcmp(got, want, KERNEL_FOLDS * sizeof *got) != 0)
        fail_msg("kind %d, %s: %a %a %a instead of %a %a %a", kind, what, got[0], got[1], got[2], want[0], want[1],
                 want[2]);
}

/* Shares of uneven sizes, some of them empty, added one after the other from any place on. */
static void shares_check(const struct numbers *s, enum kind kind, const double *want) {
    const struct kernel_team team = {.threads = 2};
    double unit[KERNEL_FOLDS];
    int64_t begin[SHARES + 1] = {0};
    for (int i = 1; i < SHARES; i++) begin[i] = begin[i - 1] + (int64_t)draw((uint64_t)(2 * s->n / SHARES));
    for (int i = 0; i < SHARES; i++) begin[i] = begin[i] < s->n ? begin[i] : s->n;
    begin[SHARES] = s->n;
    kernel_fold_units(kernel_largest(&team, s->n, s->x), s->n, unit);
    for (int first = 0; first < SHARES; first += 12) {
        double sum[KERNEL_FOLDS] = {0};
        for (int i = 0; i < SHARES; i++) {
            const int64_t *share = begin + (first + i) % SHARES;
            kernel_square_folds(&team, share[1] - share[0], s->x + share[0], unit, sum);
        }
        expect_same(kind, "shares", sum, want);
    }
}

static void exact_check(const struct numbers *s, enum kind kind, const double sum[KERNEL_FOLDS]) {
    wide exact = 0;
    int64_t most = 0;
    int b = 2;
    for (int64_t i = 0; i < s->n; i++) {
        const int64_t x = llabs((int64_t)ldexp((double)s->x[i], -s->exponent));
        exact += (wide)x * (wide)x;
        most = x > most ? x : most;
    }
    while ((int64_t)1 << b < s->n) b++;
    const long double got = ldexpl((long double)((sum[0] + sum[1]) + sum[2]), -2 * s->exponent);
    const long double bound =
        (long double)exact * 0x1.01p-52L + ldexpl((long double)most * (long double)most, 4 * b - 161);
    if (fabsl(got - (long double)exact) > bound)
        fail_msg("kind %d: %La instead of %La, bound %La", kind, got, (long double)exact, bound);
}

static void any_order_gives_the_same_bits(void **state) {
    (void)state;
    struct numbers s = {.x = malloc(MOST * sizeof(float))};
    assert_non_null(s.x);
    for (int k = 0; k < KINDS; k++) {
        const enum kind kind = (enum kind)k;
        double want[KERNEL_FOLDS], sum[KERNEL_FOLDS];
        numbers_fill(&s, kind);
        folds(&s, 1, want);
        exact_check(&s, kind, want);
        for (int threads = 2; threads <= 5; threads++) {
            folds(&s, threads, sum);
            expect_same(kind, "threads", sum, want);
        }
        shares_check(&s, kind, want);
        for (int64_t i = s.n - 1; i > 0; i--) { /* shuffled (Fisher & Yates 1938) */
            const int64_t j = (int64_t)draw((uint64_t)i + 1);
            const float x = s.x[i];
            s.x[i] = s.x[j], s.x[j] = x;
        }
        folds(&s, 2, sum);
        expect_same(kind, "shuffled", sum, want);
        shares_check(&s, kind, want);
    }
    free(s.x);
}

static void largest_wherever_it_is(void **state) {
    (void)state;
    static const float sizes[] = {-3, 2, 1e-45f, -FLT_MAX, INFINITY, -INFINITY};
    enum { COUNT = 70 };
    float x[COUNT] = {0};
    struct kernel_team team = {.threads = 1};
    assert_true(kernel_largest(&team, 0, x) == 0 && kernel_largest(&team, COUNT, x) == 0);
    for (int i = 0; i < COUNT; i++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            team.threads = 1 + (int)s % 3;
            memset(x, 0, sizeof x);
            x[(i + 1) % COUNT] = -1e-45f;
            x[i] = sizes[s];
            assert_true(kernel_largest(&team, COUNT, x) == fabsf(sizes[s]));
            x[i] = s % 2 ? NAN : -NAN;
            assert_true(isnan(kernel_largest(&team, COUNT, x)));
        }
}

/* Zeros, few numbers, and what is not finite. */
static void special_sums(void **state) {
    (void)state;
    const struct kernel_team team = {.threads = 2};
    float x[5] = {0, -0.0f, 0, 0, 0};
    struct numbers s = {5, 0, x};
    double sum[KERNEL_FOLDS], unit[KERNEL_FOLDS];
    folds(&s, 2, sum);
    assert_true(sum[0] == 0 && sum[1] == 0 && sum[2] == 0);
    for (s.n = 1; s.n <= 5; s.n++) {
        x[s.n - 1] = (float)s.n;
        folds(&s, 1, sum);
        assert_true((sum[0] + sum[1]) + sum[2] == (double)(s.n * (s.n + 1) * (2 * s.n + 1) / 6));
    }
    for (int i = 0; i < 3; i++) {
        kernel_fold_units(i == 0 ? INFINITY : i == 1 ? NAN : -NAN, 5, unit);
        for (int f = 0; f < KERNEL_FOLDS; f++) sum[f] = 0;
        kernel_square_folds(&team, 5, x, unit, sum);
        assert_true(isnan((sum[0] + sum[1]) + sum[2]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_order_gives_the_same_bits),
                                       cmocka_unit_test(largest_wherever_it_is), cmocka_unit_test(special_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
