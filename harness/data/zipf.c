/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws by inverse CDF from counter-based random numbers. One Philox block per token gives the choice to copy and the
 * draw. So a token takes tens of nanoseconds and no state is kept between calls. */
#include "data/zipf.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/random.h"
#include "data/data.h"
#include "data/sample.h"

/* x ln x; 0 at 0 */
static double xlogx(double x) {
    return x > 0 ? x * log(x) : 0;
}

/* Entropy of one draw of the law p(i) = 1 / ((i + 1) total), nats. Sums small terms first. */
static double zipf_entropy(int64_t vocab, double total) {
    double sum = 0;
    for (int64_t i = vocab - 1; i >= 0; i--) sum -= xlogx(1 / ((double)(i + 1) * total));
    return sum;
}

/* Let p be the Zipf law, H its entropy, c = DATA_COPY. Given the past, x[t] depends only on y = x[t - DATA_LAG]. Its
 * law is q_y = c delta_y + (1 - c) p, so H(q_y) = -sum over i != y of (1-c) p_i ln((1-c) p_i) - (c + (1-c) p_y) ln(c +
 * (1-c) p_y) = (1-c) (H - ln(1-c)) + (1-c) p_y ln((1-c) p_y) - (c + (1-c) p_y) ln(c + (1-c) p_y). If x[t - DATA_LAG]
 * follows p then x[t] does too (c p + (1-c) p = p). So y follows p at every t, and the conditional entropy is the sum
 * over y of p_y H(q_y). */
static double copy_entropy(int64_t vocab, double total, double h) {
    const double c = DATA_COPY, rest = 1 - c;
    double sum = 0;
    for (int64_t y = vocab - 1; y >= 0; y--) {
        double p = 1 / ((double)(y + 1) * total);
        sum += p * (xlogx(rest * p) - xlogx(c + rest * p));
    }
    return rest * h - xlogx(rest) + sum;
}

/* Targets are x[1..seq]. Those before x[DATA_LAG] are always drawn, so their entropy is H. */
static double sample_entropy(int64_t vocab, int64_t seq, double total) {
    double h = zipf_entropy(vocab, total);
    int64_t drawn = seq < DATA_LAG - 1 ? seq : DATA_LAG - 1;
    return ((double)drawn * h + (double)(seq - drawn) * copy_entropy(vocab, total, h)) / (double)seq;
}

int data_zipf_open(struct data_zipf *zipf, int64_t vocab, int64_t seq, struct base_error *e) {
    double *cdf = malloc((size_t)vocab * sizeof *cdf);
    if (!cdf)
        return base_fail(e, BASE_BROKEN, "no memory for the built-in source's table of %lld tokens", (long long)vocab);
    double total = 0, sum = 0;
    for (int64_t i = vocab - 1; i >= 0; i--) total += 1 / (double)(i + 1);
    for (int64_t i = 0; i < vocab; i++) {
        sum += 1 / (double)(i + 1);
        cdf[i] = sum / total;
    }
    cdf[vocab - 1] = 1; /* above every draw despite rounding */
    *zipf = (struct data_zipf){.vocab = vocab, .cdf = cdf, .entropy = sample_entropy(vocab, seq, total)};
    return BASE_OK;
}

void data_zipf_close(struct data_zipf *zipf) {
    free(zipf->cdf);
    *zipf = (struct data_zipf){0};
}

/* The first i with u < cdf[i]. */
static int32_t inverse_cdf(const double *restrict cdf, int64_t vocab, double u) {
    const double *low = cdf;
    for (int64_t n = vocab; n > 1; n -= n / 2) low += low[n / 2 - 1] <= u ? n / 2 : 0;
    return (int32_t)(low - cdf);
}

static double unit(uint32_t high, uint32_t low) {
    return (double)(((uint64_t)high << 32 | low) >> 11) * 0x1p-53;
}

void data_zipf_sample(const struct data_zipf *zipf, uint64_t seed, uint64_t sample, int64_t seq,
                      int32_t *restrict inputs, int32_t *restrict targets) {
    for (int64_t t = 0; t <= seq; t++) {
        uint32_t w[4];
        base_random_words(seed, data_sample_stream(sample), data_sample_index(sample, t), w);
        bool copied = t >= DATA_LAG && unit(w[2], w[3]) < DATA_COPY;
        int32_t x = copied ? inputs[t - DATA_LAG] : inverse_cdf(zipf->cdf, zipf->vocab, unit(w[0], w[1]));
        if (t < seq) inputs[t] = x;
        if (t > 0) targets[t - 1] = x;
    }
}
