/* SPDX-License-Identifier: Apache-2.0
 *
 * Random numbers: the generator's published answers, the normal distribution, and independence of how ranges are
 * split. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Known answers of philox4x32-10, published with Random123 (Salmon et al.), for counter and key of all zeros, all ones,
 * and the digits of pi */
static void words_match_published_vectors(void **state) {
    (void)state;
    static const struct {
        uint64_t index, stream, seed;
        uint32_t words[4];
    } known[] = {
        {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {UINT64_MAX, UINT64_MAX, UINT64_MAX, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t words[4];
        base_random_words(known[i].seed, known[i].stream, known[i].index, words);
        assert_memory_equal(words, known[i].words, sizeof words);
    }
}

static void uniforms_come_from_the_words(void **state) {
    (void)state;
    double sum = 0.0;
    enum { N = 100000 };
    for (uint64_t i = 0; i < N; i++) {
        uint32_t w[4];
        base_random_words(7, BASE_STREAM_TEST, i, w);
        assert_true(base_random_u64(7, BASE_STREAM_TEST, i) == ((uint64_t)w[1] << 32 | w[0]));
        double u = base_random_unit(7, BASE_STREAM_TEST, i);
        assert_true(u >= 0.0 && u < 1.0);
        sum += u;
    }
    assert_true(fabs(sum / N - 0.5) < 5.0 / sqrt(12.0 * N));
}

static double normal_cdf(double x) {
    return 0.5 * erfc(-x / sqrt(2.0));
}

/* Moments within five standard errors, and the whole distribution by Kolmogorov's distance over fixed cells */
static void normals_are_normal(void **state) {
    (void)state;
    enum { N = 1 << 20, CELLS = 64 };
    float *x = malloc(N * sizeof *x);
    base_random_normal(11, BASE_STREAM_TEST, 0, N, x);
    double moment[5] = {0}, lag = 0.0;
    int cell[CELLS] = {0};
    for (int i = 0; i < N; i++) {
        assert_true(isfinite(x[i]));
        double power = 1.0;
        for (int k = 1; k <= 4; k++) moment[k] += (power *= x[i]);
        if (i > 0) lag += (double)x[i] * x[i - 1];
        int at = (int)floor((x[i] + 4.0) * CELLS / 8.0);
        if (at < CELLS) cell[at < 0 ? 0 : at]++;
    }
    double root = sqrt((double)N);
    assert_true(fabs(moment[1] / N) < 5.0 / root);
    assert_true(fabs(moment[2] / N - 1.0) < 5.0 * sqrt(2.0) / root);
    assert_true(fabs(moment[3] / N) < 5.0 * sqrt(15.0) / root);
    assert_true(fabs(moment[4] / N - 3.0) < 5.0 * sqrt(96.0) / root);
    assert_true(fabs(lag / N) < 5.0 / root);
    double below = 0.0;
    for (int i = 0; i < CELLS; i++) {
        below += cell[i];
        assert_true(fabs(below / N - normal_cdf(-4.0 + 8.0 * (i + 1) / CELLS)) < 2.0 / root);
    }
    free(x);
}

/* Box-Muller of the same words in double precision */
static void normals_match_the_formula(void **state) {
    (void)state;
    enum { BLOCKS = 5000 };
    static float x[4 * BLOCKS];
    uint64_t first = (UINT64_C(1) << 32) - BLOCKS / 2; /* across the 32-bit boundary of the counter */
    base_random_normal(3, 9, 4 * first, 4 * BLOCKS, x);
    for (int b = 0; b < BLOCKS; b++) {
        uint32_t w[4];
        base_random_words(3, 9, first + (uint64_t)b, w);
        for (int pair = 0; pair < 2; pair++) {
            double radius = sqrt(-2.0 * log(((w[2 * pair] >> 1) + 0.5) * 0x1p-31));
            double angle = 2.0 * acos(-1.0) * w[2 * pair + 1] * 0x1p-32;
            /* near u = 1 the radius is the root of a small logarithm, which float knows only to 6e-8 */
            double bound = 1e-6 + 4e-7 / (radius + 1e-3);
            assert_true(fabs(x[4 * b + 2 * pair] - radius * cos(angle)) < bound);
            assert_true(fabs(x[4 * b + 2 * pair + 1] - radius * sin(angle)) < bound);
        }
    }
}

static void normals_do_not_depend_on_splits(void **state) {
    (void)state;
    enum { N = 3001 };
    static float whole[N], parts[N + 1];
    uint64_t origin = 123457;
    base_random_normal(5, BASE_STREAM_INIT + 2, origin, N, whole);
    for (uint64_t seed = 0; seed < 20; seed++) {
        memset(parts, 0xff, sizeof parts);
        uint64_t at = 0;
        for (uint64_t k = 0; at < N; k++) {
            uint64_t count = base_random_u64(seed, BASE_STREAM_TEST, k) % (seed < 10 ? 11 : 500);
            if (count > N - at) count = N - at;
            base_random_normal(5, BASE_STREAM_INIT + 2, origin + at, count, parts + at);
            at += count;
        }
        assert_memory_equal(whole, parts, sizeof whole);
        uint32_t poison;
        memcpy(&poison, parts + N, sizeof poison);
        assert_true(poison == 0xffffffff);
    }
    base_random_normal(5, BASE_STREAM_INIT + 3, origin, N, parts);
    assert_memory_not_equal(whole, parts, sizeof whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_match_published_vectors),
        cmocka_unit_test(uniforms_come_from_the_words),
        cmocka_unit_test(normals_are_normal),
        cmocka_unit_test(normals_match_the_formula),
        cmocka_unit_test(normals_do_not_depend_on_splits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
