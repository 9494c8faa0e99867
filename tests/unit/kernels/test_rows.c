/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * GELU, column sums, conversions, copies and triads: every variant against the formulas in FP64 within rounding
 * bounds, with odd sizes, odd alignments and hostile values. Any number of threads gives the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

static const int64_t widths[] = {1, 7, 8, 15, 16, 17, 33, 96, 768};
enum { WIDTHS = sizeof widths / sizeof *widths };

/* gelu(x) = x p and gelu'(x) = p (1 + x (1 - p) 2u') with p the logistic of 2u */
struct gelu_terms {
    double arg, p, slope;
};
static struct gelu_terms gelu_terms(double x) {
    const double s = 2 * sqrt(2 / M_PI), arg = s * (x + 0.044715 * x * x * x);
    return (struct gelu_terms){arg, 1 / (1 + exp(-arg)), s * (1 + 3 * 0.044715 * x * x)};
}

/* The argument's relative error becomes (4 |arg|) roundoffs of e^-arg. If e^-arg overflows, 0 is right. */
struct gelu_bounds {
    double y, y_bound, slope, slope_bound;
};
static struct gelu_bounds gelu_bounds(double x) {
    const struct gelu_terms g = gelu_terms(x);
    const double big = U32 * 4 * fmin(fabs(g.arg), 100), y = isinf(x) ? (x > 0 ? x : 0) : x * g.p;
    const double one = g.p, two = fabs(x) > 20 ? 0 : x * g.p * (1 - g.p) * g.slope;
    return (struct gelu_bounds){.y = y,
                                .y_bound = (big + 8 * U32) * fabs(y) + 0x1p-125 * (1 + fmin(fabs(x), 1e30)),
                                .slope = one + two,
                                .slope_bound = (big + 16 * U32) * (one + fabs(two)) + 0x1p-118};
}

static void gelu_check(const struct variant *v, enum kernel_dtype t, int64_t n, const void *x, const void *dy,
                       const void *y, const void *dx) {
    for (int64_t i = 0; i < n; i++) {
        const double d = scalar_get(t, dy, i);
        const struct gelu_bounds g = gelu_bounds(scalar_get(t, x, i));
        within(v, "gelu", i, scalar_get(t, y, i), g.y, g.y_bound + rounding(t, g.y));
        within(v, "gelu'", i, scalar_get(t, dx, i), d * g.slope, g.slope_bound * fabs(d) + rounding(t, d * g.slope));
    }
}

/* Every BF16 number gives the nearest to something within the bound of FP32. */
static void gelu_of_every_bf16(void **state) {
    (void)state;
    enum { COUNT = 1 << 16 };
    kernel_bf16 *x = guarded_new(KERNEL_BF16, COUNT, 1), *dy = guarded_new(KERNEL_BF16, COUNT, 2);
    kernel_bf16 *y = guarded_new(KERNEL_BF16, COUNT, 3), *dx = guarded_new(KERNEL_BF16, COUNT, 4);
    for (int i = 0; i < COUNT; i++) x[i] = (kernel_bf16)i, dy[i] = scalar_narrow(1);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        if (v.team.threads > 1) continue;
        v.ops.gelu_forward(&v.team, KERNEL_BF16, COUNT, x, y);
        v.ops.gelu_backward(&v.team, KERNEL_BF16, COUNT, x, dy, dx);
        for (int i = 0; i < COUNT; i++) {
            const struct gelu_bounds g = gelu_bounds(scalar_widen(x[i]));
            rounded_within(&v, "gelu", i, y[i], g.y, isinf(g.y) ? 0 : g.y_bound);
            rounded_within(&v, "gelu'", i, dx[i], g.slope, g.slope_bound);
        }
    }
    guarded_free();
}

static void gelu_within_bounds(void **state) {
    (void)state;
    static const float hostile[] = {0.0f,  -0.0f,  1e-45f, -1e-38f, 1e-20f,   -0.7517916f, 5,
                                    -5,    -9.9f,  -10.1f, 12,      -12.5f,   30,          -30,
                                    1e19f, -1e19f, 3e38f,  -3e38f,  INFINITY, -INFINITY,   NAN};
    const int64_t specials = sizeof hostile / sizeof *hostile;
    static const int64_t counts[] = {1, 7, 16, 33, 777, 70001};
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++)
        for (size_t s = 0; s < sizeof counts / sizeof *counts; s++) {
            const int64_t n = counts[s];
            void *x = values_new((enum kernel_dtype)t, n, (int)s, NORMAL, 1);
            for (int64_t i = 0; i < n; i++) {
                const float spread = scalar_get((enum kernel_dtype)t, x, i) * 5;
                scalar_put((enum kernel_dtype)t, x, i, i < specials ? hostile[i] : spread);
            }
            void *dy = values_new((enum kernel_dtype)t, n, 1, NORMAL, 2), *y = guarded_new((enum kernel_dtype)t, n, 2);
            void *dx = guarded_new((enum kernel_dtype)t, n, 3);
            struct variant v;
            struct same same_y = {0}, same_dx = {0};
            const size_t bytes = (size_t)n * kernel_dtype_bytes((enum kernel_dtype)t);
            for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
                v.ops.gelu_forward(&v.team, (enum kernel_dtype)t, n, x, y);
                memcpy(dx, dy, bytes);
                if (v.team.threads == 2)
                    v.ops.gelu_backward(&v.team, (enum kernel_dtype)t, n, x, dy, dx);
                else
                    v.ops.gelu_backward(&v.team, (enum kernel_dtype)t, n, x, dx, dx);
                if (v.team.threads == 1) gelu_check(&v, (enum kernel_dtype)t, n, x, dy, y, dx);
                same_bits(&same_y, &v, y, bytes);
                same_bits(&same_dx, &v, dx, bytes);
            }
            free(same_y.copy), free(same_dx.copy);
            guarded_free();
        }
}

