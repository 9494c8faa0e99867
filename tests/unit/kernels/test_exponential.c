/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * e^x of cross-entropy (from its FP32 gradients), every variant. Each value is within one ulp. The mean over many
 * arguments is checked too: there roundings cancel, but the error of a polynomial does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/support/rows.h"

/* With max 0, sum 1, scale 1 and the target elsewhere, the gradient is exactly e^x. */
static void exponentials(struct variant *v, enum kernel_dtype t, int64_t n, const float *x, void *y) {
    float max = 0, sum = 1;
    const int32_t target = INT32_MAX;
    const struct kernel_cross_entropy e = {.rows = 1,
                                           .vocab = n,
                                           .ld = n,
                                           .logits = x,
                                           .targets = &target,
                                           .max = &max,
                                           .sum = &sum,
                                           .scale = 1,
                                           .dtype = t,
                                           .dlogits = y};
    v->ops.cross_entropy_grad(&v->team, &e);
}

/* kernels.h promises nothing above 88, since no logit exceeds its maximum. */
static void exponential_check(const struct variant *v, int64_t i, float x, float y) {
    const double exact = exp((double)x);
    if (x > 88) return;
    if (exact < 0x1p-126)
        within(v, "e^x", i, y, exact, 0x1p-126); /* 0 is fine */
    else
        within(v, "e^x", i, y, exact, isnan(exact) ? 0 : 1.02 * ldexp(1, ilogb(exact) - 23));
}

/* Bit patterns at a prime stride, then all of them around the limits: of normal numbers, of nonzero results, and of
 * the domain. */
static void exponential_to_one_ulp(void **state) {
    (void)state;
    enum { COUNT = 1 << 16, ENDS = 3 };
    static const float ends[ENDS] = {-87.336545f, -87.683118f, 88};
    float *x = guarded_new(KERNEL_F32, COUNT, 0), *y = guarded_new(KERNEL_F32, COUNT, 0);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        if (v.team.threads > 1) continue;
        for (uint64_t pattern = 0; pattern < 1ull << 32; pattern += 1499ull * COUNT) {
            for (uint64_t i = 0; i < COUNT; i++) {
                const uint32_t u = (uint32_t)(pattern + 1499 * i);
                memcpy(x + i, &u, sizeof u);
            }
            exponentials(&v, KERNEL_F32, COUNT, x, y);
            for (int64_t i = 0; i < COUNT; i++) exponential_check(&v, i, x[i], y[i]);
        }
        for (int end = 0; end < ENDS; end++) {
            for (int64_t i = 0; i < COUNT; i++) x[i] = ends[end] + 0x1p-17f * (float)(i - COUNT / 2);
            exponentials(&v, KERNEL_F32, COUNT, x, y);
            for (int64_t i = 0; i < COUNT; i++) exponential_check(&v, i, x[i], y[i]);
        }
    }
    guarded_free();
}

/* The nearest BF16 to something within the bound of exp.inc.h; below -87.7 also 0. */
static void exponential_to_bf16(void **state) {
    (void)state;
    enum { COUNT = 1 << 16 };
    float *x = guarded_new(KERNEL_F32, COUNT, 0);
    kernel_bf16 *y = guarded_new(KERNEL_BF16, COUNT, 0);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        for (int round = 0; round < 20 && v.team.threads == 1; round++) {
            for (int64_t i = 0; i < COUNT; i++) x[i] = -100 * (float)(i * 20 + round) / (COUNT * 20);
            if (round == 0) x[1] = NAN, x[2] = -INFINITY, x[3] = -3e38f, x[4] = -1e-40f;
            exponentials(&v, KERNEL_BF16, COUNT, x, y);
            for (int64_t i = 0; i < COUNT; i++) {
                const double exact = exp((double)x[i]), lost = x[i] < -87 ? 0x1p-126 : 0;
                rounded_within(&v, "e^x", i, y[i], exact, cheaper_exp(KERNEL_BF16, x[i]) * exact + lost);
            }
        }
    }
    guarded_free();
}

