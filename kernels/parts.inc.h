/* SPDX-License-Identifier: Apache-2.0
 *
 * Building blocks of passes over memory: a part is a few vectors of elements, whole or partial, and PARTS loops over
 * them. */
#ifndef TOISE_KERNELS_PARTS_INC_H
#define TOISE_KERNELS_PARTS_INC_H

#include "simd.inc.h"

/* `n` below is PART, a constant, or less; then the other lanes read as 0 and are not written. */
enum { WAYS = KERNEL_LANES == 4 ? 4 : 2, PART = WAYS * KERNEL_LANES };
struct part {
    vf v[WAYS];
};

/* Runs BODY, a call or a block, for every part (i, n) of begin <= i < end. Parts are whole except for the first
 * `head` elements (fewer than PART) and the remainder. */
#define PARTS(begin, end, head, BODY)                                                                                  \
    do {                                                                                                               \
        int64_t i = (begin);                                                                                           \
        const int64_t parts_head = (head), parts_end = (end);                                                          \
        if (parts_head) {                                                                                              \
            const int64_t n = parts_head;                                                                              \
            BODY;                                                                                                      \
            i += n;                                                                                                    \
        }                                                                                                              \
        for (; i + PART <= parts_end; i += PART) {                                                                     \
            const int64_t n = PART;                                                                                    \
            BODY;                                                                                                      \
        }                                                                                                              \
        if (i < parts_end) {                                                                                           \
            const int64_t n = parts_end - i;                                                                           \
            BODY;                                                                                                      \
        }                                                                                                              \
    } while (0)

/* Prefetch distance of a pass, in elements. Arithmetic on one part fills the core's out-of-order window. Without
 * prefetch, loads that wait for memory would come one after the other. */
enum { PART_AHEAD = 1024 };
/* Prefetches every cache line of a whole part from element i; the part may be beyond the buffer's end. */
SIMD_INLINE void part_prefetch(enum kernel_dtype t, const void *p, int64_t i) {
    const size_t size = kernel_dtype_bytes(t);
    const uintptr_t at = (uintptr_t)p + (uintptr_t)i * size;
    for (size_t line = 0; line < PART * size; line += 64) __builtin_prefetch((const void *)(at + line));
}

/* Whether a call on this many bytes of operands uses streaming stores. Beyond the caches the first lines written are
 * evicted before its end. A line that is written whole need not be read. Never use it if the output is an input as
 * well. */
SIMD_INLINE bool part_streams(const struct kernel_team *team, int64_t bytes) {
    return bytes > (team->caches && team->caches->l3 ? team->caches->l3 : 1 << 25);
}
/* Elements, at most n, before a streamed output has the alignment that part_put needs; 0 if it is not streamed. */
SIMD_INLINE int64_t part_head(enum kernel_dtype t, const void *p, int64_t i, int64_t n, bool stream) {
    const size_t size = kernel_dtype_bytes(t), line = PART * size < 64 ? PART * size : 64;
    const int64_t head = (int64_t)(-((uintptr_t)p + (size_t)i * size) % line / size);
    return !stream ? 0 : head < n ? head : n;
}

/* There are two orders of BF16 elements. `part_get` and `part_put` put the even elements of two vectors into the
 * first and the odd ones into the second. This costs least and serves if all operands have one dtype. `row_get` and
 * `row_put` use the order of FP32, for operands of both dtypes. `stream`: streaming stores. */
SIMD_INLINE struct part part_read(enum kernel_dtype t, const void *p, size_t i, size_t n, const bool ordered) {
    const size_t size = kernel_dtype_bytes(t);
    const char *from = (const char *)p + i * size;
    float space[PART];
    struct part x;
    if (n < PART) from = memcpy(memset(space, 0, PART * size), from, n * size);
    for (int k = 0; k < WAYS; k++) {
        if (t == KERNEL_F32) {
            x.v[k] = vf_load((const float *)(const void *)from + k * KERNEL_LANES);
        } else if (!ordered) {
            const vu pairs = ((const vu_any *)(const void *)from)[k / 2];
            x.v[k] = (vf)(k % 2 ? pairs & 0xffff0000 : pairs << 16);
        } else if (k % 2 == 0) {
            vf_widen_two(from, k / 2, x.v + k);
        }
    }
    return x;
}
SIMD_INLINE struct part part_get(enum kernel_dtype t, const void *p, int64_t i, int64_t n) {
    return part_read(t, p, (size_t)i, (size_t)n, false);
}
SIMD_INLINE struct part row_get(enum kernel_dtype t, const void *p, int64_t i, int64_t n) {
    return part_read(t, p, (size_t)i, (size_t)n, true);
}

/* Stores the first n elements of vectors. */
SIMD_INLINE void part_store(void *p, size_t size, size_t i, size_t n, const vu *x, bool stream) {
    char *to = (char *)p + i * size;
    if (n < PART) {
        memcpy(to, x, n * size);
        return;
    }
    for (size_t b = 0; b < PART * size; b += sizeof *x)
        if (stream)
            vu_stream(to + b, *x++);
        else
            *(vu_any *)(to + b) = *x++;
}
/* BF16 of x, two vectors in each of u */
SIMD_INLINE void part_round(struct part x, vu *u, const bool ordered) {
    bool nan = false;
    for (int k = 0; k < WAYS; k += 2) {
        u[k / 2] = ordered ? vu_join_round(x.v[k], x.v[k + 1]) : vu_zip_round(x.v[k], x.v[k + 1]);
        nan |= vf_any_nan(x.v[k], x.v[k + 1]);
    }
    if (__builtin_expect(nan, 0))
        for (int k = 0; k < WAYS; k += 2) {
            const vu a = vu_round(x.v[k]), b = vu_round(x.v[k + 1]);
            u[k / 2] = ordered ? vu_join_upper(a, b) : vu_zip_upper(a, b);
        }
}
SIMD_INLINE void part_write(enum kernel_dtype t, void *p, size_t i, size_t n, struct part x, bool stream,
                            const bool ordered) {
    vu u[WAYS];
    if (t == KERNEL_F32) {
        for (int k = 0; k < WAYS; k++) u[k] = (vu)x.v[k];
    } else {
        part_round(x, u, ordered);
    }
    part_store(p, kernel_dtype_bytes(t), i, n, u, stream);
}
SIMD_INLINE void part_put(enum kernel_dtype t, void *p, int64_t i, int64_t n, struct part x, bool stream) {
    part_write(t, p, (size_t)i, (size_t)n, x, stream, false);
}
SIMD_INLINE void row_put(enum kernel_dtype t, void *p, int64_t i, int64_t n, struct part x, bool stream) {
    part_write(t, p, (size_t)i, (size_t)n, x, stream, true);
}
/* The first n elements of x, and `rest` in the others, in the order of part_get. */
SIMD_INLINE struct part part_keep(enum kernel_dtype t, struct part x, int64_t n, float rest) {
    for (int64_t i = n; i < PART; i++)
        if (t == KERNEL_F32)
            x.v[i / KERNEL_LANES][i % KERNEL_LANES] = rest;
        else
            x.v[i / (2 * KERNEL_LANES) * 2 + i % 2][i % (2 * KERNEL_LANES) / 2] = rest;
    return x;
}
SIMD_INLINE vf part_sum(struct part x) {
    for (int w = WAYS / 2; w > 0; w /= 2)
        for (int k = 0; k < w; k++) x.v[k] += x.v[k + w];
    return x.v[0];
}

#endif
