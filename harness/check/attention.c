/* SPDX-License-Identifier: Apache-2.0
 *
 * Recomputes sampled rows of a finished attention call in FP64, by the definition, and bounds what rounding
 * explains. */
#include "check/attention.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "check/matrix.h"
#include "check/rounding.h"

enum { SAMPLES = 6 };
#define FLUSHED 0x1p-126 /* FP32's least normal: smaller exponentials become 0, and sums lack them */

/* Offsets of one (sequence, head) into each buffer. rounded: the unit by which the kernel rounds a weight, if not
 * FP32's. Such errors are independent of each other, so those of a sum grow as a random walk. */
struct view {
    const struct kernel_attention *a;
    double rounded;
    int64_t b, h, q, kv, o, lse;
};

static struct view view_of(const struct kernel_ops *ops, const struct kernel_attention *a, int64_t b, int64_t h) {
    const int64_t kv_head = h / (a->heads / a->kv_heads);
    const enum kernel_dtype weights = kernel_attention_weights(ops, a->dtype);
    return (struct view){.a = a,
                         .rounded = weights == KERNEL_F32 ? 0 : check_unit(weights),
                         .b = b,
                         .h = h,
                         .q = b * a->seq_q * a->q_row + h * a->q_head,
                         .kv = b * a->seq_k * a->kv_row + kv_head * a->kv_head,
                         .o = b * a->seq_q * a->o_row + h * a->o_head,
                         .lse = (b * a->heads + h) * a->seq_q};
}

static double dot(const struct view *v, const void *x, int64_t at_x, const void *y, int64_t at_y) {
    double sum = 0;
    for (int64_t i = 0; i < v->a->head_dim; i++)
        sum += check_matrix_at(v->a->dtype, x, at_x + i) * check_matrix_at(v->a->dtype, y, at_y + i);
    return sum;
}
static void add(const struct view *v, double factor, const void *x, int64_t at, double *sum) {
    for (int64_t i = 0; i < v->a->head_dim; i++) sum[i] += factor * check_matrix_at(v->a->dtype, x, at + i);
}
static bool sees(const struct view *v, int64_t i, int64_t j) {
    const int64_t past = v->a->q_offset + i - v->a->k_offset - j;
    return past >= 0 && (v->a->window == 0 || past < v->a->window);
}
/* ALiBi's addend to a score. */
static double bias(const struct view *v, int64_t i, int64_t j) {
    return v->a->slopes ? v->a->slopes[v->h] * (double)(v->a->k_offset + j - v->a->q_offset - i) : 0;
}
static double score(const struct view *v, int64_t i, int64_t j) {
    return v->a->scale * dot(v, v->a->q, v->q + i * v->a->q_row, v->a->k, v->kv + j * v->a->kv_row) + bias(v, i, j);
}

/* |x - truth| over what rounding explains: one unit of the stored value, plus `explained` for the FP32 arithmetic. */
static double residual(const struct view *v, const void *x, int64_t at, const double *truth, double explained) {
    double error = 0, norm = 0;
    for (int64_t i = 0; i < v->a->head_dim; i++) {
        double d = check_matrix_at(v->a->dtype, x, at + i) - truth[i];
        error += d * d;
        norm += truth[i] * truth[i];
    }
    double unit = check_unit(v->a->dtype) * sqrt(norm) + explained + FLUSHED * sqrt((double)v->a->head_dim);
    return error == 0 ? 0 : sqrt(error) / unit;
}

static double length(const struct view *v, const void *x, int64_t at) {
    return sqrt(dot(v, x, at, x, at));
}

/* By how many rounding units the softmax's exponent at (i, j) may be off. Its products have the size of |q||k|, however
 * small their sum is; the bias adds its own size. */
static double slack(const struct view *v, int64_t i, int64_t j) {
    const double q = length(v, v->a->q, v->q + i * v->a->q_row), k = length(v, v->a->k, v->kv + j * v->a->kv_row);
    return 1 + v->a->scale * q * k + fabs(bias(v, i, j));
}

/* The most that a factor e^d adds to a weight p. If e^d exceeds FP64's range, p may have underflowed, so any error is
 * possible. */
