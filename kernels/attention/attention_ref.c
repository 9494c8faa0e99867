/* SPDX-License-Identifier: Apache-2.0
 *
 * Attention in plain C, one query row or one key row at a time, FP64 inside. Builds anywhere and needs no scratch. The
 * gradients of queries and of keys each recompute the scores, so rows are independent of each other. */
#include <math.h>

#include "attention/attention.h"
#include "scalar.h"

#define POLL_FLOPS 2e5 /* scalar FP64: about 100 us */

struct row {
    int64_t b, h, t; /* batch, head, token */
};
static struct row row_of(int64_t i, int64_t heads, int64_t seq) {
    return (struct row){i / seq / heads, i / seq % heads, i % seq};
}

static void load(enum kernel_dtype t, const void *p, int64_t i, int64_t n, double *x) {
    for (int64_t c = 0; c < n; c++) x[c] = (double)scalar_get(t, p, i + c);
}
static void store(enum kernel_dtype t, void *p, int64_t i, int64_t n, const double *x) {
    for (int64_t c = 0; c < n; c++) scalar_put(t, p, i + c, (float)x[c]);
}
/* Writes a result, or adds `keep` times what is there. */
static void put(const struct kernel_attention *a, void *p, int64_t i, double keep, double *x) {
    double old[ATTENTION_HEAD_MAX];
    if (a->add && keep != 0) {
        load(KERNEL_F32, p, i, a->head_dim, old);
        for (int64_t c = 0; c < a->head_dim; c++) x[c] += keep * old[c];
    }
    store(attention_out(a), p, i, a->head_dim, x);
}
static double dot(int64_t n, const double *x, const double *y) {
    double sum = 0;
    for (int64_t c = 0; c < n; c++) sum += x[c] * y[c];
    return sum;
}
static void add(int64_t n, double factor, const double *x, double *y) {
    for (int64_t c = 0; c < n; c++) y[c] += factor * x[c];
}

/* of query r, whose vector is q, and key j, whose vector is k */
static double score(const struct kernel_attention *a, struct row r, int64_t j, const double *q, const double *k) {
    int64_t distance = a->k_offset + j - a->q_offset - r.t;
    return dot(a->head_dim, q, k) * (double)a->scale + (double)attention_slope(a, r.h) * (double)distance;
}

static void forward_row(const struct kernel_attention *a, struct row r) {
    double q[ATTENTION_HEAD_MAX], k[ATTENTION_HEAD_MAX], v[ATTENTION_HEAD_MAX], o[ATTENTION_HEAD_MAX] = {0};
    double highest = -INFINITY, sum = 0;
    int64_t d = a->head_dim, kv = r.h / (a->heads / a->kv_heads);
    load(a->dtype, a->q, attention_q(a, r.b, r.h, r.t), d, q);
    struct kernel_range keys = attention_keys_seen(a, r.t);
    for (int64_t j = keys.begin; j < keys.end; j++) {
        load(a->dtype, a->k, attention_kv(a, r.b, kv, j), d, k);
        load(a->dtype, a->v, attention_kv(a, r.b, kv, j), d, v);
        double s = score(a, r, j, q, k);
        if (s > highest) { /* rescale what was summed so far */
            double keep = exp(highest - s);
            for (int64_t c = 0; c < d; c++) o[c] *= keep;
            sum *= keep;
            highest = s;
        }
        double p = exp(s - highest);
        sum += p;
        add(d, p, v, o);
    }
    float *lse = &a->lse[attention_lse(a, r.b, r.h, r.t)];
    const double mine = highest + log(sum); /* no key seen: -infinity */
    struct attention_shares shares = {0, 1};
    if (a->add)
        shares = attention_merge(lse, mine);
    else
        *lse = (float)mine;
    for (int64_t c = 0; c < d && sum != 0; c++) o[c] *= shares.new / sum;
    put(a, a->o, attention_o(a, r.b, r.h, r.t), shares.old, o);
}

void kernel_attention_forward_ref(const struct kernel_team *team, const struct kernel_attention *a) {
#pragma omp parallel num_threads(team->threads)
    {
        struct attention_pace pace = {team, POLL_FLOPS, 0};
        struct kernel_range range = kernel_share(a->batch * a->heads * a->seq_q, 1);
        for (int64_t i = range.begin; i < range.end; i++) {
            forward_row(a, row_of(i, a->heads, a->seq_q));
            attention_step(&pace, 4.0 * (double)(a->seq_k * a->head_dim));
        }
    }
}

