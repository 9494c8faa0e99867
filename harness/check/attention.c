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

enum { SAMPLES = CHECK_ATTENTION_ROWS / 3 };
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

/* The dtype of what the call writes. */
static enum kernel_dtype out_of(const struct kernel_attention *a) {
    return a->add ? KERNEL_F32 : a->dtype;
}

static double norm_of(int64_t n, const double *x) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* |x - truth| over what rounding explains: one unit of the stored value, plus `explained` for the FP32 arithmetic. */
static double residual(const struct view *v, const void *x, int64_t at, const double *truth, double explained) {
    double error = 0;
    for (int64_t i = 0; i < v->a->head_dim; i++) {
        double d = check_matrix_at(out_of(v->a), x, at + i) - truth[i];
        error += d * d;
    }
    double unit =
        check_unit(out_of(v->a)) * norm_of(v->a->head_dim, truth) + explained + FLUSHED * sqrt((double)v->a->head_dim);
    return isnan(error) ? INFINITY : error == 0 ? 0 : sqrt(error) / unit;
}

/* Adds what was there before to a gradient; returns what rounding that explains. */
static double add_before(const struct view *v, const double *before, double *truth) {
    for (int64_t i = 0; before && i < v->a->head_dim; i++) truth[i] += before[i];
    return before ? 2 * check_unit(KERNEL_F32) * norm_of(v->a->head_dim, before) : 0;
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

/* Merges a row of o and its log-sum-exp with what was there before, [head_dim] and the log-sum-exp. off: the
 * log-sum-exp's error, which is that of the shares. *explained: what rounding explains of the row. */
static void merge_before(const struct view *v, const double *before, double off, double *lse, double *out,
                         double *explained) {
    const int64_t d = v->a->head_dim;
    const double old = before[d], most = fmax(old, *lse);
    if (most == -INFINITY) return;
    const double all = most + log1p(exp(-fabs(old - *lse))), kept = exp(old - all), share = exp(*lse - all);
    double size = share * norm_of(d, out);
    for (int64_t x = 0; x < d; x++) out[x] = share * out[x] + (kept > 0 ? kept * before[x] : 0);
    if (kept > 0) size += kept * norm_of(d, before);
    *lse = all;
    *explained = share * *explained + size * expm1(off + 8 * check_unit(KERNEL_F32) * (1 + fabs(all)));
}

static double forward_row(const struct view *v, int64_t i, const double *before, double *p, double *out) {
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
    double explained = size + sqrt(walk),
           off = 2 * spread.most + 8 * check_unit(KERNEL_F32) * (isinf(lse) ? 0 : fabs(lse));
    if (before) merge_before(v, before, off, &lse, out, &explained);
    double of_lse = fabs(v->a->lse[v->lse + i] - lse) / (off + (before ? 8 * check_unit(KERNEL_F32) * fabs(lse) : 0));
    double of_o = residual(v, v->a->o, v->o + i * v->a->o_row, out, explained);
    return isinf(lse) ? of_o : isnan(of_lse) ? INFINITY : fmax(of_o, of_lse);
}

/* The gradient of score (i, j), from the query's p and the stored o. */
static double d_score(const struct view *v, int64_t i, int64_t j, double p) {
    const struct kernel_attention *a = v->a;
    const int64_t row = v->o + i * a->o_row;
    return p * (dot(v, a->d_o, row, a->v, v->kv + j * a->kv_row) - dot(v, a->d_o, row, a->o, row)) * a->scale;
}

/* The weight at (i, j) by the stored log-sum-exp, and by how much it may be off. */
static double stored_weight(const struct view *v, int64_t i, int64_t j) {
    return exp(score(v, i, j) - v->a->lse[v->lse + i]);
}
static double stored_error(const struct view *v, int64_t i, int64_t j, double p) {
    return FLUSHED + growth(p, 8 * check_unit(KERNEL_F32) * (slack(v, i, j) + fabs(v->a->lse[v->lse + i])));
}

/* The keys may be a part of those that the query sees if it adds to what was before: then weights come from the stored
 * log-sum-exp. */
static double backward_query(const struct view *v, int64_t i, const double *before, double *p, double *dq) {
    double size = 0, walk = 0;
    if (before)
        for (int64_t j = 0; j < v->a->seq_k; j++) p[j] = sees(v, i, j) ? stored_weight(v, i, j) : 0;
    else
        softmax(v, i, p);
    const struct spread spread = before ? (struct spread){0, 0} : spread_of(v, i, p);
    memset(dq, 0, (size_t)v->a->head_dim * sizeof *dq);
    for (int64_t j = 0; j < v->a->seq_k; j++) {
        if (!sees(v, i, j)) continue;
        double ds = d_score(v, i, j, p[j]),
               off = before ? stored_error(v, i, j, p[j]) : weight_error(v, spread, i, j, p[j]),
               bound = off * v->a->scale * length(v, v->a->d_o, v->o + i * v->a->o_row) *
                       (length(v, v->a->v, v->kv + j * v->a->kv_row) + length(v, v->a->o, v->o + i * v->a->o_row));
        add(v, ds, v->a->k, v->kv + j * v->a->kv_row, dq);
        const double of_k = length(v, v->a->k, v->kv + j * v->a->kv_row);
        size += bound * of_k;
        walk += pow(v->rounded * ds * of_k, 2);
    }
    size += add_before(v, before, dq);
    return residual(v, v->a->dq, v->q + i * v->a->q_row, dq, size + sqrt(walk));
}

/* Gradients of key and value j. They sum over all query heads of the group; p comes from the stored log-sum-exp. */
static double backward_key(const struct kernel_ops *ops, const struct kernel_attention *a, int64_t b, int64_t kv_head,
                           int64_t j, const double *before, double *dk, double *dv) {
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
            const double p = stored_weight(&v, i, j), d_o = length(&v, a->d_o, row), off = stored_error(&v, i, j, p);
            const double ds = d_score(&v, i, j, p);
            add(&v, ds, a->q, q, dk);
            add(&v, p, a->d_o, row, dv);
            const double of_q = length(&v, a->q, q);
            size_v += off * d_o;
            size_k += off * a->scale * d_o * of_q * (length(&v, a->v, v.kv + j * a->kv_row) + length(&v, a->o, row));
            walk_v += pow(v.rounded * p * d_o, 2), walk_k += pow(v.rounded * ds * of_q, 2);
        }
    }
    size_k += add_before(&v, before, dk);
    size_v += add_before(&v, before ? before + a->head_dim + 1 : NULL, dv);
    return fmax(residual(&v, a->dk, v.kv + j * a->kv_row, dk, size_k + sqrt(walk_k)),
                residual(&v, a->dv, v.kv + j * a->kv_row, dv, size_v + sqrt(walk_v)));
}

