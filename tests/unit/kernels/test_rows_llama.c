/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * SwiGLU and rotary: every variant against the formulas in FP64 within rounding bounds, with odd sizes, odd alignments
 * and hostile values. Any number of threads gives the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

/* Where e^-z exceeds FP32's range the logistic is 0, and silu errs by 90 e^-88 at most. Far below that it is 0. */
static double silu_underflow(double gate) {
    return gate < -200 ? 0 : gate < -87 ? 0x1p-120 : 0x1p-149;
}

/* A bound that is infinite together with its result would pass everything. Then only the same infinity passes. */
static double sane(double bound) {
    return isfinite(bound) ? bound : 0;
}

/* The exponential, the sum, the quotient and the products each add a few roundoffs of their term. `tiny` is a factor
 * that is lost below the normal numbers. A weight's gradient is a sum in at least 16 parts. */
static void swiglu_check_row(const struct variant *v, const struct kernel_swiglu *s, int64_t r) {
    const enum kernel_dtype t = s->dtype;
    const double w = s->weights ? s->weights[r] : 1;
    double sum = 0, bound = 0;
    for (int64_t c = 0; c < s->cols; c++) {
        const int64_t i = r * s->cols + c, at = i + r * s->cols;
        const double gate = scalar_get(t, s->x, at), value = scalar_get(t, s->x, at + s->cols);
        const double dy = scalar_get(t, s->dy, i), d = dy * w;
        const double z = fmax(-1000, fmin(1000, gate)), p = isnan(gate) ? gate : 1 / (1 + exp(-z));
        const double silu = gate == -INFINITY ? 0 : gate * p, slope = p * (1 + z * (1 - p)), y = silu * value * w;
        const double size = fabs(d * value) * p * (1 + fabs(z) * (1 - p));
        const double power = cheaper_exp(t, gate), lost = silu_underflow(gate),
                     tiny = 0x1p-149 * (1 + fabs(d) + fabs(value)), tinier = s->weights ? 0x1p-149 * (1 + fabs(w)) : 0;
        within(v, "swiglu", i, scalar_get(t, s->y, i), y,
               sane((7 * U32 + power) * fabs(y) + lost * fabs(value * w) + tinier + rounding(t, y)));
        within(v, "dgate", i, scalar_get(t, s->dx, at), d * value * slope,
               sane((11 * U32 + power) * size + lost * fabs(d * value) + tiny + rounding(t, d * value * slope)));
        within(v, "dvalue", i, scalar_get(t, s->dx, at + s->cols), d * silu,
               sane((7 * U32 + power) * fabs(d * silu) + lost * fabs(d) + tinier * (1 + fabs(silu)) +
                    rounding(t, d * silu)));
        sum += dy * silu * value;
        bound += (8 * U32 + power) * fabs(dy * silu * value) + lost * fabs(dy * value) + 0x1p-149 * (1 + fabs(dy)) +
                 (double)(8 + s->cols / 16) * U32 * fabs(dy * silu * value);
    }
    if (s->weights) within(v, "dweight", r, s->dweights[r], sum, sane(bound + rounding(KERNEL_F32, sum)));
}
static void swiglu_check(const struct variant *v, const struct kernel_swiglu *s) {
    for (int64_t r = 0; r < s->rows; r++) swiglu_check_row(v, s, r);
}

/* Every gate in BF16, with 1 for the value and for dy, gives the nearest to something within the bound of FP32. */
static void swiglu_of_every_bf16(void **state) {
    (void)state;
    enum { COUNT = 1 << 16 };
    kernel_bf16 *x = guarded_new(KERNEL_BF16, 2 * COUNT, 1), *dx = guarded_new(KERNEL_BF16, 2 * COUNT, 2);
    kernel_bf16 *dy = guarded_new(KERNEL_BF16, COUNT, 3), *y = guarded_new(KERNEL_BF16, COUNT, 4);
    for (int i = 0; i < COUNT; i++) x[i] = (kernel_bf16)i, x[COUNT + i] = dy[i] = scalar_narrow(1);
    const struct kernel_swiglu s = {.rows = 1, .cols = COUNT, .dtype = KERNEL_BF16, .x = x, .y = y, .dy = dy, .dx = dx};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        if (v.team.threads > 1) continue;
        v.ops.swiglu_forward(&v.team, &s);
        v.ops.swiglu_backward(&v.team, &s);
        for (int i = 0; i < COUNT; i++) {
            const double gate = scalar_widen(x[i]), z = fmax(-1000, fmin(1000, gate));
            const double p = isnan(gate) ? gate : 1 / (1 + exp(-z)), silu = gate == -INFINITY ? 0 : gate * p;
            const double power = 10 * U32 + cheaper_exp(KERNEL_BF16, gate), lost = silu_underflow(gate);
            const double bound = isinf(silu) ? 0 : power * fabs(silu) + lost;
            rounded_within(&v, "swiglu", i, y[i], silu, bound);
            rounded_within(&v, "dvalue", i, dx[COUNT + i], silu, bound);
            rounded_within(&v, "dgate", i, dx[i], p * (1 + z * (1 - p)), power * p * (1 + fabs(z) * (1 - p)) + lost);
        }
    }
    guarded_free();
}