/* One query and what its gradients need. */
struct query {
    struct row r;
    double q[ATTENTION_HEAD_MAX], d_o[ATTENTION_HEAD_MAX];
    double lse, rowsum; /* rowsum: dO * O */
};
static void query_load(const struct kernel_attention *a, struct row r, struct query *x) {
    double o[ATTENTION_HEAD_MAX];
    x->r = r;
    load(a->dtype, a->q, attention_q(a, r.b, r.h, r.t), a->head_dim, x->q);
    load(a->dtype, a->d_o, attention_o(a, r.b, r.h, r.t), a->head_dim, x->d_o);
    load(a->dtype, a->o, attention_o(a, r.b, r.h, r.t), a->head_dim, o);
    x->rowsum = dot(a->head_dim, x->d_o, o);
    x->lse = (double)a->lse[attention_lse(a, r.b, r.h, r.t)];
}

/* The probability of key j, whose vector is k, for a query that sees it (so its lse is finite), and the gradient of
 * q.k. */
static double probability(const struct kernel_attention *a, const struct query *x, int64_t j, const double *k) {
    return exp(score(a, x->r, j, x->q, k) - x->lse);
}
static double score_gradient(const struct kernel_attention *a, const struct query *x, double p, const double *v) {
    return p * (dot(a->head_dim, x->d_o, v) - x->rowsum) * (double)a->scale;
}

static void query_gradient(const struct kernel_attention *a, struct row r) {
    double k[ATTENTION_HEAD_MAX], v[ATTENTION_HEAD_MAX], dq[ATTENTION_HEAD_MAX] = {0};
    int64_t d = a->head_dim, kv = r.h / (a->heads / a->kv_heads);
    struct query x;
    query_load(a, r, &x);
    struct kernel_range keys = attention_keys_seen(a, r.t);
    for (int64_t j = keys.begin; j < keys.end; j++) {
        load(a->dtype, a->k, attention_kv(a, r.b, kv, j), d, k);
        load(a->dtype, a->v, attention_kv(a, r.b, kv, j), d, v);
        add(d, score_gradient(a, &x, probability(a, &x, j, k), v), k, dq);
    }
    put(a, a->dq, attention_q(a, r.b, r.h, r.t), 1, dq);
}

static void key_gradient(const struct kernel_attention *a, struct row r) {
    double k[ATTENTION_HEAD_MAX], v[ATTENTION_HEAD_MAX], dk[ATTENTION_HEAD_MAX] = {0}, dv[ATTENTION_HEAD_MAX] = {0};
    int64_t d = a->head_dim, at = attention_kv(a, r.b, r.h, r.t), group = a->heads / a->kv_heads;
    struct kernel_range queries = attention_queries_seeing(a, r.t);
    struct query x;
    load(a->dtype, a->k, at, d, k);
    load(a->dtype, a->v, at, d, v);
    for (int64_t h = r.h * group; h < (r.h + 1) * group; h++)
        for (int64_t i = queries.begin; i < queries.end; i++) {
            query_load(a, (struct row){r.b, h, i}, &x);
            double p = probability(a, &x, r.t, k);
            add(d, score_gradient(a, &x, p, v), x.q, dk);
            add(d, p, x.d_o, dv);
        }
    put(a, a->dk, at, 1, dk);
    put(a, a->dv, at, 1, dv);
}

void kernel_attention_backward_ref(const struct kernel_team *team, const struct kernel_attention *a) {
#pragma omp parallel num_threads(team->threads)
    {
        struct attention_pace pace = {team, POLL_FLOPS, 0};
        struct kernel_range queries = kernel_share(a->batch * a->heads * a->seq_q, 1);
        for (int64_t i = queries.begin; i < queries.end; i++) {
            query_gradient(a, row_of(i, a->heads, a->seq_q));
            attention_step(&pace, 6.0 * (double)(a->seq_k * a->head_dim));
        }
        struct kernel_range keys = kernel_share(a->batch * a->kv_heads * a->seq_k, 1);
        for (int64_t i = keys.begin; i < keys.end; i++) {
            key_gradient(a, row_of(i, a->kv_heads, a->seq_k));
            attention_step(&pace, 10.0 * (double)(a->seq_q * a->head_dim * (a->heads / a->kv_heads)));
        }
    }
}
