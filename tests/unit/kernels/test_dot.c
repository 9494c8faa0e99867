/* SPDX-License-Identifier: Apache-2.0
 *
 * The BF16 dot in plain C against its definition: two multiply-adds, each rounded once, with denormals as zeros; and
 * the rounding of two vectors to BF16. Both also against the instructions if this CPU has them. Inputs are random
 * numbers, tiny ones whose sums flush, and arbitrary bits. */
#define KERNEL_LANES 4
#define KERNEL_EMULATED
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/random.h"
#include "dot.inc.h"

enum { SEED = 20260101, ROUNDS = 20000 };

/* Exponents of the operands: medium, so that everything counts; small, so that results are denormal; any. */
struct range {
    const char *name;
    uint32_t sum_low, sum_count, low, count;
};
static const struct range ranges[] = {
    {"middling", 100, 50, 110, 30}, {"small", 0, 40, 50, 30}, {"any", 0, 256, 0, 256}};

union lanes {
    vf v;
    float f[KERNEL_LANES];
    uint32_t u[KERNEL_LANES];
};
struct operands {
    union lanes sum, a, b;
};

static uint32_t with_exponent(uint32_t word, uint32_t exponent) {
    return (word & 0x807fffff) | exponent << 23;
}
static uint32_t pair(uint32_t word, uint32_t more, const struct range *r) {
    return (with_exponent(word << 16, r->low + more % r->count) >> 16) |
           (with_exponent(word, r->low + more / 256 % r->count) & 0xffff0000);
}

static void operands_make(struct operands *o, const struct range *r, uint64_t round) {
    for (int i = 0; i < KERNEL_LANES; i++) {
        uint32_t w[4], x[4];
        base_random_words(SEED, BASE_STREAM_TEST, (round * KERNEL_LANES + (uint64_t)i) * 2, w);
        base_random_words(SEED, BASE_STREAM_TEST, (round * KERNEL_LANES + (uint64_t)i) * 2 + 1, x);
        o->sum.u[i] = with_exponent(w[0], r->sum_low + x[0] % r->sum_count);
        o->a.u[i] = pair(w[1], x[1], r), o->b.u[i] = pair(w[2], x[2], r);
    }
}

static float flushed(float x) {
    return fabsf(x) < 0x1p-126f ? copysignf(0, x) : x;
}
static float half_of(uint32_t word, bool upper) {
    const uint32_t u = upper ? word & 0xffff0000 : word << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return flushed(x);
}
static float defined(float sum, uint32_t a, uint32_t b) {
    const float upper = flushed(fmaf(half_of(a, true), half_of(b, true), flushed(sum)));
    return flushed(fmaf(half_of(a, false), half_of(b, false), upper));
}

static void same_check(const struct range *r, const char *what, const struct operands *o, int i, float got, float is) {
    if ((isnan(got) && isnan(is)) || memcmp(&got, &is, sizeof got) == 0) return;
    fail_msg("%s, %s: sum %a, pairs %08x %08x: %a instead of %a", r->name, what, (double)o->sum.f[i], o->a.u[i],
             o->b.u[i], (double)got, (double)is);
}

static void is_what_it_is_defined_as(void **state) {
    (void)state;
    for (const struct range *r = ranges; r < ranges + sizeof ranges / sizeof *ranges; r++)
        for (uint64_t round = 0; round < ROUNDS; round++) {
            struct operands o;
            operands_make(&o, r, round);
            const union lanes got = {.v = dot_plain(o.sum.v, o.a.v, o.b.v)};
            for (int i = 0; i < KERNEL_LANES; i++)
                same_check(r, "in plain C", &o, i, got.f[i], defined(o.sum.f[i], o.a.u[i], o.b.u[i]));
        }
}

