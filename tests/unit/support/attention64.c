/* SPDX-License-Identifier: Apache-2.0
 *
 * FP64 attention and its error bounds, by the definition: one query at a time, with all its scores. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "unit/support/attention64.h"

#define EPS 0x1p-24        /* unit roundoff of FP32 */
#define FLUSHED 1.2e-38    /* e^x may be 0 if it is less than the smallest normal number */
#define UNDERFLOW 0x1p-148 /* what a rounding may lose among denormals */
#define ROUNDED 0x1.01p-8  /* a rounding to BF16, and the terms of second order */

int64_t attention64_q(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h) {
    return (b * a->seq_q + t) * a->q_row + h * a->q_head;
}
int64_t attention64_kv(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h) {
    return (b * a->seq_k + t) * a->kv_row + h * a->kv_head;
}
int64_t attention64_o(const struct kernel_attention *a, int64_t b, int64_t t, int64_t h) {
    return (b * a->seq_q + t) * a->o_row + h * a->o_head;
}

/* x.y, and the bound of its error in FP32 with one more factor and a few more roundings. For a score it includes the
 * bias. */
struct dot {
    double sum, size, bias, flushed; /* flushed: what denormals that count as zeros may change */
};
static struct dot dot_of(int64_t n, const double *x, const double *y, double factor) {
    struct dot d = {0, 0, 0, 0};
    for (int64_t c = 0; c < n; c++) {
        d.sum += x[c] * y[c], d.size += fabs(x[c] * y[c]);
        d.flushed += FLUSHED * (1 + fabs(x[c]) + fabs(y[c]));
    }
    return (struct dot){d.sum * factor, d.size * fabs(factor), 0, d.flushed * fabs(factor)};
}
/* In a bias the distance (beyond 2^24: its two parts), the product and the sum are rounded. */
static double dot_error(int64_t n, struct dot d) {
    return (double)(n + 4) * EPS * d.size + 4 * EPS * fabs(d.bias);
}

static bool sees(const struct kernel_attention *a, int64_t i, int64_t j) {
    int64_t query = a->q_offset + i, key = a->k_offset + j;
    return key <= query && (a->window == 0 || query - key < a->window);
}

/* of query i of head h, whose vector is q, and key j, whose vector is k */
static struct dot score_of(const struct kernel_attention *a, int64_t h, int64_t i, int64_t j, const double *q,
                           const double *k) {
    struct dot s = dot_of(a->head_dim, q, k, (double)a->scale);
    if (a->slopes) s.bias = (double)a->slopes[h] * (double)((a->k_offset + j) - (a->q_offset + i));
    s.sum += s.bias;
    return s;
}

static void zero(const struct kernel_attention *a, int64_t at, double *x, double *error, double *pairs) {
    for (int64_t c = 0; c < a->head_dim; c++) x[at + c] = error[at + c] = pairs[at + c] = 0;
}

/* A weight's relative error is that of its score, of the exponent's difference and of the sums. A mean of v errs by
 * each weight's error and by that of their sum. */
static void forward_row(const struct kernel_attention *a, struct attention64 *x, int64_t b, int64_t h, int64_t i,
                        double *weight, double *error) {
    const int64_t d = a->head_dim, kv = h / (a->heads / a->kv_heads), o = attention64_o(a, b, i, h);
    const double *q = x->q + attention64_q(a, b, i, h);
    double highest = -INFINITY, sum = 0, mean = 0, *lse = &x->lse[(b * a->heads + h) * a->seq_q + i];
    int64_t n = 0;
    for (int64_t j = 0; j < a->seq_k; j++) {
        if (!sees(a, i, j)) continue;
        struct dot s = score_of(a, h, i, j, q, x->k + attention64_kv(a, b, j, kv));
        weight[j] = s.sum;
        error[j] = dot_error(d, s);
        highest = fmax(highest, s.sum);
        n++;
    }
    for (int64_t j = 0; j < a->seq_k; j++) {
        if (!sees(a, i, j)) continue;
        error[j] = expm1(error[j] + EPS * (highest - weight[j] + (double)n + 16));
        sum += weight[j] = exp(weight[j] - highest);
    }
    zero(a, o, x->o, x->o_error, x->o_pairs);
    for (int64_t j = 0; j < a->seq_k; j++) mean += sees(a, i, j) ? weight[j] / sum * error[j] : 0;
    for (int64_t j = 0; j < a->seq_k; j++) {
        if (!sees(a, i, j)) continue;
        const double *v = x->v + attention64_kv(a, b, j, kv), w = weight[j] / sum;
        for (int64_t c = 0; c < d; c++) {
            x->o[o + c] += w * v[c];
            const double size = 2 * fabs(v[c]) * (w * (error[j] + mean) + FLUSHED) + UNDERFLOW;
            x->o_error[o + c] += size;
            x->o_pairs[o + c] += size + ROUNDED * w * fabs(v[c]) + FLUSHED * (2 + w);
        }
    }
    *lse = n ? highest + log(sum) : -INFINITY;
    x->lse_error[lse - x->lse] = n ? 2 * (mean + EPS * (fabs(highest) + fabs(*lse) + (double)n + 4)) : 0;
}

