/* SPDX-License-Identifier: Apache-2.0
 *
 * Words: what a lane multiplies at a time. A word is an FP32 number, or with ATTENTION_PAIRS two BF16 numbers that
 * follow each other along the sum. Blocks of words lie in arrays of floats. Needs KERNEL_LANES; all is static. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_WORD_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_WORD_INC_H

#include "attention/attention.h"
#ifdef ATTENTION_PAIRS
#include "dot.inc.h"
enum { WORD = 2 };
#else
#include "simd.inc.h"
enum { WORD = 1 };
#endif

/* Words that hold n numbers. */
SIMD_INLINE int64_t words(int64_t n) {
    return (n + WORD - 1) / WORD;
}

/* Whether row r is in the middle of a word along the rows. */
SIMD_INLINE bool words_split(int64_t r) {
    return r % WORD != 0;
}

/* sum + a . b, where every lane takes the same a. */
#ifdef ATTENTION_PAIRS
typedef vf word_factor;
#else
typedef vf_factor word_factor;
#endif
SIMD_INLINE vf word_dot(vf sum, word_factor a, vf b) {
#ifdef ATTENTION_PAIRS
    return vf_dot_bf16(sum, a, b);
#elif defined(SIMD_NEON)
    __asm__("fmla %0.4s, %2.4s, %1.s[0]" : "+w"(sum) : "w"(a), "w"(b));
    return sum;
#else
    return sum + a * b;
#endif
}

/* One word for every lane. */
SIMD_INLINE word_factor word_all(const float *p) {
#ifdef ATTENTION_PAIRS
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return (vf)(word - (vu){0});
#else
    return vf_factor_of(*p);
#endif
}

/* Stores row r of a block of FP32, and with n = 2 the next one, as words whose numbers follow each other along the
 * rows. Of a pair of which one row is given, the other becomes 0. x: [n] vectors, `step` apart. */
SIMD_INLINE void words_put_rows(const int n, float *block, int64_t row, int64_t r, const vf *x, const int step) {
#ifdef ATTENTION_PAIRS
    const bool upper = n == 1 && r % 2;
    vf_store(block + r / 2 * row, vf_pair_bf16(upper ? vf_all(0) : x[0], n == 2 ? x[step] : upper ? x[0] : vf_all(0)));
#else
    for (int i = 0; i < n; i++) vf_store(block + (r + i) * row, x[i * step]);
#endif
}

/* Which numbers of a row of ATTENTION_PANEL numbers are kept; the others count as 0, whatever they are. */
struct words_kept {
    vu mask;
};
#ifdef ATTENTION_PAIRS
_Static_assert(ATTENTION_PANEL == 2 * KERNEL_LANES, "a row is one vector of pairs");
#endif
SIMD_INLINE struct words_kept words_keep(int64_t n) {
    struct words_kept kept;
    for (int i = 0; i < KERNEL_LANES; i++) kept.mask[i] = 2 * i + 1 < n ? 0xffffffff : 2 * i < n ? 0xffff : 0;
    return kept;
}
/* Stores a row of ATTENTION_PANEL numbers as words whose numbers follow each other along the row. */
SIMD_INLINE void words_put(float *p, const struct words_kept *kept, const vf *x) {
#ifdef ATTENTION_PAIRS
    vf_store(p, (vf)((vu)vf_join_bf16(x[0], x[1]) & kept->mask));
#else
    (void)p, (void)kept, (void)x;
#endif
}

#endif
