/* SPDX-License-Identifier: Apache-2.0
 *
 * The built-in source against its stated law: marginal, conditional law, exact entropy. A sample depends only on (seed,
 * step, index). Seeds are fixed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/data.h"

static struct data_source *source_open(int64_t vocab, int64_t seq, uint64_t seed) {
    struct data_options o = {.vocab = vocab, .seq = seq, .seed = seed, .share = 0, .shares = 1};
    struct data_source *s = NULL;
    struct base_error e = {0};
    assert_int_equal(data_open(&s, &o, &e), BASE_OK);
    return s;
}

/* p[i] ~ 1 / (i + 1) */
static void zipf_law(double *p, int vocab) {
    double total = 0;
    for (int i = 0; i < vocab; i++) total += p[i] = 1.0 / (i + 1);
    for (int i = 0; i < vocab; i++) p[i] /= total;
}

static double entropy(const double *p, int n) {
    double h = 0;
    for (int i = 0; i < n; i++) h -= p[i] > 0 ? p[i] * log(p[i]) : 0;
    return h;
}

/* P(x[t] = x
 * past) as in data.h; past points at x[t]. */
static double next_law(const double *p, const int32_t *past, int t, int32_t x) {
    if (t < DATA_LAG) return p[x];
    return DATA_COPY * (past[-DATA_LAG] == x) + (1 - DATA_COPY) * p[x];
}

