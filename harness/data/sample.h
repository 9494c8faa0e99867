/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a sample's random numbers are: each of 2^32 samples has its own stream. Beyond that the upper half of the index
 * distinguishes them. So no two samples share a number, and no other stream overlaps. */
#ifndef TOISE_DATA_SAMPLE_H
#define TOISE_DATA_SAMPLE_H

#include <stdint.h>

#include "base/random.h"

static inline uint64_t data_sample_stream(uint64_t sample) {
    return BASE_STREAM_DATA + (sample & 0xffffffffu);
}
/* 0 <= position < 2^32 */
static inline uint64_t data_sample_index(uint64_t sample, int64_t position) {
    return (sample >> 32 << 32) | (uint64_t)position;
}

#endif