/* Gate and value. Infinities and NaN appear exactly where the formula's limit has them. */
static const float hostile[][2] = {
    {0.0f, 1},      {-0.0f, 1},      {1e-45f, 1},   {-1e-38f, 2},    {-1.2784645f, 1}, {20, 3},    {-20, 3},
    {-86, 1e30f},   {-88, 1},        {-89, 1},      {-120, 5},       {88.5f, -2},      {89, -2},   {-1e19f, 1},
    {1e19f, 1},     {-3e38f, 1e30f}, {3e38f, 0.5f}, {INFINITY, 2},   {INFINITY, -2},   {NAN, 1},   {1, NAN},
    {-INFINITY, 1}, {-INFINITY, -3}, {1, INFINITY}, {-2, -INFINITY}, {0, INFINITY},    {2, 1e38f}, {INFINITY, 0},
};
enum { HOSTILE = sizeof hostile / sizeof *hostile };

static void swiglu_case(enum kernel_dtype t, int64_t rows, int64_t cols, enum temper temper, bool weighted) {
    const int64_t n = rows * cols;
    void *x = values_new(t, 2 * n, (int)(cols % 5), temper, 1), *dy = values_new(t, n, 3, NORMAL, 2);
    for (int64_t i = 0; i < HOSTILE && i < n && temper == NORMAL; i++) {
        const int64_t at = i / cols * 2 * cols + i % cols;
        scalar_put(t, x, at, hostile[i][0]);
        scalar_put(t, x, at + cols, hostile[i][1]);
        scalar_put(t, dy, i, i % 2 ? 0.75f : -0.5f);
    }
    void *y = guarded_new(t, n, 1), *dx = guarded_new(t, 2 * n, 2);
    struct kernel_swiglu s = {.rows = rows, .cols = cols, .dtype = t, .x = x, .y = y, .dy = dy, .dx = dx};
    if (weighted) s.weights = values_new(KERNEL_F32, rows, 1, NORMAL, 3), s.dweights = guarded_new(KERNEL_F32, rows, 2);
    const size_t bytes = (size_t)n * kernel_dtype_bytes(t), weights = weighted ? (size_t)rows * sizeof *s.dweights : 0;
    struct variant v;
    struct same same_y = {0}, same_dx = {0}, same_dweights = {0};
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        memset(y, 0xff, bytes), memset(dx, 0xff, 2 * bytes);
        if (weighted) memset(s.dweights, 0xff, weights);
        v.ops.swiglu_forward(&v.team, &s);
        v.ops.swiglu_backward(&v.team, &s);
        if (v.team.threads == 1) swiglu_check(&v, &s);
        same_bits(&same_y, &v, y, bytes);
        same_bits(&same_dx, &v, dx, 2 * bytes);
        if (weighted) same_bits(&same_dweights, &v, s.dweights, weights);
    }
    free(same_y.copy), free(same_dx.copy), free(same_dweights.copy);
    guarded_free();
}

static void swiglu_cases(bool weighted) {
    static const int64_t widths[] = {1, 7, 8, 15, 16, 17, 33, 96, 768};
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        swiglu_case((enum kernel_dtype)t, 0, 5, NORMAL, weighted);
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            swiglu_case((enum kernel_dtype)t, 29, widths[w], NORMAL, weighted);
        for (int temper = 0; temper < TEMPERS; temper++)
            swiglu_case((enum kernel_dtype)t, 5, 100, (enum temper)temper, weighted);
    }
}
static void swiglu_within_bounds(void **state) {
    (void)state;
    swiglu_cases(false);
}
static void swiglu_with_weights_within_bounds(void **state) {
    (void)state;
    swiglu_cases(true);
}

/* One plane rotated in FP64: roundings of the products and the sum, then of the result. */
static void rotary_check(const struct variant *v, const struct kernel_rotary *k, const void *before) {
    const int64_t half = k->head_dim / 2;
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t i = 0; i < k->heads * half; i++) {
            const int64_t first = r * k->row + i / half * k->head + i % half, angle = r % k->seq * half + i % half;
            const double c = k->cos[angle], s = k->inverse ? -(double)k->sin[angle] : k->sin[angle];
            const double x1 = scalar_get(k->dtype, before, first), x2 = scalar_get(k->dtype, before, first + half);
            const double y1 = x1 * c - x2 * s, y2 = x2 * c + x1 * s;
            within(v, "turned", first, scalar_get(k->dtype, k->x, first), y1,
                   sane(U32 * (fabs(x1 * c) + fabs(x2 * s)) + 0x1p-148 + rounding(k->dtype, y1)));
            within(v, "turned", first + half, scalar_get(k->dtype, k->x, first + half), y2,
                   sane(U32 * (fabs(x2 * c) + fabs(x1 * s)) + 0x1p-148 + rounding(k->dtype, y2)));
        }
}

/* There and back: roundings of two rotations, of the table (cos^2 + sin^2 is not quite 1) and of the values between,
 * all relative to the length in the plane. */
