/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * LayerNorm and RMSNorm: every variant against the formulas in FP64 within rounding bounds, with odd sizes, odd
 * alignments and hostile values. Any number of threads gives the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

/* The longest chain of additions in a row sum, with at least eight lanes. */
static double chain(int64_t cols) {
    return (double)cols / 8 + 16;
}

/* Mean, variance and sums of one row in FP64. RMSNorm's mean is 0. */
static void row_moments(const struct kernel_norm *l, int64_t r, double *mean, double *var, double *magnitude) {
    *mean = *var = *magnitude = 0;
    for (int64_t c = 0; c < l->cols; c++) {
        if (l->mean) *mean += scalar_get(l->dtype, l->x, r * l->cols + c) / (double)l->cols;
        *magnitude += fabs((double)scalar_get(l->dtype, l->x, r * l->cols + c)) / (double)l->cols;
    }
    for (int64_t c = 0; c < l->cols; c++)
        *var += pow(scalar_get(l->dtype, l->x, r * l->cols + c) - *mean, 2) / (double)l->cols;
}

/* An error D of the mean shifts every x - mean by D and the variance by D^2. */
static void norm_forward_check(const struct variant *v, const struct kernel_norm *l) {
    for (int64_t r = 0; r < l->rows; r++) {
        double mean, var, magnitude;
        row_moments(l, r, &mean, &var, &magnitude);
        const double rstd = 1 / sqrt(var + l->eps), k = chain(l->cols);
        const double d_mean = (l->mean ? k * U32 * magnitude : 0) + 0x1p-149;
        const double relative = k * U32 + d_mean * d_mean / (var + l->eps);
        if (l->mean) within(v, "mean", r, l->mean[r], mean, d_mean);
        within(v, "rstd", r, l->rstd[r], rstd, relative * rstd);
        for (int64_t c = 0; c < l->cols; c++) {
            const double gain = scalar_get(l->dtype, l->gain, c), bias = l->bias ? scalar_get(l->dtype, l->bias, c) : 0;
            const double d = scalar_get(l->dtype, l->x, r * l->cols + c) - mean, y = d * rstd * gain + bias;
            const double bound = rstd * fabs(gain) * (d_mean + (relative + 4 * U32) * fabs(d)) + U32 * fabs(bias);
            within(v, "y", r * l->cols + c, scalar_get(l->dtype, l->y, r * l->cols + c), y,
                   bound + rounding(l->dtype, y));
        }
    }
}

static double kept_mean(const struct kernel_norm *l, int64_t r) {
    return l->mean ? l->mean[r] : 0;
}

/* mean and rstd are inputs of backward, so they are exact here. */
static void norm_input_check(const struct variant *v, const struct kernel_norm *l, const void *add) {
    const enum kernel_dtype t = l->dtype;
    const double k = chain(l->cols), n = (double)l->cols;
    for (int64_t r = 0; r < l->rows; r++) {
        double g_mean = 0, g_size = 0, gh_mean = 0, gh_size = 0;
        for (int64_t pass = 0, c = 0; pass < 2 * l->cols; pass++, c = pass % l->cols) {
            const int64_t i = r * l->cols + c;
            const double g = (double)scalar_get(t, l->dy, i) * scalar_get(t, l->gain, c);
            const double h = (scalar_get(t, l->x, i) - kept_mean(l, r)) * l->rstd[r];
            if (pass < l->cols) {
                if (l->mean) g_mean += g / n;
                g_size += fabs(g) / n;
                gh_mean += g * h / n;
                gh_size += fabs(g * h) / n;
                continue;
            }
            const double extra = add ? scalar_get(t, add, i) : 0, dx = l->rstd[r] * (g - g_mean - h * gh_mean) + extra;
            const double terms = 4 * fabs(g) + k * g_size + fabs(h) * k * gh_size;
            within(v, "dx", i, scalar_get(t, l->dx, i), dx, U32 * (l->rstd[r] * terms + fabs(extra)) + rounding(t, dx));
        }
    }
}

