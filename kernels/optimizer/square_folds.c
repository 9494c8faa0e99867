/* SPDX-License-Identifier: Apache-2.0
 *
 * The sum of squares that has the same bits in any order. Adding a unit, 1.5 * 2^e, to a number and subtracting it
 * again rounds the number to a multiple of 2^(e - 52). The rest is exact, and goes to the next fold. */
#include <math.h>
#include <string.h>

#include "split.h"

/* Both x86-64 and Arm have vectors of this size in every set. */
enum { LANES = 2, WAYS = 2, STEP = LANES * WAYS };
typedef double pair __attribute__((vector_size(8 * LANES)));

static int32_t largest_block(int64_t n, const float *x) {
    typedef int32_t word __attribute__((may_alias));
    const word *bits = (const word *)x;
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++) {
        const int32_t size = bits[i] & INT32_MAX; /* ordered as |x| is, and a NaN is above infinity */
        most = size > most ? size : most;
    }
    return most;
}

float kernel_largest(const struct kernel_team *team, int64_t n, const float *x) {
    int32_t most = 0;
    float largest;
#pragma omp parallel num_threads(team->threads) reduction(max : most)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b)) {
            const int32_t block = largest_block(b.end - b.begin, x + b.begin);
            most = block > most ? block : most;
        }
    }
    memcpy(&largest, &most, sizeof largest);
    return largest;
}

/* What fold f splits is at most 2^s. Its parts are multiples of g = 2^(s + b - 53) and no larger than 2^s, so sums of
 * 2^b of them are at most 2^53 g, and exact. With b >= 2 the unit keeps its exponent. g / 2 bounds the next fold. */
void kernel_fold_units(float largest, int64_t total, double unit[KERNEL_FOLDS]) {
    const bool usual = largest > 0 && largest < INFINITY;
    int s = 0, b = 2;
    if (usual) frexp((double)largest * largest, &s);
    while (b < 53 && (int64_t)1 << b < total) b++;
    for (int f = 0; f < KERNEL_FOLDS; f++, s += b - 54) unit[f] = usual ? ldexp(1.5, s + b - 1) : (double)largest * 0;
}

static inline void fold(pair x, const double unit[KERNEL_FOLDS], pair sum[KERNEL_FOLDS]) {
    pair rest = x * x; /* exact, so a compiler may fuse what follows */
    for (int f = 0; f < KERNEL_FOLDS; f++) {
        const pair part = (rest + unit[f]) - unit[f];
        sum[f] += part;
        rest -= part;
    }
}

/* Every addition of parts is exact, so theirs is any order that is fast. */
static void square_folds_block(int64_t n, const float *x, const double unit[KERNEL_FOLDS], double sum[KERNEL_FOLDS]) {
    const double at[KERNEL_FOLDS] = {unit[0], unit[1], unit[2]};
    pair s[WAYS][KERNEL_FOLDS] = {{{0}}};
    int64_t i = 0;
    for (; i + STEP <= n; i += STEP)
        for (int w = 0; w < WAYS; w++) fold((pair){x[i + LANES * w], x[i + LANES * w + 1]}, at, s[w]);
    for (; i < n; i++) fold((pair){x[i]}, at, s[0]);
    for (int f = 0; f < KERNEL_FOLDS; f++)
        for (int w = 0; w < WAYS; w++) sum[f] += s[w][f][0] + s[w][f][1];
}

void kernel_square_folds(const struct kernel_team *team, int64_t n, const float *x, const double unit[KERNEL_FOLDS],
                         double sum[KERNEL_FOLDS]) {
    double all[KERNEL_FOLDS] = {0};
#pragma omp parallel num_threads(team->threads) reduction(+ : all)
    {
        const struct kernel_range s = kernel_share(n, 64);
        for (struct kernel_range b = kernel_block_first(s); b.begin < s.end; b = kernel_block_next(team, s, b))
            square_folds_block(b.end - b.begin, x + b.begin, unit, all);
    }
    for (int f = 0; f < KERNEL_FOLDS; f++) sum[f] += all[f];
}
