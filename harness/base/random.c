/* SPDX-License-Identifier: Apache-2.0
 *
 * Philox4x32-10 and Box-Muller, in loops over lanes that compilers vectorise for any instruction set. Logarithm, sine
 * and cosine are polynomials in this file, so that weights do not depend on the C library. Whole blocks are always
 * computed, so a value does not depend on how a range is split. */
#include "base/random.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum {
    LANES = 32,              /* Philox blocks computed together */
    NORMALS = 4,             /* normal numbers in one block */
    CHUNK = LANES * NORMALS, /* normal numbers computed together */
    ROUNDS = 10
};

#define MULTIPLIER0 0xD2511F53u
#define MULTIPLIER1 0xCD9E8D57u
#define WEYL0 0x9E3779B9u
#define WEYL1 0xBB67AE85u

static inline uint32_t low(uint64_t x) {
    return (uint32_t)x;
}
static inline uint32_t high(uint64_t x) {
    return (uint32_t)(x >> 32);
}

void base_random_words(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]) {
    uint32_t c[4] = {low(index), high(index), low(stream), high(stream)};
    uint32_t key0 = low(seed), key1 = high(seed);
    for (int round = 0; round < ROUNDS; round++, key0 += WEYL0, key1 += WEYL1) {
        uint64_t p0 = (uint64_t)MULTIPLIER0 * c[0], p1 = (uint64_t)MULTIPLIER1 * c[2];
        c[0] = high(p1) ^ c[1] ^ key0;
        c[1] = low(p1);
        c[2] = high(p0) ^ c[3] ^ key1;
        c[3] = low(p0);
    }
    memcpy(out, c, sizeof c);
}

uint64_t base_random_u64(uint64_t seed, uint64_t stream, uint64_t index) {
    uint32_t w[4];
    base_random_words(seed, stream, index, w);
    return (uint64_t)w[1] << 32 | w[0];
}

double base_random_unit(uint64_t seed, uint64_t stream, uint64_t index) {
    return (double)(base_random_u64(seed, stream, index) >> 11) * 0x1p-53;
}

/* The words of blocks first .. first+LANES-1; word w of block i is c[w][i]. */
static void words_of_lanes(uint64_t seed, uint64_t stream, uint64_t first, uint32_t c[4][LANES]) {
    for (int i = 0; i < LANES; i++) {
        c[0][i] = low(first + (uint64_t)i);
        c[1][i] = high(first + (uint64_t)i);
        c[2][i] = low(stream);
        c[3][i] = high(stream);
    }
    uint32_t key0 = low(seed), key1 = high(seed);
    for (int round = 0; round < ROUNDS; round++, key0 += WEYL0, key1 += WEYL1) {
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)MULTIPLIER0 * c[0][i], p1 = (uint64_t)MULTIPLIER1 * c[2][i];
            c[0][i] = high(p1) ^ c[1][i] ^ key0;
            c[1][i] = low(p1);
            c[2][i] = high(p0) ^ c[3][i] ^ key1;
            c[3][i] = low(p0);
        }
    }
}

/* -2 ln u for u = (w/2 + 1/2) / 2^31, in (0, 1]. With u = 2^k (1 + f) and 1 + f near 1, ln(1+f) = 2 atanh(f/(2+f)).
 * Uses the first five terms of atanh; the next is below 2e-9 of the first. */
static inline float minus_two_log(uint32_t w) {
    float u = (float)(int32_t)(w >> 1) * 0x1p-31f + 0x1p-32f;
    int32_t bits;
    memcpy(&bits, &u, sizeof bits);
    int32_t k = (bits - 0x3f3504f3) >> 23; /* 0x3f3504f3 is sqrt(1/2), so 1 + f is within sqrt(1/2) .. sqrt(2) */
    bits -= (int32_t)((uint32_t)k << 23);
    float m;
    memcpy(&m, &bits, sizeof m);
    float f = m - 1.0f, s = f / (2.0f + f), z = s * s;
    float series = 1.0f + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9))));
    return -2.0f * ((float)k * 0.693147181f + 2.0f * s * series);
}

/* Cosine and sine of w 2^-32 turns: the quadrant by integer arithmetic, then Taylor series on [-pi/4, pi/4]. */
static inline void turn(uint32_t w, float *cosine, float *sine) {
    uint32_t quadrant = (w + 0x20000000u) >> 30;
    float a = (float)(int32_t)(w - (quadrant << 30)) * 1.46291808e-9f; /* 2 pi / 2^32 */
    float z = a * a;
    float s = a * (1.0f + z * (-1.0f / 6 + z * (1.0f / 120 + z * (-1.0f / 5040 + z * (1.0f / 362880)))));
    float c = 1.0f + z * (-0.5f + z * (1.0f / 24 + z * (-1.0f / 720 + z * (1.0f / 40320))));
    uint32_t sbits, cbits, swap = 0u - (quadrant & 1u);
    memcpy(&sbits, &s, sizeof sbits);
    memcpy(&cbits, &c, sizeof cbits);
    uint32_t x = (cbits & ~swap) | (sbits & swap), y = (sbits & ~swap) | (cbits & swap);
    x ^= ((quadrant + 1u) & 2u) << 30; /* the cosine is negative in quadrants 1 and 2, the sine in 2 and 3 */
    y ^= (quadrant & 2u) << 30;
    memcpy(cosine, &x, sizeof x);
    memcpy(sine, &y, sizeof y);
}

/* Normal numbers of blocks first .. first+LANES-1. Words 0 and 1 of a block give its first two, words 2 and 3 the
 * others. */
static void normals_of_lanes(uint64_t seed, uint64_t stream, uint64_t first, float *restrict out) {
    uint32_t w[4][LANES];
    float radius[LANES], cosine[LANES], sine[LANES];
    words_of_lanes(seed, stream, first, w);
    for (int pair = 0; pair < 2; pair++) {
        const uint32_t *a = w[2 * pair], *b = w[2 * pair + 1];
        for (int i = 0; i < LANES; i++) radius[i] = minus_two_log(a[i]);
        for (int i = 0; i < LANES; i++) radius[i] = sqrtf(radius[i]); /* alone, since errno prevents vectorising */
        for (int i = 0; i < LANES; i++) turn(b[i], &cosine[i], &sine[i]);
        for (int i = 0; i < LANES; i++) {
            out[NORMALS * i + 2 * pair] = radius[i] * cosine[i];
            out[NORMALS * i + 2 * pair + 1] = radius[i] * sine[i];
        }
    }
}

void base_random_normal(uint64_t seed, uint64_t stream, uint64_t first, uint64_t count, float *out) {
    float chunk[CHUNK];
    while (count > 0) {
        uint64_t skip = first % NORMALS;
        uint64_t taken = CHUNK - skip < count ? CHUNK - skip : count;
        bool whole = skip == 0 && taken == CHUNK;
        normals_of_lanes(seed, stream, first / NORMALS, whole ? out : chunk);
        if (!whole) memcpy(out, chunk + skip, taken * sizeof *out);
        first += taken;
        out += taken;
        count -= taken;
    }
}