static double growth(double p, double d) {
    return d < 700 ? p * expm1(d) : 1e300;
}

/* How errors in a row's exponents change its weights. Each exponent is off by at most d_j = 4 units of its slack. So
 * p_j becomes p_j e^(+-d_j) over a changed sum. That sum is between e^-mean (Jensen's inequality) and e^most times the
 * true one. Saturated scores may be far off; then a weight may be anything from 0 to 1. */
struct spread {
    double mean, most; /* sum of p_j d_j; log of the sum of p_j e^d_j */
};
static struct spread spread_of(const struct view *v, int64_t i, const double *p) {
    struct spread s = {0, 0};
    double sum = 0;
    for (int64_t j = 0; j < v->a->seq_k; j++) {
        if (!sees(v, i, j)) continue;
        const double d = 4 * check_unit(KERNEL_F32) * slack(v, i, j);
        s.mean += p[j] * d;
        sum += growth(p[j], d);
    }
    s.most = log1p(sum);
    return s;
}
/* By how much the weight at (i, j) may be off: about 8 units of the slack if that is small. */
static double weight_error(const struct view *v, struct spread s, int64_t i, int64_t j, double p) {
    const double d = 4 * check_unit(KERNEL_F32) * slack(v, i, j);
    return FLUSHED + fmax(fmin(1 - p, growth(p, d + s.mean)), -p * expm1(-d - s.most));
}

/* Writes row i of the softmax to p; returns its log-sum-exp. */
static double softmax(const struct view *v, int64_t i, double *p) {
    double max = -INFINITY, sum = 0;
    for (int64_t j = 0; j < v->a->seq_k; j++) {
        p[j] = sees(v, i, j) ? score(v, i, j) : -INFINITY;
        max = fmax(max, p[j]);
    }
    for (int64_t j = 0; j < v->a->seq_k; j++) sum += p[j] = max == -INFINITY ? 0 : exp(p[j] - max);
    for (int64_t j = 0; j < v->a->seq_k && sum > 0; j++) p[j] /= sum;
    return max + log(sum);
}

static double forward_row(const struct view *v, int64_t i, double *p, double *out) {
    double size = 0, walk = 0, lse = softmax(v, i, p);
    const struct spread spread = spread_of(v, i, p);
    memset(out, 0, (size_t)v->a->head_dim * sizeof *out);
    for (int64_t j = 0; j < v->a->seq_k; j++) {
        if (!sees(v, i, j)) continue;
        add(v, p[j], v->a->v, v->kv + j * v->a->kv_row, out);
        const double of_v = length(v, v->a->v, v->kv + j * v->a->kv_row);
        size += weight_error(v, spread, i, j, p[j]) * of_v;
        walk += pow(v->rounded * p[j] * of_v, 2);
    }
    double of_lse = fabs(v->a->lse[v->lse + i] - lse) / (2 * spread.most + 8 * check_unit(KERNEL_F32) * fabs(lse));
    double of_o = residual(v, v->a->o, v->o + i * v->a->o_row, out, size + sqrt(walk));
    return fmax(of_o, isinf(lse) ? 0 : of_lse);
}

/* The gradient of score (i, j), from the query's p and the stored o. */
static double d_score(const struct view *v, int64_t i, int64_t j, double p) {
    const struct kernel_attention *a = v->a;
    const int64_t row = v->o + i * a->o_row;
    return p * (dot(v, a->d_o, row, a->v, v->kv + j * a->kv_row) - dot(v, a->d_o, row, a->o, row)) * a->scale;
}

static double backward_query(const struct view *v, int64_t i, double *p, double *dq) {
    double size = 0, walk = 0;
    softmax(v, i, p);
    const struct spread spread = spread_of(v, i, p);
    memset(dq, 0, (size_t)v->a->head_dim * sizeof *dq);
    for (int64_t j = 0; j < v->a->seq_k; j++) {
        if (!sees(v, i, j)) continue;
        double ds = d_score(v, i, j, p[j]),
               bound = weight_error(v, spread, i, j, p[j]) * v->a->scale *
                       length(v, v->a->d_o, v->o + i * v->a->o_row) *
                       (length(v, v->a->v, v->kv + j * v->a->kv_row) + length(v, v->a->o, v->o + i * v->a->o_row));
        add(v, ds, v->a->k, v->kv + j * v->a->kv_row, dq);
        const double of_k = length(v, v->a->k, v->kv + j * v->a->kv_row);
        size += bound * of_k;
        walk += pow(v->rounded * ds * of_k, 2);
    }
    return residual(v, v->a->dq, v->q + i * v->a->q_row, dq, size + sqrt(walk));
}

