/* SPDX-License-Identifier: Apache-2.0
 *
 * The MR x NR micro-tile: GEMM_MR rows by GEMM_NV vectors of accumulators in registers, from a panel of A and one of B,
 * packed or in place. Needs tile_dot(), sum + a . b for one word per lane; the default is FMA. */
#ifndef TOISE_KERNELS_GEMM_TILE_INC_H
#define TOISE_KERNELS_GEMM_TILE_INC_H

#include "simd.inc.h"

enum { GEMM_NR = GEMM_NV * KERNEL_LANES, GEMM_TILE = GEMM_MR * GEMM_NR };

/* Words or floats, whichever the memory was written as. */
typedef uint32_t tile_word __attribute__((may_alias));
typedef float tile_float __attribute__((may_alias));

#ifdef GEMM_PAIRS
typedef vf tile_factor;
SIMD_INLINE tile_factor tile_broadcast(const tile_word *word) {
    return (vf)(*word - (vu){0});
}
#else
typedef vf_factor tile_factor;
SIMD_INLINE tile_factor tile_broadcast(const tile_word *word) {
    return vf_factor_of(*(const tile_float *)word);
}
/* sum += a * b. It is volatile assembly because of gcc 12: it moves the sums to other registers from step to step of
 * an unrolled loop, runs out and spills. That is 10% slower. */
SIMD_INLINE vf tile_dot(vf sum, tile_factor a, vf b) {
#ifdef SIMD_AVX512
    __asm__ volatile("vfmadd231ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
#elif defined(SIMD_AVX2)
    __asm__ volatile("vfmadd231ps %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
#elif defined(SIMD_NEON)
    __asm__ volatile("fmla %0.4s, %2.4s, %1.s[0]" : "+w"(sum) : "w"(a), "w"(b));
#else
    sum = vf_fma(a, b, sum);
#endif
    return sum;
}
#endif

/* What a tile reads. Word p of row i of A is a[p / LANES * group + p % LANES * step + i * row]; word p of B's
 * columns is at b + p * b_step. Every LANES words, a line of each stretch is prefetched into L2 for later. */
struct tile_operands {
    const tile_word *a, *b;
    int64_t row, step, group, b_step;
    struct tile_prefetch {
        const char *at;
        int64_t step; /* bytes; 0: none */
    } prefetch[2];
};

/* One word along k; row i of A is at a + i * a_row. */
SIMD_INLINE void tile_step(int rows, vf sum[GEMM_MR][GEMM_NV], const tile_word *a, int64_t a_row, const tile_word *b) {
    vf column[GEMM_NV];
    SIMD_UNROLL(4)
    for (int v = 0; v < GEMM_NV; v++) column[v] = *(const vf_any *)(b + v * KERNEL_LANES);
    SIMD_UNROLL(16)
    for (int i = 0; i < rows; i++) {
        const tile_factor x = tile_broadcast(a + i * a_row);
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++) sum[i][v] = tile_dot(sum[i][v], x, column[v]);
    }
}

/* All loads of C come before the first store. With rows a multiple of 4 KiB apart, each store would otherwise seem to
 * alias the next load. */
SIMD_INLINE void tile_add(int rows, vf sum[GEMM_MR][GEMM_NV], const float *x, int64_t ld) {
    SIMD_UNROLL(16)
    for (int i = 0; i < rows; i++) {
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++) sum[i][v] += vf_load(x + i * ld + v * KERNEL_LANES);
    }
}

/* out = (sum + bias) + base, in the order of epilogue_part. base may be NULL or out; bias may be NULL. Both matrices
 * have leading dimension ld. */
SIMD_INLINE void tile_end(int rows, vf sum[GEMM_MR][GEMM_NV], const float *base, const float *bias, float *out,
                          int64_t ld) {
    if (bias) tile_add(rows, sum, bias, 0);
    if (base) tile_add(rows, sum, base, ld);
    SIMD_UNROLL(16)
    for (int i = 0; i < rows; i++) {
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++) vf_store(out + i * ld + v * KERNEL_LANES, sum[i][v]);
    }
}

/* Prefetches a row of a tile (`bytes` long) into L1; it may be beyond the end of a matrix. */
SIMD_INLINE void tile_fetch(uintptr_t row, int64_t bytes) {
    __builtin_prefetch((const void *)row);
    __builtin_prefetch((const void *)(row + (uintptr_t)bytes - 1));
}

/* out = (A B + bias) + base over `words` words along k, for the first `rows` rows, with the given strides. Strides that
 * are not constants are added step by step, because unrolling would need a register for each. */