static void rotary_back_check(const struct variant *v, const struct kernel_rotary *k, const void *before) {
    const int64_t half = k->head_dim / 2;
    for (int64_t r = 0; r < k->rows; r++)
        for (int64_t i = 0; i < k->heads * half; i++) {
            const int64_t first = r * k->row + i / half * k->head + i % half;
            const double x[2] = {scalar_get(k->dtype, before, first), scalar_get(k->dtype, before, first + half)};
            const double length = hypot(x[0], x[1]),
                         bound = 10 * U32 * length + 2 * rounding(k->dtype, length) + 0x1p-147;
            for (int j = 0; j < 2 && isfinite(length); j++)
                within(v, "back", first + j * half, scalar_get(k->dtype, k->x, first + j * half), x[j], bound);
        }
}

/* Gaps between rows and heads keep their bits. */
static void rotary_gaps_check(const struct kernel_rotary *k, int64_t n, const void *before) {
    const size_t size = kernel_dtype_bytes(k->dtype);
    for (int64_t i = 0; i < n; i++) {
        const int64_t in_row = i % k->row;
        if (in_row < k->heads * k->head && in_row % k->head < k->head_dim) continue;
        assert_memory_equal((const char *)k->x + (size_t)i * size, (const char *)before + (size_t)i * size, size);
    }
}

static void rotary_case(enum kernel_dtype t, int64_t head_dim, int gap, enum temper temper) {
    struct kernel_rotary k = {
        .rows = 13, .seq = 5, .heads = 3, .head_dim = head_dim, .head = head_dim + gap, .dtype = t};
    k.row = k.heads * k.head + 2 * gap;
    const int64_t n = k.rows * k.row, angles = k.seq * head_dim / 2;
    float *cosines = guarded_new(KERNEL_F32, angles, 1), *sines = guarded_new(KERNEL_F32, angles, 3);
    for (int64_t i = 0; i < angles; i++) cosines[i] = (float)cos((double)i), sines[i] = (float)sin((double)i);
    k.cos = cosines, k.sin = sines;
    void *before = values_new(t, n, 0, temper, 1);
    const size_t bytes = (size_t)n * kernel_dtype_bytes(t);
    k.x = guarded_new(t, n, (int)(head_dim % 5));
    if (temper == MIXED) scalar_put(t, before, k.row, NAN), scalar_put(t, before, 2 * k.row, -INFINITY);
    struct variant v;
    struct same turned = {0}, back = {0};
    for (variant_first(&v); variant_valid(&v); variant_next(&v))
        for (int inverse = 0; inverse < 2; inverse++) {
            memcpy(k.x, before, bytes);
            k.inverse = inverse;
            v.ops.rotary(&v.team, &k);
            rotary_check(&v, &k, before);
            if (!inverse) same_bits(&turned, &v, k.x, bytes);
            k.inverse = !inverse;
            v.ops.rotary(&v.team, &k);
            rotary_back_check(&v, &k, before);
            rotary_gaps_check(&k, n, before);
            if (!inverse) same_bits(&back, &v, k.x, bytes);
        }
    free(turned.copy), free(back.copy);
    guarded_free();
}

static void rotary_within_bounds(void **state) {
    (void)state;
    static const int64_t dims[] = {2, 6, 14, 16, 18, 30, 32, 34, 64, 66, 80, 128};
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        for (size_t d = 0; d < sizeof dims / sizeof *dims; d++)
            for (int gap = 0; gap < 4; gap += 3) rotary_case((enum kernel_dtype)t, dims[d], gap, NORMAL);
        for (int temper = 0; temper < TEMPERS; temper++) rotary_case((enum kernel_dtype)t, 38, 1, (enum temper)temper);
    }
}

/* Only the calling thread polls, during the call. */
static void count_poll(void *context) {
    ++*(int *)context;
}
static void long_calls_poll(void **state) {
    (void)state;
    enum { ROWS = 64, COLS = 2048, N = ROWS * COLS };
    static float x[2 * N], y[2 * N], cosines[COLS / 2], sines[COLS / 2];
    struct kernel_rotary k = {.rows = ROWS, .seq = 1, .heads = 1, .head_dim = COLS, .row = COLS, .head = COLS};
    k.cos = cosines, k.sin = sines, k.x = y;
    const struct kernel_swiglu s = {.rows = ROWS, .cols = COLS, .x = x, .y = y, .dy = x, .dx = y};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        int polls[3] = {0};
        v.team.poll = count_poll;
        v.team.poll_context = &polls[0];
        v.ops.rotary(&v.team, &k);
        v.team.poll_context = &polls[1];
        v.ops.swiglu_forward(&v.team, &s);
        v.team.poll_context = &polls[2];
        v.ops.swiglu_backward(&v.team, &s);
        for (int i = 0; i < 3; i++) assert_in_range(polls[i], 2, ROWS);
        v.team.poll = NULL;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swiglu_within_bounds), cmocka_unit_test(swiglu_with_weights_within_bounds),
        cmocka_unit_test(swiglu_of_every_bf16), cmocka_unit_test(rotary_within_bounds),
        cmocka_unit_test(long_calls_poll),
    };
    return rows_run_group(tests);
}
