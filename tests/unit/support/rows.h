/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by the tests of kernels: buffers between guards, inputs of every kind, and every variant that this host can
 * run on one to three threads. Include after cmocka.h. */
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
#include "unit/support/effort.h"
#include "unit/support/guarded.h"
#include "unit/support/lacking.h"

#define TEST_INLINE static inline __attribute__((unused))

/* Unit roundoffs, and what may be lost if a result is below the normal numbers. */
static const double U32 = 0x1p-24, U16 = 0x1p-8, U64 = 0x1p-53, TINY32 = 0x1p-126, TINY16 = 0x1p-134;
TEST_INLINE double rounding(enum kernel_dtype t, double y) {
    return t == KERNEL_F32 ? U32 * fabs(y) + 0x1p-150 : (U32 + U16) * fabs(y) + TINY16;
}

/* The relative error of a cheaper e^x (exp.inc.h), which serves where the result is rounded to BF16. */
TEST_INLINE double cheaper_exp(enum kernel_dtype t, double x) {
    return t == KERNEL_F32 ? 0 : U32 * (4 + fmin(fabs(x), 88) / 3);
}

/* n elements between guards, all bytes 0xff; `skew` elements off a page if guarded_place asks for it. */
TEST_INLINE void *guarded_new(enum kernel_dtype t, int64_t n, int skew) {
    return guarded_bytes((size_t)n * kernel_dtype_bytes(t), (size_t)skew * kernel_dtype_bytes(t));
}

/* Kinds of inputs; MIXED spans 2^-40 to 2^40. */
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

/* The next instruction set from `isa` that has its own variants of these operations. */
TEST_INLINE void variant_set(struct variant *v, int isa) {
    v->team = (struct kernel_team){.ops = &v->ops, .threads = 1, .scratch = v->team.scratch};
    v->team.scratch_bytes = kernel_rows_scratch(3);
    for (; isa < KERNEL_ISA_COUNT; isa++) {
        if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
        kernel_select(&v->ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        if (strcmp(kernel_variant(&v->ops, "adamw"), kernel_isa_name((enum kernel_isa)isa)) == 0) break;
    }
    v->isa = (enum kernel_isa)isa;
}
TEST_INLINE void variant_first(struct variant *v) {
    v->team.scratch = guarded_scratch(kernel_rows_scratch(3)); /* guarded_free() frees it */
    variant_set(v, effort_emulator() ? KERNEL_ISA_ref + 1 : KERNEL_ISA_ref);
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

/* Runs the tests of a group once for every placement of buffers. */
#define rows_run_group(tests)                                                                                          \
    (lacking_report(), cmocka_run_group_tests_name("at the end", tests, at_end, NULL) +                                \
                           (effort_emulator() ? 0                                                                      \
                                              : cmocka_run_group_tests_name("at the begin", tests, at_begin, NULL) +   \
                                                    cmocka_run_group_tests_name("skewed", tests, skewed, NULL)))
TEST_INLINE int at_end(void **state) {
    (void)state;
    guarded_place = GUARDED_END;
    return 0;
}
TEST_INLINE int at_begin(void **state) {
    (void)state;
    guarded_place = GUARDED_BEGIN;
    return 0;
}
TEST_INLINE int skewed(void **state) {
    (void)state;
    guarded_place = GUARDED_SKEWED;
    return 0;
}

/* The first call keeps a copy of `out`. Later calls require the same bits, since results must not depend on the
 * threads. */
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

/* The nearest BF16 of some number within `bound` of `exact`. Sharper than within(), whose bound has a whole rounding.
 */
TEST_INLINE void rounded_within(const struct variant *v, const char *what, int64_t i, kernel_bf16 bits, double exact,
                                double bound) {
    const double got = scalar_widen(bits), low = scalar_widen(scalar_narrow((float)(exact - bound)));
    if (isnan(exact) ? isnan(got) : got >= low && got <= scalar_widen(scalar_narrow((float)(exact + bound)))) return;
    fail_msg("%s %s[%lld]: %.9g instead of %.9g, bound %.3g", kernel_isa_name(v->isa), what, (long long)i, got, exact,
             bound);
}

#endif
