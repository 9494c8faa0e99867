/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of kernels share: buffers between guards, inputs of every temper, and every variant that this
 * host can run on one to three threads. Include after cmocka.h. */
#ifndef TOISE_TESTS_SUPPORT_ROWS_H
#define TOISE_TESTS_SUPPORT_ROWS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "kernels.h"
#include "scalar.h"
#include "scratch.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif
#define TEST_INLINE static inline __attribute__((unused))

/* Unit roundoffs, and what may be lost where a result leaves the normal numbers. */
static const double U32 = 0x1p-24, U16 = 0x1p-8, U64 = 0x1p-53, TINY32 = 0x1p-126, TINY16 = 0x1p-134;
TEST_INLINE double rounding(enum kernel_dtype t, double y) {
    return t == KERNEL_F32 ? U32 * fabs(y) + 0x1p-150 : (U32 + U16) * fabs(y) + TINY16;
}

/* Buffers: all bytes 0xff (a NaN in either dtype) between two guards that nobody may write, or read under ASan. */
enum { GUARD = 128, GUARDED_MAX = 64 };
struct guarded {
    unsigned char *base;
    size_t skew, bytes;
};
static struct guarded guarded[GUARDED_MAX];
static int guarded_count;

/* `skew` elements off a 64-byte boundary */
TEST_INLINE void *guarded_new(enum kernel_dtype t, int64_t n, int skew) {
    assert_true(guarded_count < GUARDED_MAX);
    const size_t bytes = (size_t)n * kernel_dtype_bytes(t), head = GUARD + (size_t)skew * kernel_dtype_bytes(t);
    const size_t all = (head + bytes + GUARD + 63) / 64 * 64;
    unsigned char *base = aligned_alloc(64, all);
    assert_non_null(base);
    memset(base, 0xff, all);
    ASAN_POISON_MEMORY_REGION(base, GUARD);
    ASAN_POISON_MEMORY_REGION(base + head + bytes, all - head - bytes);
    guarded[guarded_count++] = (struct guarded){base, head - GUARD, bytes};
    return base + head;
}

TEST_INLINE void guarded_check(void) {
    for (int i = 0; i < guarded_count; i++) {
        const size_t head = GUARD + guarded[i].skew, end = head + guarded[i].bytes;
        ASAN_UNPOISON_MEMORY_REGION(guarded[i].base, end + GUARD / 2);
        for (size_t b = 0; b < head; b++) assert_int_equal(guarded[i].base[b], 0xff);
        for (size_t b = end; b < end + GUARD / 2; b++) assert_int_equal(guarded[i].base[b], 0xff);
        ASAN_POISON_MEMORY_REGION(guarded[i].base, GUARD);
        ASAN_POISON_MEMORY_REGION(guarded[i].base + end, GUARD / 2);
    }
}

/* Checks all guards, and frees. */
TEST_INLINE void guarded_free(void) {
    guarded_check();
    while (guarded_count > 0) {
        struct guarded *g = &guarded[--guarded_count];
        ASAN_UNPOISON_MEMORY_REGION(g->base, GUARD + g->skew + g->bytes + GUARD / 2);
        free(g->base);
    }
}

/* Inputs of every temper; MIXED spans 2^-40 to 2^40. */
enum temper { NORMAL, OFFSET, LARGE, SMALL, DENORMAL, MIXED, TEMPERS };
TEST_INLINE float temper_of(enum temper temper, float x, int64_t i) {
    switch (temper) {
    case OFFSET:
        return x + 100;
    case LARGE:
        return x * 1e12f;
    case SMALL:
        return x * 1e-12f;
    case DENORMAL:
        return x * 1e-40f;
    case MIXED:
        return ldexpf(x, (int)(i * 37 % 81) - 40);
    default:
        return x;
    }
}

TEST_INLINE void values_fill(enum kernel_dtype t, void *p, int64_t n, enum temper temper, uint64_t seed) {
    for (int64_t i = 0; i < n; i += 256) {
        float x[256];
        const int64_t count = n - i < 256 ? n - i : 256;
        base_random_normal(seed, BASE_STREAM_TEST, (uint64_t)i, (uint64_t)count, x);
        for (int64_t j = 0; j < count; j++) scalar_put(t, p, i + j, temper_of(temper, x[j], i + j));
    }
}

TEST_INLINE void *values_new(enum kernel_dtype t, int64_t n, int skew, enum temper temper, uint64_t seed) {
    void *p = guarded_new(t, n, skew);
    values_fill(t, p, n, temper, seed);
    return p;
}

/* Every variant on 1, 2 and 3 threads, with operands within the caches and again with operands beyond them:
 * for (variant_first(&v); variant_valid(&v); variant_next(&v)) */
struct variant {
    struct kernel_ops ops;
    struct kernel_team team;
    enum kernel_isa isa;
};
static const struct kernel_caches variant_small = {.l3 = 1};
static double variant_scratch[4096] __attribute__((aligned(64)));

/* The next instruction set from `isa` on that has variants of its own for these operations. */
TEST_INLINE void variant_set(struct variant *v, int isa) {
    v->team = (struct kernel_team){.ops = &v->ops, .threads = 1, .scratch = variant_scratch};
    v->team.scratch_bytes = sizeof variant_scratch;
    for (; isa < KERNEL_ISA_COUNT; isa++) {
        if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
        kernel_select(&v->ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        if (strcmp(kernel_variant(&v->ops, "adamw"), kernel_isa_name((enum kernel_isa)isa)) == 0) break;
    }
    v->isa = (enum kernel_isa)isa;
}
TEST_INLINE void variant_first(struct variant *v) {
    assert_true(kernel_rows_scratch(3) <= sizeof variant_scratch);
    variant_set(v, KERNEL_ISA_ref);
}
TEST_INLINE bool variant_valid(const struct variant *v) {
    return v->isa < KERNEL_ISA_COUNT;
}
TEST_INLINE void variant_next(struct variant *v) {
    if (++v->team.threads <= 3) return;
    v->team.threads = 1;
    if (v->team.caches)
        variant_set(v, (int)v->isa + 1);
    else
        v->team.caches = &variant_small;
}

TEST_INLINE int variants_report(void **state) {
    (void)state;
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
        if (!kernel_isa_usable((enum kernel_isa)isa))
            printf("SKIP: variants up to %s: this CPU or build lacks it\n", kernel_isa_name((enum kernel_isa)isa));
    return 0;
}

/* The first call keeps a copy of `out`, later ones demand the same bits: results must not depend on the threads. */
struct same {
    void *copy;
};
TEST_INLINE void same_bits(struct same *s, const struct variant *v, const void *out, size_t bytes) {
    if (v->team.threads == 1) {
        free(s->copy);
        s->copy = malloc(bytes + 1);
        assert_non_null(s->copy);
        memcpy(s->copy, out, bytes);
    } else if (bytes && memcmp(s->copy, out, bytes) != 0) {
        fail_msg("%s: %d threads give other bits than one", kernel_isa_name(v->isa), v->team.threads);
    }
}

TEST_INLINE void within(const struct variant *v, const char *what, int64_t i, double got, double exact, double bound) {
    if (isnan(exact) ? isnan(got) : got == exact || fabs(got - exact) <= bound) return;
    fail_msg("%s %s[%lld]: %.9g instead of %.9g, bound %.3g", kernel_isa_name(v->isa), what, (long long)i, got, exact,
             bound);
}

#endif
