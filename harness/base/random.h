/* SPDX-License-Identifier: Apache-2.0
 *
 * Counter-based random numbers: Philox4x32-10 (Salmon et al., SC'11). A value is a function of (seed, stream, index),
 * so it does not depend on ranks, threads or order. */
#ifndef TOISE_BASE_RANDOM_H
#define TOISE_BASE_RANDOM_H

#include <stdint.h>

/* Four 32-bit words for the counter (stream, index) and the key `seed`. */
void base_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);
/* A uniform 64-bit word, and a uniform double in [0, 1) with 53 bits. */
uint64_t base_random_u64(uint64_t seed, uint64_t stream, uint64_t index);
double base_random_unit(uint64_t seed, uint64_t stream, uint64_t index);
/* Writes standard normal numbers first .. first+count-1 of a stream (Box-Muller) to out. */
void base_random_normal(uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, float *out);

/* All streams in use, so that no two overlap. */
#define BASE_STREAM_DATA (UINT64_C(1) << 32) /* + sample */
#define BASE_STREAM_INIT (UINT64_C(2) << 32) /* + tensor */
#define BASE_STREAM_GATE (UINT64_C(3) << 32)
#define BASE_STREAM_STATS (UINT64_C(4) << 32)
#define BASE_STREAM_TEST (UINT64_C(5) << 32)
#define BASE_STREAM_FLEET (UINT64_C(6) << 32)
#define BASE_STREAM_SWEEP (UINT64_C(7) << 32)
#define BASE_STREAM_ROUTE (UINT64_C(8) << 32)

#endif