/* The nearest BF16; halfway the one whose last bit is 0. Denormals become zeros, and a NaN becomes quiet. */
static uint16_t rounded(uint32_t word) {
    const uint32_t magnitude = word & 0x7fffffff, rest = word & 0xffff;
    uint16_t upper = (uint16_t)(word >> 16);
    if (magnitude > 0x7f800000) return upper | 0x40;
    if (magnitude < 0x00800000) return upper & 0x8000;
    if (rest > 0x8000 || (rest == 0x8000 && upper % 2)) upper++;
    return upper;
}

union halves {
    vf v;
    uint16_t h[2 * KERNEL_LANES];
};
/* Halfway cases are rare among random bits, so every fourth number is made one. */
static void halves_make(struct operands *o, const struct range *r, uint64_t round) {
    operands_make(o, r, round);
    if (round % 4 == 0)
        for (int i = 0; i < KERNEL_LANES; i++) o->a.u[i] = (o->a.u[i] & 0xffff0000) | 0x8000;
}

static void rounds_as_defined(void **state) {
    (void)state;
    for (const struct range *r = ranges; r < ranges + sizeof ranges / sizeof *ranges; r++)
        for (uint64_t round = 0; round < ROUNDS; round++) {
            struct operands o;
            halves_make(&o, r, round);
            const union halves join = {.v = vf_join_bf16(o.a.v, o.b.v)}, pair = {.v = vf_pair_bf16(o.a.v, o.b.v)};
            for (int i = 0; i < KERNEL_LANES; i++) {
                const uint16_t a = rounded(o.a.u[i]), b = rounded(o.b.u[i]);
                if (join.h[i] != a || join.h[KERNEL_LANES + i] != b || pair.h[2 * i] != a || pair.h[2 * i + 1] != b)
                    fail_msg("%s: %08x and %08x are %04x and %04x", r->name, o.a.u[i], o.b.u[i], a, b);
            }
        }
}

#ifdef __x86_64__
static void rounding_instruction(const struct operands *o, union halves *to) {
    __asm__ volatile("vmovups %1, %%xmm0\n\tvmovups %2, %%xmm1\n\tvcvtne2ps2bf16 %%xmm0, %%xmm1, %%xmm0\n\t"
                     "vmovups %%xmm0, %0"
                     : "=m"(*to)
                     : "m"(o->a), "m"(o->b)
                     : "xmm0", "xmm1");
}
static void instruction(const struct operands *o, union lanes *sum) {
    __asm__ volatile("vmovups %1, %%xmm0\n\tvmovups %2, %%xmm1\n\tvdpbf16ps %3, %%xmm1, %%xmm0\n\tvmovups %%xmm0, %0"
                     : "=m"(*sum)
                     : "m"(o->sum), "m"(o->a), "m"(o->b)
                     : "xmm0", "xmm1");
}
static void is_what_the_instruction_does(void **state) {
    (void)state;
    if (!__builtin_cpu_supports("avx512bf16")) {
        printf("SKIP: the dot against its instruction: this CPU lacks AVX512_BF16\n");
        skip();
    }
    for (const struct range *r = ranges; r < ranges + sizeof ranges / sizeof *ranges; r++)
        for (uint64_t round = 0; round < ROUNDS; round++) {
            struct operands o;
            union lanes is;
            operands_make(&o, r, round);
            instruction(&o, &is);
            const union lanes got = {.v = dot_plain(o.sum.v, o.a.v, o.b.v)};
            for (int i = 0; i < KERNEL_LANES; i++) same_check(r, "the instruction", &o, i, got.f[i], is.f[i]);
            union halves to;
            halves_make(&o, r, round);
            rounding_instruction(&o, &to);
            const union halves join = {.v = vf_join_bf16(o.a.v, o.b.v)};
            assert_memory_equal(&join, &to, sizeof to);
        }
}
#else
static void is_what_the_instruction_does(void **state) {
    (void)state;
    printf("SKIP: the dot against its instruction: no x86-64\n");
    skip();
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(is_what_it_is_defined_as), cmocka_unit_test(rounds_as_defined),
                                       cmocka_unit_test(is_what_the_instruction_does)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