static void norm_params_check(const struct variant *v, const struct kernel_norm *l, float start) {
    for (int64_t c = 0; c < l->cols; c++) {
        double gain = start, gain_size = fabs(start);
        float bias = start; /* additions in row order: the same bits */
        for (int64_t r = 0; r < l->rows; r++) {
            const double h = (scalar_get(l->dtype, l->x, r * l->cols + c) - kept_mean(l, r)) * l->rstd[r];
            const float dy = scalar_get(l->dtype, l->dy, r * l->cols + c);
            gain += dy * h;
            gain_size += fabs(dy * h);
            bias += dy;
        }
        within(v, "dgain", c, l->dgain[c], gain, (double)(l->rows + 4) * U32 * gain_size + 0x1p-140);
        if (l->dbias) within(v, "dbias", c, l->dbias[c], bias, 0);
    }
}

struct norm_kind {
    bool mean, bias;
};
static void norm_case(struct norm_kind kind, enum kernel_dtype t, int64_t rows, int64_t cols, enum temper temper,
                      bool add) {
    const int64_t n = rows * cols;
    const int skew = (int)(cols % 5);
    struct kernel_norm l = {.rows = rows, .cols = cols, .dtype = t, .eps = 1e-5f};
    l.x = values_new(t, n, skew, temper, 1);
    l.gain = values_new(t, cols, 1, OFFSET, 2);
    l.bias = kind.bias ? values_new(t, cols, 2, NORMAL, 3) : NULL;
    l.dy = values_new(t, n, 3, NORMAL, 4);
    const void *add_values = add ? values_new(t, n, 0, NORMAL, 5) : NULL;
    l.y = guarded_new(t, n, skew + 1);
    l.dx = guarded_new(t, n, skew + 2);
    l.mean = kind.mean ? guarded_new(KERNEL_F32, rows, 1) : NULL;
    l.rstd = guarded_new(KERNEL_F32, rows, 2);
    l.dgain = guarded_new(KERNEL_F32, cols, 1);
    l.dbias = kind.bias ? guarded_new(KERNEL_F32, cols, 3) : NULL;
    struct variant v;
    struct same y = {0}, dx = {0}, dgain = {0};
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        v.ops.norm_forward(&v.team, &l);
        if (v.team.threads == 1) norm_forward_check(&v, &l);
        if (add) memcpy(l.dx, add_values, (size_t)n * kernel_dtype_bytes(t)); /* in place, as residuals are added */
        l.dx_add = add ? l.dx : NULL;
        v.ops.norm_grad_input(&v.team, &l);
        if (v.team.threads == 1) norm_input_check(&v, &l, add_values);
        for (int64_t c = 0; c < cols; c++) l.dgain[c] = 0.5f;
        for (int64_t c = 0; c < cols && l.dbias; c++) l.dbias[c] = 0.5f;
        v.ops.norm_grad_params(&v.team, &l);
        if (v.team.threads == 1) norm_params_check(&v, &l, 0.5f);
        same_bits(&y, &v, l.y, (size_t)n * kernel_dtype_bytes(t));
        same_bits(&dx, &v, l.dx, (size_t)n * kernel_dtype_bytes(t));
        same_bits(&dgain, &v, l.dgain, (size_t)cols * sizeof(float));
    }
    free(y.copy), free(dx.copy), free(dgain.copy);
    guarded_free();
}

static void norm_kind_within_bounds(struct norm_kind kind) {
    static const int64_t widths[] = {1, 7, 8, 15, 16, 17, 33, 96, 768};
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        for (int w = 0; w < (int)(sizeof widths / sizeof *widths); w++)
            norm_case(kind, (enum kernel_dtype)t, 13, widths[w], NORMAL, w % 2);
        for (int temper = 0; temper < TEMPERS; temper++)
            norm_case(kind, (enum kernel_dtype)t, 5, 100, (enum temper)temper, true);
    }
}

static void layernorm_within_bounds(void **state) {
    (void)state;
    norm_kind_within_bounds((struct norm_kind){.mean = true, .bias = true});
    norm_kind_within_bounds((struct norm_kind){.mean = true, .bias = false});
}

static void rmsnorm_within_bounds(void **state) {
    (void)state;
    norm_kind_within_bounds((struct norm_kind){.mean = false, .bias = false});
    norm_kind_within_bounds((struct norm_kind){.mean = false, .bias = true});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layernorm_within_bounds),
        cmocka_unit_test(rmsnorm_within_bounds),
    };
    return rows_run_group(tests);
}