void attention64_forward(const struct kernel_attention *a, struct attention64 *x) {
    double *weight = malloc(2 * (size_t)(a->seq_k + 1) * sizeof *weight);
    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->seq_q; i++) forward_row(a, x, b, h, i, weight, weight + a->seq_k);
    free(weight);
}

/* What the query at q and o and the key at k add to all three gradients; s is their score. */
static void backward_pair(const struct kernel_attention *a, struct attention64 *x, int64_t q, int64_t k, int64_t o,
                          struct dot s, double lse, struct dot rowsum) {
    const int64_t d = a->head_dim;
    const double terms = (double)(a->seq_q * (a->heads / a->kv_heads) + a->seq_k + 4), scale = fabs((double)a->scale);
    struct dot dp = dot_of(d, x->d_o + o, x->v + k, 1);
    double p = exp(s.sum - lse), ds = p * (dp.sum - rowsum.sum);
    double p_error = p * expm1(dot_error(d, s) + EPS * (fabs(s.sum - lse) + 8)) + FLUSHED;
    if (s.sum - lse < -59) p_error += p; /* may count as 0 */
    double ds_error = p_error * fabs(dp.sum - rowsum.sum) + (p + p_error) * (dot_error(d, dp) + dot_error(d, rowsum));
    p_error = 2 * (p_error + terms * EPS * p);
    ds_error = 2 * (ds_error + terms * EPS * fabs(ds));
    const double p_pairs = p_error + ROUNDED * p + FLUSHED;
    const double ds_pairs = ds_error + ROUNDED * fabs(ds) + 2 * p * dp.flushed + FLUSHED;
    for (int64_t c = 0; c < d; c++) {
        x->dv[k + c] += p * x->d_o[o + c];
        x->dq[q + c] += ds * (double)a->scale * x->k[k + c];
        x->dk[k + c] += ds * (double)a->scale * x->q[q + c];
        x->dv_error[k + c] += p_error * fabs(x->d_o[o + c]) + UNDERFLOW;
        x->dq_error[q + c] += ds_error * scale * fabs(x->k[k + c]) + UNDERFLOW;
        x->dk_error[k + c] += ds_error * scale * fabs(x->q[q + c]) + UNDERFLOW;
        x->dv_pairs[k + c] += p_pairs * fabs(x->d_o[o + c]) + FLUSHED * (2 + p);
        x->dq_pairs[q + c] += scale * (ds_pairs * fabs(x->k[k + c]) + FLUSHED * (2 + fabs(ds)));
        x->dk_pairs[k + c] += scale * (ds_pairs * fabs(x->q[q + c]) + FLUSHED * (2 + fabs(ds)));
    }
}

void attention64_backward(const struct kernel_attention *a, struct attention64 *x) {
    for (int64_t b = 0; b < a->batch; b++) {
        for (int64_t h = 0; h < a->kv_heads; h++)
            for (int64_t j = 0; j < a->seq_k; j++) {
                zero(a, attention64_kv(a, b, j, h), x->dk, x->dk_error, x->dk_pairs);
                zero(a, attention64_kv(a, b, j, h), x->dv, x->dv_error, x->dv_pairs);
            }
        for (int64_t h = 0; h < a->heads; h++)
            for (int64_t i = 0; i < a->seq_q; i++) {
                int64_t q = attention64_q(a, b, i, h), o = attention64_o(a, b, i, h);
                struct dot rowsum = dot_of(a->head_dim, x->d_o + o, x->o + o, 1);
                zero(a, q, x->dq, x->dq_error, x->dq_pairs);
                for (int64_t j = 0; j < a->seq_k; j++) {
                    if (!sees(a, i, j)) continue;
                    int64_t k = attention64_kv(a, b, j, h / (a->heads / a->kv_heads));
                    backward_pair(a, x, q, k, o, score_of(a, h, i, j, x->q + q, x->k + k),
                                  x->lse[(b * a->heads + h) * a->seq_q + i], rowsum);
                }
            }
    }
}
