/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel table that only counts. */
#include "unit/support/counting.h"

#include <string.h>

static struct counting *counts;

static bool same(const struct plan_op *a, const struct plan_op *b) {
    return a->kind == b->kind && a->m == b->m && a->n == b->n && a->k == b->k && a->a_trans == b->a_trans &&
           a->b_trans == b->b_trans && a->in == b->in && a->out == b->out && a->batch == b->batch &&
           a->heads == b->heads && a->seq == b->seq && a->head_dim == b->head_dim && a->window == b->window;
}

static void add(const struct plan_op *op, double flop) {
    int i = 0;
    while (i < counts->count && !same(&counts->ops[i], op)) i++;
    if (i == counts->count && i < COUNTING_MAX) counts->ops[counts->count++] = *op;
    if (i < COUNTING_MAX) counts->ops[i].count++;
    counts->flop += flop;
}

static void gemm(const struct kernel_team *team, const struct kernel_gemm *g) {
    (void)team;
    const struct plan_op op = plan_op_of_gemm(g);
    add(&op, 2.0 * (double)g->m * (double)g->n * (double)g->k);
}

static void attention(const struct kernel_attention *a, bool backward) {
    add(&(struct plan_op){.kind = backward ? PLAN_ATTENTION_BACKWARD : PLAN_ATTENTION_FORWARD,
                          .batch = a->batch,
                          .heads = a->heads,
                          .seq = a->seq_q,
                          .head_dim = a->head_dim,
                          .window = a->window,
                          .in = a->dtype,
                          .out = a->dtype},
        plan_attention_flop_ahead(a->batch, a->heads, a->seq_q, a->q_offset - a->k_offset, a->window, a->head_dim,
                                  backward));
}
static void attention_forward(const struct kernel_team *team, const struct kernel_attention *a) {
    (void)team;
    attention(a, false);
}
static void attention_backward(const struct kernel_team *team, const struct kernel_attention *a) {
    (void)team;
    attention(a, true);
}

static void norm(const struct kernel_team *team, const struct kernel_norm *x) {
    (void)team, (void)x;
    counts->passes++;
}
static void gelu_forward(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, void *y) {
    (void)team, (void)t, (void)n, (void)x, (void)y;
    counts->passes++;
}
static void gelu_backward(const struct kernel_team *team, enum kernel_dtype t, int64_t n, const void *x, const void *dy,
                          void *dx) {
    (void)team, (void)t, (void)n, (void)x, (void)dy, (void)dx;
    counts->passes++;
}
static void swiglu(const struct kernel_team *team, const struct kernel_swiglu *x) {
    (void)team, (void)x;
    counts->passes++;
}
static void route(const struct kernel_team *team, const struct kernel_route *x) {
    (void)team, (void)x;
    counts->passes++;
}
static void rows(const struct kernel_team *team, const struct kernel_rows *x) {
    (void)team, (void)x;
    counts->passes++;
}
static void rotary(const struct kernel_team *team, const struct kernel_rotary *x) {
    (void)team, (void)x;
    counts->passes++;
}
static void column_sum(const struct kernel_team *team, enum kernel_dtype t, int64_t rows, int64_t cols, const void *x,
                       float *sum) {
    (void)team, (void)t, (void)rows, (void)cols, (void)x, (void)sum;
    counts->passes++;
}
static void cross_entropy(const struct kernel_team *team, const struct kernel_cross_entropy *x) {
    (void)team, (void)x;
    counts->passes++;
}
static void embedding(const struct kernel_team *team, const struct kernel_embedding *x) {
    (void)team, (void)x;
    counts->passes++;
}

static void to_bf16(const struct kernel_team *team, int64_t n, const float *x, kernel_bf16 *y) {
    (void)team, (void)n, (void)x, (void)y;
    counts->passes++;
}
static void from_bf16(const struct kernel_team *team, int64_t n, const kernel_bf16 *x, float *y) {
    (void)team, (void)n, (void)x, (void)y;
    counts->passes++;
}
static void zero(const struct kernel_team *team, int64_t n, float *x) {
    (void)team, (void)n, (void)x;
    counts->passes++;
}
static void copy(const struct kernel_team *team, int64_t n, const float *x, float *y) {
    (void)team, (void)n, (void)x, (void)y;
    counts->passes++;
}

static void triad(const struct kernel_team *team, int64_t n, const float *x, float s, const float *y, float *z) {
    (void)team, (void)n, (void)x, (void)s, (void)y, (void)z;
    counts->passes++;
}

void counting_open(struct counting *c, struct kernel_ops *ops) {
    memset(c, 0, sizeof *c);
    counts = c;
    *ops = (struct kernel_ops){.gemm = gemm,
                               .attention_forward = attention_forward,
                               .attention_backward = attention_backward,
                               .norm_forward = norm,
                               .to_bf16 = to_bf16,
                               .from_bf16 = from_bf16,
                               .zero = zero,
                               .copy = copy,
                               .triad = triad,
                               .norm_grad_input = norm,
                               .norm_grad_params = norm,
                               .gelu_forward = gelu_forward,
                               .gelu_backward = gelu_backward,
                               .swiglu_forward = swiglu,
                               .swiglu_backward = swiglu,
                               .route_forward = route,
                               .route_backward = route,
                               .rows_gather = rows,
                               .rows_sum = rows,
                               .rotary = rotary,
                               .column_sum = column_sum,
                               .cross_entropy_stats = cross_entropy,
                               .cross_entropy_combine = cross_entropy,
                               .cross_entropy_grad = cross_entropy,
                               .embedding_forward = embedding,
                               .embedding_backward = embedding};
}

double counting_of(const struct counting *c, const struct plan_op *op) {
    for (int i = 0; i < c->count; i++)
        if (same(&c->ops[i], op)) return c->ops[i].count;
    return 0;
}