/* Chi-square of counts against law as a standard normal deviate (Wilson and Hilferty's cube root). */
static double chi_square_deviate(const int *counts, const double *law, int n, int total) {
    double x = 0, df = n - 1;
    for (int i = 0; i < n; i++) {
        double expected = law[i] * total;
        x += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    return (cbrt(x / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

enum { BINS = 64, SAMPLES = 20000, SHORT = 6 };

/* Position by position, so that the counted tokens are independent. */
static void test_marginal(void **state) {
    (void)state;
    struct data_source *s = source_open(BINS, SHORT, 1);
    int32_t *in = malloc(sizeof(int32_t) * SAMPLES * SHORT), *out = malloc(sizeof(int32_t) * SAMPLES * SHORT);
    double law[BINS], uniform[BINS];
    zipf_law(law, BINS);
    for (int i = 0; i < BINS; i++) uniform[i] = 1.0 / BINS;
    data_fill(s, 0, SAMPLES, 0, SAMPLES, in, out);
    for (int t = 0; t <= SHORT; t++) {
        int counts[BINS] = {0};
        for (int i = 0; i < SAMPLES; i++) counts[t < SHORT ? in[i * SHORT + t] : out[i * SHORT + t - 1]]++;
        assert_true(fabs(chi_square_deviate(counts, law, BINS, SAMPLES)) < 4);
        assert_true(chi_square_deviate(counts, uniform, BINS, SAMPLES) > 100); /* the test can fail */
    }
    free(in);
    free(out);
    data_close(s);
}

/* Mean of -ln P(target | past) over independent samples against data_entropy, in standard errors. */
static void test_entropy_of_draws(void **state) {
    (void)state;
    enum { VOCAB = 300, SEQ = 32, N = 20000 };
    struct data_source *s = source_open(VOCAB, SEQ, 2);
    double p[VOCAB], sum = 0, square = 0;
    int32_t in[SEQ], out[SEQ], x[SEQ + 1];
    zipf_law(p, VOCAB);
    for (int i = 0; i < N; i++) {
        data_fill(s, 3, N, i, 1, in, out);
        memcpy(x, in, sizeof in);
        x[SEQ] = out[SEQ - 1];
        double mean = 0;
        for (int t = 1; t <= SEQ; t++) mean -= log(next_law(p, x + t, t, x[t])) / SEQ;
        sum += mean;
        square += mean * mean;
    }
    double mean = sum / N, error = sqrt((square / N - mean * mean) / N);
    assert_true(error < 0.005);
    assert_true(fabs(mean - data_entropy(s)) < 4 * error);
    assert_true(data_entropy(s) < 0.75 * entropy(p, VOCAB)); /* copying is worth learning */
    data_close(s);
}

/* Plug-in estimate of H(x[t]
 * x[t - lag]) from counts only, without the law. */
static double counted_entropy(const int32_t *in, const int32_t *out, int n, int seq, int vocab, int lag) {
    double *joint = calloc((size_t)vocab * (size_t)vocab, sizeof *joint), total = 0, h = 0;
    for (int i = 0; i < n; i++)
        for (int t = lag; t <= seq; t++, total++) joint[in[i * seq + t - lag] * vocab + out[i * seq + t - 1]]++;
    for (int y = 0; y < vocab; y++) {
        double row = 0;
        for (int x = 0; x < vocab; x++) row += joint[y * vocab + x];
        for (int x = 0; x < vocab; x++)
            if (joint[y * vocab + x] > 0) h -= joint[y * vocab + x] / total * log(joint[y * vocab + x] / row);
    }
    free(joint);
    return h;
}

static void test_entropy_of_counts(void **state) {
    (void)state;
    enum { VOCAB = 8, SEQ = 64, N = 8000 };
    struct data_source *s = source_open(VOCAB, SEQ, 3);
    int32_t *in = malloc(sizeof(int32_t) * N * SEQ), *out = malloc(sizeof(int32_t) * N * SEQ);
    double p[VOCAB], drawn = DATA_LAG - 1;
    zipf_law(p, VOCAB);
    data_fill(s, 0, N, 0, N, in, out);
    double copied = (data_entropy(s) * SEQ - drawn * entropy(p, VOCAB)) / (SEQ - drawn);
    assert_true(fabs(counted_entropy(in, out, N, SEQ, VOCAB, DATA_LAG) - copied) < 0.005);
    /* other lags carry no information, except twice the lag: a copy of a copy */
    assert_true(fabs(counted_entropy(in, out, N, SEQ, VOCAB, DATA_LAG + 1) - entropy(p, VOCAB)) < 0.005);
    free(in);
    free(out);
    data_close(s);
}

/* H(x[1..seq] | x[0]) / seq, from the probabilities of every sequence of seq + 1 tokens. */
static double enumerated_entropy(const double *p, int vocab, int seq) {
    int64_t sequences = 1;
    for (int t = 0; t <= seq; t++) sequences *= vocab;
    double h = 0, total = 0;
    int32_t x[16];
    for (int64_t i = 0; i < sequences; i++) {
        double probability = 1;
        int64_t digits = i;
        for (int t = 0; t <= seq; t++, digits /= vocab) {
            x[t] = (int32_t)(digits % vocab);
            probability *= next_law(p, x + t, t, x[t]);
        }
        total += probability;
        h -= probability * log(probability / p[x[0]]);
    }
    assert_true(fabs(total - 1) < 1e-12);
    return h / seq;
}

static void test_entropy_enumerated(void **state) {
    (void)state;
    for (int vocab = 1; vocab <= 4; vocab++)
        for (int seq = 1; seq <= 7; seq++) {
            double p[4];
            zipf_law(p, vocab);
            struct data_source *s = source_open(vocab, seq, 0);
            assert_true(fabs(data_entropy(s) - enumerated_entropy(p, vocab, seq)) < 1e-12);
            data_close(s);
        }
}

static void test_split(void **state) {
    (void)state;
    enum { SEQ = 17, BATCH = 8 };
    struct data_source *s = source_open(50257, SEQ, 4);
    int32_t in[BATCH * SEQ], out[BATCH * SEQ], in1[SEQ], out1[SEQ];
    data_fill(s, 5, 64, 8, BATCH, in, out);
    for (int i = 0; i < BATCH; i++) {
        data_fill(s, 5, 64, 8 + i, 1, in1, out1);
        assert_memory_equal(in1, in + i * SEQ, sizeof in1);
        assert_memory_equal(out1, out + i * SEQ, sizeof out1);
        assert_memory_equal(in1 + 1, out1, sizeof in1 - sizeof *in1);
        for (int t = 0; t < SEQ; t++) assert_in_range(out1[t], 0, 50256);
    }
    /* a sample depends on step * global + index: another global batch splits the same samples elsewhere */
    data_fill(s, 41, 8, 0, BATCH, in, out);
    data_fill(s, 5, 64, 8, 1, in1, out1);
    assert_memory_equal(in1, in, sizeof in1);
    data_close(s);
}

static void test_differs(void **state) {
    (void)state;
    enum { SEQ = 32 };
    struct data_source *s = source_open(256, SEQ, 5), *other = source_open(256, SEQ, 6);
    int32_t a[SEQ], b[SEQ], out[SEQ];
    data_fill(s, 0, 4, 0, 1, a, out);
    data_fill(other, 0, 4, 0, 1, b, out);
    assert_memory_not_equal(a, b, sizeof a);
    data_fill(s, 1, 4, 0, 1, b, out);
    assert_memory_not_equal(a, b, sizeof a);
    data_fill(s, 0, 4, 1, 1, b, out);
    assert_memory_not_equal(a, b, sizeof a);
    data_fill(s, (int64_t)1 << 30, 4, 0, 1, b, out); /* sample 2^32, beyond one stream per sample */
    assert_memory_not_equal(a, b, sizeof a);
    data_fill(s, 0, 4, 0, 1, b, out);
    assert_memory_equal(a, b, sizeof a);
    data_close(other);
    data_close(s);
}

static void test_options(void **state) {
    (void)state;
    const struct data_options bad[] = {
        {.vocab = 0, .seq = 4, .shares = 1},
        {.vocab = (int64_t)INT32_MAX + 1, .seq = 4, .shares = 1},
        {.vocab = 4, .seq = 0, .shares = 1},
        {.vocab = 4, .seq = INT64_MAX, .shares = 1},
        {.vocab = 4, .seq = 4, .shares = 0},
        {.vocab = 4, .seq = 4, .share = 2, .shares = 2},
        {.vocab = 4, .seq = 4, .share = -1, .shares = 2},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct data_source *s = NULL;
        struct base_error e = {0};
        assert_int_equal(data_open(&s, &bad[i], &e), BASE_USAGE);
        assert_null(s);
        assert_true(strlen(e.text) > 10);
    }
    struct data_source *s = source_open(256, 8, 0);
    assert_string_equal(data_describe(s), "built-in copy/Zipf source");
    data_close(s);
    data_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_marginal),
        cmocka_unit_test(test_entropy_of_draws),
        cmocka_unit_test(test_entropy_of_counts),
        cmocka_unit_test(test_entropy_enumerated),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_differs),
        cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