/* Gradients of key and value j. They sum over all query heads of the group; p comes from the stored log-sum-exp. */
static double backward_key(const struct kernel_ops *ops, const struct kernel_attention *a, int64_t b, int64_t kv_head,
                           int64_t j, double *dk, double *dv) {
    const int64_t group = a->heads / a->kv_heads;
    double size_k = 0, size_v = 0, walk_k = 0, walk_v = 0;
    struct view v = view_of(ops, a, b, kv_head * group);
    memset(dk, 0, (size_t)a->head_dim * sizeof *dk);
    memset(dv, 0, (size_t)a->head_dim * sizeof *dv);
    for (int64_t h = kv_head * group; h < (kv_head + 1) * group; h++) {
        v = view_of(ops, a, b, h);
        for (int64_t i = 0; i < a->seq_q; i++) {
            if (!sees(&v, i, j)) continue;
            const int64_t row = v.o + i * a->o_row, q = v.q + i * a->q_row;
            const double s = score(&v, i, j), p = exp(s - a->lse[v.lse + i]);
            const double d_o = length(&v, a->d_o, row),
                         off = FLUSHED +
                               growth(p, 8 * check_unit(KERNEL_F32) * (slack(&v, i, j) + fabs(a->lse[v.lse + i])));
            const double ds = d_score(&v, i, j, p);
            add(&v, ds, a->q, q, dk);
            add(&v, p, a->d_o, row, dv);
            const double of_q = length(&v, a->q, q);
            size_v += off * d_o;
            size_k += off * a->scale * d_o * of_q * (length(&v, a->v, v.kv + j * a->kv_row) + length(&v, a->o, row));
            walk_v += pow(v.rounded * p * d_o, 2), walk_k += pow(v.rounded * ds * of_q, 2);
        }
    }
    return fmax(residual(&v, a->dk, v.kv + j * a->kv_row, dk, size_k + sqrt(walk_k)),
                residual(&v, a->dv, v.kv + j * a->kv_row, dv, size_v + sqrt(walk_v)));
}

static int64_t draw(uint64_t seed, int64_t index, int64_t below) {
    return (int64_t)(base_random_u64(seed, BASE_STREAM_GATE + 1, (uint64_t)index) % (uint64_t)below);
}

double check_attention_forward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                               double *space) {
    double worst = 0;
    for (int s = 0; s < SAMPLES; s++) {
        struct view v = view_of(ops, a, draw(seed, 3 * s, a->batch), draw(seed, 3 * s + 1, a->heads));
        /* always sample the last row: no row sees more keys */
        int64_t i = s == 0 ? a->seq_q - 1 : draw(seed, 3 * s + 2, a->seq_q);
        double r = forward_row(&v, i, space, space + a->seq_k);
        if (!(r <= worst)) worst = isnan(r) ? INFINITY : r;
    }
    return worst;
}

double check_attention_backward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                                double *space) {
    double worst = 0;
    for (int s = 0; s < SAMPLES; s++) {
        const int64_t b = draw(seed, 4 * s, a->batch), h = draw(seed, 4 * s + 1, a->heads);
        struct view v = view_of(ops, a, b, h);
        double q = backward_query(&v, draw(seed, 4 * s + 2, a->seq_q), space, space + a->seq_k);
        double k = backward_key(ops, a, b, h / (a->heads / a->kv_heads), draw(seed, 4 * s + 3, a->seq_k),
                                space + a->seq_k, space + a->seq_k + a->head_dim);
        double r = fmax(isnan(q) ? INFINITY : q, isnan(k) ? INFINITY : k);
        if (r > worst) worst = r;
    }
    return worst;
}