static void column_sums_in_row_order(void **state) {
    (void)state;
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++)
        for (int w = 0; w < WIDTHS; w++) {
            const int64_t rows = 29, cols = widths[w];
            const void *x = values_new((enum kernel_dtype)t, rows * cols, w, MIXED, 1);
            float *sum = guarded_new(KERNEL_F32, cols, w + 1);
            struct variant v;
            for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
                for (int64_t c = 0; c < cols; c++) sum[c] = (float)c;
                v.ops.column_sum(&v.team, (enum kernel_dtype)t, rows, cols, x, sum);
                for (int64_t c = 0; c < cols; c++) {
                    float expected = (float)c;
                    for (int64_t r = 0; r < rows; r++) expected += scalar_get((enum kernel_dtype)t, x, r * cols + c);
                    within(&v, "sum", c, sum[c], expected, 0);
                }
            }
            guarded_free();
        }
}

/* Nearest even by its definition: the nearer of the two neighbours, or the one whose last bit is 0. */
static uint32_t nearest_even(uint32_t u) {
    const uint32_t down = u >> 16, left = u & 0xffff;
    return left > 0x8000 || (left == 0x8000 && down % 2 == 1) ? down + 1 : down;
}

static void bf16_rounds_to_nearest_even(void **state) {
    (void)state;
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    const int64_t n = 65536 * 6;
    float *x = guarded_new(KERNEL_F32, n, 1), *back = guarded_new(KERNEL_F32, n, 3);
    kernel_bf16 *y = guarded_new(KERNEL_BF16, n, 1);
    for (int64_t i = 0; i < n; i++) {
        const uint32_t u = (uint32_t)(i / 6) << 16 | low[i % 6];
        memcpy(x + i, &u, sizeof u);
    }
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        memset(y, 0x55, (size_t)n * sizeof *y);
        v.ops.to_bf16(&v.team, n, x, y);
        v.ops.from_bf16(&v.team, n, y, back);
        for (int64_t i = 0; i < n; i++) {
            uint32_t u, widened;
            memcpy(&u, x + i, sizeof u);
            memcpy(&widened, back + i, sizeof widened);
            assert_int_equal(widened, (uint32_t)y[i] << 16);
            if ((u & 0x7fffffff) > 0x7f800000)
                assert_true((y[i] & 0x7fff) > 0x7f80 && y[i] >> 15 == u >> 31);
            else
                assert_int_equal(y[i], nearest_even(u));
        }
    }
    guarded_free();
}

static void short_and_odd_conversions_stay_inside(void **state) {
    (void)state;
    for (int64_t n = 0; n < 70; n++) {
        const float *x = values_new(KERNEL_F32, n, (int)n % 7, MIXED, 1);
        kernel_bf16 *y = guarded_new(KERNEL_BF16, n, (int)n % 5);
        float *back = guarded_new(KERNEL_F32, n, (int)n % 3);
        struct variant v;
        for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
            memset(y, 0x55, (size_t)n * sizeof *y);
            v.ops.to_bf16(&v.team, n, x, y);
            v.ops.from_bf16(&v.team, n, y, back);
            for (int64_t i = 0; i < n; i++) within(&v, "bf16", i, back[i], scalar_widen(scalar_narrow(x[i])), 0);
            memset(back, 0xff, (size_t)n * sizeof *back);
            v.ops.zero(&v.team, n, back);
            for (int64_t i = 0; i < n; i++) assert_true(back[i] == 0 && !signbit(back[i]));
        }
        guarded_free();
    }
}

/* z = x + s y to one or two roundings, copies exactly; short and odd lengths. */
static void copies_and_triads(void **state) {
    (void)state;
    static const int64_t sizes[] = {0, 1, 7, 63, 64, 1000, 100003};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int64_t n = sizes[k];
        const float *x = values_new(KERNEL_F32, n, (int)k % 5, MIXED, 1), *y = values_new(KERNEL_F32, n, 3, MIXED, 2);
        float *z = guarded_new(KERNEL_F32, n, (int)k % 3);
        struct variant v;
        for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
            memset(z, 0xff, (size_t)n * sizeof *z);
            v.ops.triad(&v.team, n, x, -0.75f, y, z);
            for (int64_t i = 0; i < n; i++) {
                const double sum = (double)x[i] - 0.75 * (double)y[i];
                within(&v, "triad", i, z[i], sum, 0x1p-23 * (fabs((double)x[i]) + fabs((double)y[i])) + 0x1p-149);
            }
            memset(z, 0xff, (size_t)n * sizeof *z);
            v.ops.copy(&v.team, n, x, z);
            assert_memory_equal(z, x, (size_t)n * sizeof *z);
        }
        guarded_free();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_within_bounds),
        cmocka_unit_test(gelu_of_every_bf16),
        cmocka_unit_test(column_sums_in_row_order),
        cmocka_unit_test(bf16_rounds_to_nearest_even),
        cmocka_unit_test(short_and_odd_conversions_stay_inside),
        cmocka_unit_test(copies_and_triads),
    };
    return rows_run_group(tests);
}