/* Roundings cancel in the mean over many arguments; the error of a polynomial does not. The mean is taken over
 * ranges of the reduced argument. It must remain below 3e-9 (see exp.inc.h) plus what 100,000 roundings leave. */
static void exponential_without_bias(void **state) {
    (void)state;
    enum { COUNT = 1 << 16, ROUNDS = 50, PARTS = 32 };
    float *x = guarded_new(KERNEL_F32, COUNT, 0), *y = guarded_new(KERNEL_F32, COUNT, 0);
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        double error[PARTS] = {0}, count[PARTS] = {0};
        for (int round = 0; round < ROUNDS && v.team.threads == 1; round++) {
            for (int64_t i = 0; i < COUNT; i++)
                x[i] = (float)((((double)i + (double)round / ROUNDS) / COUNT - 0.5 + round % 5 - 2) * M_LN2);
            exponentials(&v, KERNEL_F32, COUNT, x, y);
            for (int64_t i = 0; i < COUNT; i++) {
                const double exact = exp((double)x[i]), part = (double)x[i] / M_LN2;
                const int at = (int)fmin(PARTS - 1, (part - rint(part) + 0.5) * PARTS);
                error[at] += (y[i] - exact) / exact, count[at]++;
            }
        }
        for (int i = 0; i < PARTS && v.team.threads == 1; i++)
            within(&v, "mean error of e^x", i, error[i] / count[i], 0, 4e-9);
    }
    guarded_free();
}

/* The same for the sums of exponentials, which may use another e^x. Each row has logits of 0, one for each lane's
 * maximum, and others of -x. The mean is within the four roundoffs that exp.inc.h allows a single value. */
static void sums_without_bias(void **state) {
    (void)state;
    enum { ROWS = 1 << 12, LANES = 16, VOCAB = 3 * LANES, ROUNDS = 20, PARTS = 32 };
    float *x = guarded_new(KERNEL_F32, ROWS * VOCAB, 0), *results[3];
    int32_t *targets = guarded_new(KERNEL_F32, ROWS, 0);
    for (int i = 0; i < 3; i++) results[i] = guarded_new(KERNEL_F32, ROWS, 0);
    for (int r = 0; r < ROWS; r++) targets[r] = 0;
    const struct kernel_cross_entropy e = {.rows = ROWS,
                                           .vocab = VOCAB,
                                           .ld = VOCAB,
                                           .logits = x,
                                           .targets = targets,
                                           .max = results[0],
                                           .sum = results[1],
                                           .target_logit = results[2]};
    struct variant v;
    for (variant_first(&v); variant_valid(&v); variant_next(&v)) {
        double error[PARTS] = {0}, count[PARTS] = {0};
        for (int round = 0; round < ROUNDS && v.team.threads == 1; round++) {
            for (int i = 0; i < ROWS * VOCAB; i++)
                x[i] = i % VOCAB >= LANES ? (float)(-(i / VOCAB + (double)round / ROUNDS) / ROWS * M_LN2) : 0;
            v.ops.cross_entropy_stats(&v.team, &e);
            for (int r = 0; r < ROWS; r++) {
                const double exact = exp((double)x[r * VOCAB + LANES]) * (VOCAB - LANES);
                const int at = r * PARTS / ROWS;
                error[at] += ((double)e.sum[r] - LANES - exact) / exact, count[at]++;
            }
        }
        for (int i = 0; i < PARTS && v.team.threads == 1; i++)
            within(&v, "mean error of sums", i, error[i] / count[i], 0, 4 * U32);
    }
    guarded_free();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponential_to_one_ulp),
        cmocka_unit_test(exponential_to_bf16),
        cmocka_unit_test(exponential_without_bias),
        cmocka_unit_test(sums_without_bias),
    };
    return rows_run_group(tests);
}