SIMD_INLINE void tile_multiply(int rows, int64_t words, const struct tile_operands *x, bool constants, int64_t row,
                               int64_t step, int64_t group, int64_t b_step, const float *base, const float *bias,
                               float *out, int64_t ld) {
    const tile_word *a = x->a, *b = x->b;
    struct tile_prefetch p0 = x->prefetch[0], p1 = x->prefetch[1];
    vf sum[GEMM_MR][GEMM_NV] = {{{0}}};
    /* C arrives while the sums are computed: a row a group of words. All at once would delay the tile's own loads. */
    int fetched = 0;
    if (base && base != out) {
        SIMD_UNROLL(16)
        for (int i = 0; i < rows; i++) tile_fetch((uintptr_t)(base + i * ld), GEMM_NR * 4);
    }
    for (; constants && words >= KERNEL_LANES;
         words -= KERNEL_LANES, a += group, b += KERNEL_LANES * b_step, p0.at += p0.step, p1.at += p1.step) {
        __builtin_prefetch(p0.at, 0, 2);
        __builtin_prefetch(p1.at, 0, 2);
        if (fetched < rows) tile_fetch((uintptr_t)(out + fetched++ * ld), GEMM_NR * 4);
        SIMD_UNROLL(8)
        for (int p = 0; p < KERNEL_LANES; p++) tile_step(rows, sum, a + p * step, row, b + p * b_step);
    }
    for (; words > 0; words -= KERNEL_LANES, a += group - KERNEL_LANES * step) {
        const int64_t some = words < KERNEL_LANES ? words : KERNEL_LANES;
        for (int64_t p = 0; p < some; p++, a += step, b += b_step) tile_step(rows, sum, a, row, b);
    }
    tile_end(rows, sum, base, bias, out, ld);
}

typedef void tile_fn(int64_t words, const struct tile_operands *x, const float *base, const float *bias, float *out,
                     int64_t ld);

/* A tile of C's last rows computes a third or two thirds of MR, if that is enough. Its rows are those of a whole tile,
 * bit for bit. */
enum { TILE_THIRD = (GEMM_MR + 2) / 3, TILE_TWO_THIRDS = (2 * GEMM_MR + 2) / 3, TILE_HEIGHTS = 3 };
SIMD_INLINE int tile_height(int64_t rows) {
    return rows <= TILE_THIRD ? 0 : rows <= TILE_TWO_THIRDS ? 1 : 2;
}

/* Both packed: A [words][MR] (strided) or [words / LANES][MR][LANES] (contiguous), B [words][NR]. In place: one or
 * both. Held: the sums are already at B, [MR][NR]. */
SIMD_INLINE void tile_packed_by_k(int rows, int64_t words, const struct tile_operands *x, const float *base,
                                  const float *bias, float *out, int64_t ld) {
    tile_multiply(rows, words, x, true, 1, GEMM_MR, GEMM_MR * KERNEL_LANES, GEMM_NR, base, bias, out, ld);
}
SIMD_INLINE void tile_packed_by_row(int rows, int64_t words, const struct tile_operands *x, const float *base,
                                    const float *bias, float *out, int64_t ld) {
    tile_multiply(rows, words, x, true, KERNEL_LANES, 1, GEMM_MR * KERNEL_LANES, GEMM_NR, base, bias, out, ld);
}
SIMD_INLINE void tile_not_packed(int rows, int64_t words, const struct tile_operands *x, const float *base,
                                 const float *bias, float *out, int64_t ld) {
    if (x->step == 1)
        tile_multiply(rows, words, x, false, x->row, 1, x->group, x->b_step, base, bias, out, ld);
    else
        tile_multiply(rows, words, x, false, 1, x->step, x->group, x->b_step, base, bias, out, ld);
}
SIMD_INLINE void tile_summed(int rows, int64_t words, const struct tile_operands *x, const float *base,
                             const float *bias, float *out, int64_t ld) {
    const float *held = (const float *)(const void *)x->b;
    vf sum[GEMM_MR][GEMM_NV];
    (void)words;
    SIMD_UNROLL(16)
    for (int i = 0; i < rows; i++) {
        SIMD_UNROLL(4)
        for (int v = 0; v < GEMM_NV; v++) sum[i][v] = vf_load(held + i * GEMM_NR + v * KERNEL_LANES);
    }
    tile_end(rows, sum, base, bias, out, ld);
}

#define TILE(name, body, rows)                                                                                         \
    static __attribute__((noinline)) void name##_##rows(                                                               \
        int64_t words, const struct tile_operands *x, const float *base, const float *bias, float *out, int64_t ld) {  \
        body(rows, words, x, base, bias, out, ld);                                                                     \
    }
#define TILES(name, body)                                                                                              \
    TILE(name, body, TILE_THIRD)                                                                                       \
    TILE(name, body, TILE_TWO_THIRDS)                                                                                  \
    TILE(name, body, GEMM_MR)                                                                                          \
    static tile_fn *const name[TILE_HEIGHTS] = {name##_TILE_THIRD, name##_TILE_TWO_THIRDS, name##_GEMM_MR};
TILES(tile_by_k, tile_packed_by_k)
TILES(tile_by_row, tile_packed_by_row)
TILES(tile_in_place, tile_not_packed)
TILES(tile_held, tile_summed)
#undef TILES
#undef TILE

#endif