static int64_t draw(uint64_t seed, int64_t index, int64_t below) {
    return (int64_t)(base_random_u64(seed, BASE_STREAM_GATE + 1, (uint64_t)index) % (uint64_t)below);
}

/* The rows of sample s. */
struct sample {
    int64_t b, h, query, key;
};
static struct sample sample_of(const struct kernel_attention *a, uint64_t seed, int64_t s) {
    /* always the last query: none sees more keys */
    return (struct sample){draw(seed, 4 * s, a->batch), draw(seed, 4 * s + 1, a->heads),
                           s ? draw(seed, 4 * s + 2, a->seq_q) : a->seq_q - 1, draw(seed, 4 * s + 3, a->seq_k)};
}

static void save(const struct kernel_attention *a, const void *x, int64_t at, double *row) {
    for (int64_t i = 0; i < a->head_dim; i++) row[i] = check_matrix_at(KERNEL_F32, x, at + i);
}

void check_attention_before(const struct kernel_attention *a, bool backward, uint64_t seed, double *before) {
    for (int64_t s = 0; s < SAMPLES; s++) {
        const struct sample at = sample_of(a, seed, s);
        const int64_t kv = (at.b * a->seq_k + at.key) * a->kv_row + at.h / (a->heads / a->kv_heads) * a->kv_head;
        double *row = before + 3 * s * (a->head_dim + 1);
        if (!backward) {
            save(a, a->o, (at.b * a->seq_q + at.query) * a->o_row + at.h * a->o_head, row);
            row[a->head_dim] = (double)a->lse[(at.b * a->heads + at.h) * a->seq_q + at.query];
            continue;
        }
        save(a, a->dq, (at.b * a->seq_q + at.query) * a->q_row + at.h * a->q_head, row);
        save(a, a->dk, kv, row + a->head_dim + 1), save(a, a->dv, kv, row + 2 * (a->head_dim + 1));
    }
}

double check_attention_forward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                               const double *before, double *space) {
    double worst = 0;
    for (int64_t s = 0; s < SAMPLES; s++) {
        const struct sample at = sample_of(a, seed, s);
        const struct view v = view_of(ops, a, at.b, at.h);
        const double *row = before ? before + 3 * s * (a->head_dim + 1) : NULL;
        double r = forward_row(&v, at.query, row, space, space + a->seq_k);
        if (!(r <= worst)) worst = isnan(r) ? INFINITY : r;
    }
    return worst;
}

double check_attention_backward(const struct kernel_ops *ops, const struct kernel_attention *a, uint64_t seed,
                                const double *before, double *space) {
    double worst = 0;
    for (int64_t s = 0; s < SAMPLES; s++) {
        const struct sample at = sample_of(a, seed, s);
        const struct view v = view_of(ops, a, at.b, at.h);
        const double *row = before ? before + 3 * s * (a->head_dim + 1) : NULL;
        double q = backward_query(&v, at.query, row, space, space + a->seq_k);
        double k = backward_key(ops, a, at.b, at.h / (a->heads / a->kv_heads), at.key,
                                row ? row + a->head_dim + 1 : NULL, space + a->seq_k, space + a->seq_k + a->head_dim);
        double r = fmax(isnan(q) ? INFINITY : q, isnan(k) ? INFINITY : k);
        if (r > worst) worst = r;
    }
    return worst;
}
