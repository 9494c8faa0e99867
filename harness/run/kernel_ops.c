/* SPDX-License-Identifier: Apache-2.0
 *
 * The table, and the calls it names. cross_entropy_combine, three numbers a row, is nothing to time. */
#include "run/kernel_ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plan/ledger.h"

typedef const struct kernel_team team_t;
typedef const struct run_kernel_case case_t;

/* Where an operand stands in a norm's list. */
enum { NORM_X, NORM_GAIN, NORM_BIAS, NORM_MEAN, NORM_RSTD, NORM_OUT, NORM_DX, NORM_DBIAS };

struct kernel_gemm run_kernel_gemm(case_t *c, void *const *x) {
    const struct run_kernel_shape *s = &c->shape;
    return (struct kernel_gemm){.m = s->m,
                                .n = s->n,
                                .k = s->k,
                                .a_trans = s->a_trans,
                                .b_trans = s->b_trans,
                                .in = c->dtype,
                                .out = s->c_f32 ? KERNEL_F32 : c->dtype,
                                .a = x[0],
                                .b = x[1],
                                .c = x[2],
                                .d = s->accumulate ? x[2] : NULL,
                                .lda = s->a_trans ? s->m : s->k,
                                .ldb = s->b_trans ? s->k : s->n,
                                .ldc = s->n};
}
static void gemm(team_t *t, case_t *c, void *const *x) {
    const struct kernel_gemm g = run_kernel_gemm(c, x);
    t->ops->gemm(t, &g);
}

struct kernel_attention run_kernel_attention(case_t *c, void *const *x) {
    const struct run_kernel_shape *s = &c->shape;
    const int64_t d = s->head_dim, row = (s->heads + 2 * s->kv_heads) * d, size = (int64_t)kernel_dtype_bytes(c->dtype);
    const int64_t k_at = s->heads * d * size, v_at = k_at + s->kv_heads * d * size;
    char *q = x[0], *dq = x[5];
    return (struct kernel_attention){.batch = s->batch,
                                     .heads = s->heads,
                                     .kv_heads = s->kv_heads,
                                     .seq_q = s->seq,
                                     .seq_k = s->seq,
                                     .head_dim = d,
                                     .window = s->window,
                                     .slopes = x[3],
                                     .scale = 1.0f / sqrtf((float)d),
                                     .dtype = c->dtype,
                                     .q = q,
                                     .k = q + k_at,
                                     .v = q + v_at,
                                     .q_row = row,
                                     .q_head = d,
                                     .kv_row = row,
                                     .kv_head = d,
                                     .o_row = s->heads * d,
                                     .o_head = d,
                                     .o = x[1],
                                     .lse = x[2],
                                     .d_o = x[4],
                                     .dq = dq,
                                     .dk = dq ? dq + k_at : NULL,
                                     .dv = dq ? dq + v_at : NULL};
}
static void attention_forward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_attention a = run_kernel_attention(c, x);
    t->ops->attention_forward(t, &a);
}
static void attention_backward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_attention a = run_kernel_attention(c, x);
    t->ops->attention_backward(t, &a);
}

/* Gradients of inputs are added to those of the residual path, as the model has it. */
static struct kernel_norm norm(case_t *c, void *const *x) {
    return (struct kernel_norm){.rows = c->shape.rows,
                                .cols = c->shape.cols,
                                .dtype = c->dtype,
                                .eps = 1e-5f,
                                .x = x[NORM_X],
                                .gain = x[NORM_GAIN],
                                .bias = x[NORM_BIAS],
                                .mean = x[NORM_MEAN],
                                .rstd = x[NORM_RSTD],
                                .y = x[NORM_OUT],
                                .dy = x[NORM_OUT],
                                .dx_add = x[NORM_DX],
                                .dx = x[NORM_DX],
                                .dgain = x[NORM_DX],
                                .dbias = x[NORM_DBIAS]};
}
static void norm_forward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_norm l = norm(c, x);
    t->ops->norm_forward(t, &l);
}
static void norm_grad_input(team_t *t, case_t *c, void *const *x) {
    const struct kernel_norm l = norm(c, x);
    t->ops->norm_grad_input(t, &l);
}
static void norm_grad_params(team_t *t, case_t *c, void *const *x) {
    const struct kernel_norm l = norm(c, x);
    t->ops->norm_grad_params(t, &l);
}

static int64_t matrix(case_t *c) {
    return c->shape.rows * c->shape.cols;
}
static void gelu_forward(team_t *t, case_t *c, void *const *x) {
    t->ops->gelu_forward(t, c->dtype, matrix(c), x[0], x[1]);
}
static void gelu_backward(team_t *t, case_t *c, void *const *x) {
    t->ops->gelu_backward(t, c->dtype, matrix(c), x[0], x[1], x[2]);
}
static void swiglu_forward(team_t *t, case_t *c, void *const *x) {
    t->ops->swiglu_forward(t, c->dtype, c->shape.rows, c->shape.cols, x[0], x[1]);
}
static void swiglu_backward(team_t *t, case_t *c, void *const *x) {
    t->ops->swiglu_backward(t, c->dtype, c->shape.rows, c->shape.cols, x[0], x[1], x[2]);
}
static void rotary(team_t *t, case_t *c, void *const *x) {
    const struct run_kernel_shape *s = &c->shape;
    t->ops->rotary(t, &(struct kernel_rotary){.rows = s->rows,
                                              .seq = s->seq,
                                              .heads = s->cols / s->head_dim,
                                              .head_dim = s->head_dim,
                                              .row = s->cols,
                                              .head = s->head_dim,
                                              .dtype = c->dtype,
                                              .cos = x[1],
                                              .sin = x[2],
                                              .x = x[0]});
}
static void column_sum(team_t *t, case_t *c, void *const *x) {
    t->ops->column_sum(t, c->dtype, c->shape.rows, c->shape.cols, x[0], x[1]);
}

static struct kernel_cross_entropy cross_entropy(case_t *c, void *const *x) {
    return (struct kernel_cross_entropy){.rows = c->shape.rows,
                                         .vocab = c->shape.cols,
                                         .ld = c->shape.cols,
                                         .logits = x[0],
                                         .targets = x[1],
                                         .max = x[2],
                                         .sum = x[3],
                                         .target_logit = x[4],
                                         .scale = 1,
                                         .dtype = c->dtype,
                                         .dlogits = x[5]};
}
static void cross_entropy_stats(team_t *t, case_t *c, void *const *x) {
    const struct kernel_cross_entropy k = cross_entropy(c, x);
    t->ops->cross_entropy_stats(t, &k);
}
static void cross_entropy_grad(team_t *t, case_t *c, void *const *x) {
    const struct kernel_cross_entropy k = cross_entropy(c, x);
    t->ops->cross_entropy_grad(t, &k);
}

static struct kernel_embedding embedding(case_t *c, void *const *x) {
    return (struct kernel_embedding){.rows = c->shape.rows,
                                     .cols = c->shape.cols,
                                     .seq = c->shape.seq,
                                     .dtype = c->dtype,
                                     .tokens = x[0],
                                     .token_table = x[1],
                                     .position_table = x[2],
                                     .x = x[3],
                                     .dx = x[3],
                                     .dtoken = x[1],
                                     .dposition = x[2]};
}
static void embedding_forward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_embedding k = embedding(c, x);
    t->ops->embedding_forward(t, &k);
}
static void embedding_backward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_embedding k = embedding(c, x);
    t->ops->embedding_backward(t, &k);
}

static void adamw(team_t *t, case_t *c, void *const *x) {
    t->ops->adamw(t, &(struct kernel_adamw){.n = c->shape.n,
                                            .w = x[0],
                                            .m = x[1],
                                            .v = x[2],
                                            .grad = x[3],
                                            .copy = x[4],
                                            .lr = 1e-3f,
                                            .beta1 = 0.9f,
                                            .beta2 = 0.95f,
                                            .eps = 1e-8f,
                                            .decay = 0.1f,
                                            .correction1 = 0.5f,
                                            .correction2 = 0.5f,
                                            .grad_scale = 1});
}
static void square_sum(team_t *t, case_t *c, void *const *x) {
    *(double *)x[1] = t->ops->square_sum(t, c->shape.n, x[0]);
}
static void to_bf16(team_t *t, case_t *c, void *const *x) {
    t->ops->to_bf16(t, c->shape.n, x[0], x[1]);
}
static void from_bf16(team_t *t, case_t *c, void *const *x) {
    t->ops->from_bf16(t, c->shape.n, x[0], x[1]);
}
static void zero(team_t *t, case_t *c, void *const *x) {
    t->ops->zero(t, c->shape.n, x[0]);
}
static void copy(team_t *t, case_t *c, void *const *x) {
    t->ops->copy(t, c->shape.n, x[0], x[1]);
}
static void triad(team_t *t, case_t *c, void *const *x) {
    t->ops->triad(t, c->shape.n, x[0], 0.5f, x[1], x[2]);
}

enum { F32 = 1 << KERNEL_F32, BF16 = 1 << KERNEL_BF16, BOTH = F32 | BF16 };

/* One operand each: extent, type, use, what it holds. IN and OUT have the case's dtype. */
#define IN(extent)                                                                                                     \
    { RUN_##extent, RUN_OWN, RUN_READ, RUN_NORMAL }
#define OUT(extent)                                                                                                    \
    { RUN_##extent, RUN_OWN, RUN_WRITE, RUN_NORMAL }
#define AS(extent, type, use, fill)                                                                                    \
    { RUN_##extent, RUN_##type, RUN_##use, RUN_##fill }
#define NONE                                                                                                           \
    { RUN_NOTHING, RUN_OWN, RUN_READ, RUN_NORMAL }

const struct run_kernel_op run_kernel_ops[] = {
    {"gemm", RUN_SHAPE_MATMUL, BOTH, gemm, NULL, RUN_ONE, {IN(A), IN(B), AS(C, OF_C, WRITE, NORMAL)}},
    {"attention_forward",
     RUN_SHAPE_ATTENTION,
     BOTH,
     attention_forward,
     NULL,
     RUN_ONE,
     {IN(QKV), OUT(O), AS(LSE, F32, WRITE, NORMAL), AS(SLOPES, F32, READ, SLOPE)}},
    {"attention_backward",
     RUN_SHAPE_ATTENTION,
     BOTH,
     attention_backward,
     attention_forward,
     RUN_ONE,
     {IN(QKV), IN(O), AS(LSE, F32, READ, NORMAL), AS(SLOPES, F32, READ, SLOPE), IN(O), OUT(QKV)}},
    {"norm_forward",
     RUN_SHAPE_ROWS,
     BOTH,
     norm_forward,
     NULL,
     RUN_COLS,
     {IN(MATRIX), IN(COLS), IN(BIAS), AS(MEANS, F32, WRITE, NORMAL), AS(ROWS, F32, WRITE, NORMAL), OUT(MATRIX)}},
    {"norm_grad_input",
     RUN_SHAPE_ROWS,
     BOTH,
     norm_grad_input,
     NULL,
     RUN_COLS,
     {IN(MATRIX), IN(COLS), NONE, AS(MEANS, F32, READ, NORMAL), AS(ROWS, F32, READ, POSITIVE), IN(MATRIX),
      AS(MATRIX, OWN, UPDATE, NORMAL)}},
    {"norm_grad_params",
     RUN_SHAPE_ROWS,
     BOTH,
     norm_grad_params,
     NULL,
     RUN_ROWS,
     {IN(MATRIX), NONE, NONE, AS(MEANS, F32, READ, NORMAL), AS(ROWS, F32, READ, POSITIVE), IN(MATRIX),
      AS(COLS, F32, UPDATE, NORMAL), AS(BIAS, F32, UPDATE, NORMAL)}},
    {"gelu_forward", RUN_SHAPE_ROWS, BOTH, gelu_forward, NULL, RUN_ONE, {IN(MATRIX), OUT(MATRIX)}},
    {"gelu_backward", RUN_SHAPE_ROWS, BOTH, gelu_backward, NULL, RUN_ONE, {IN(MATRIX), IN(MATRIX), OUT(MATRIX)}},
    {"swiglu_forward", RUN_SHAPE_ROWS, BOTH, swiglu_forward, NULL, RUN_ONE, {IN(WIDE), OUT(MATRIX)}},
    {"swiglu_backward", RUN_SHAPE_ROWS, BOTH, swiglu_backward, NULL, RUN_ONE, {IN(WIDE), IN(MATRIX), OUT(WIDE)}},
    {"rotary",
     RUN_SHAPE_ROWS,
     BOTH,
     rotary,
     NULL,
     RUN_ONE,
     {AS(MATRIX, OWN, UPDATE, NORMAL), AS(ANGLES, F32, READ, TURN), AS(ANGLES, F32, READ, TURN)}},
    {"column_sum", RUN_SHAPE_ROWS, BOTH, column_sum, NULL, RUN_ROWS, {IN(MATRIX), AS(COLS, F32, UPDATE, NORMAL)}},
    {"cross_entropy_stats",
     RUN_SHAPE_ROWS,
     F32,
     cross_entropy_stats,
     NULL,
     RUN_COLS,
     {AS(MATRIX, F32, READ, NORMAL), AS(ROWS, I32, READ, INDEX), AS(ROWS, F32, WRITE, NORMAL),
      AS(ROWS, F32, WRITE, NORMAL), AS(ROWS, F32, WRITE, NORMAL)}},
    {"cross_entropy_grad",
     RUN_SHAPE_ROWS,
     BOTH,
     cross_entropy_grad,
     cross_entropy_stats,
     RUN_ONE,
     {AS(MATRIX, F32, READ, NORMAL), AS(ROWS, I32, READ, INDEX), AS(ROWS, F32, READ, NORMAL),
      AS(ROWS, F32, READ, NORMAL), AS(ROWS, F32, READ, NORMAL), OUT(MATRIX)}},
    {"embedding_forward",
     RUN_SHAPE_ROWS,
     BOTH,
     embedding_forward,
     NULL,
     RUN_ONE,
     {AS(ROWS, I32, READ, INDEX), IN(TABLE), IN(POSITIONS), OUT(MATRIX)}},
    {"embedding_backward",
     RUN_SHAPE_ROWS,
     BOTH,
     embedding_backward,
     NULL,
     RUN_ROWS,
     {AS(ROWS, I32, READ, INDEX), AS(TABLE, F32, UPDATE, NORMAL), AS(POSITIONS, F32, UPDATE, NORMAL), IN(MATRIX)}},
    {"adamw",
     RUN_SHAPE_VECTOR,
     BOTH,
     adamw,
     NULL,
     RUN_ONE,
     {AS(VECTOR, F32, UPDATE, NORMAL), AS(VECTOR, F32, UPDATE, NORMAL), AS(VECTOR, F32, UPDATE, POSITIVE),
      AS(VECTOR, F32, READ, NORMAL), AS(HALF, BF16, WRITE, NORMAL)}},
    {"square_sum",
     RUN_SHAPE_VECTOR,
     F32,
     square_sum,
     NULL,
     RUN_ONE,
     {AS(VECTOR, F32, READ, NORMAL), AS(ONE, F64, WRITE, NORMAL)}},
    {"to_bf16", RUN_SHAPE_VECTOR, BF16, to_bf16, NULL, RUN_ONE, {AS(VECTOR, F32, READ, NORMAL), OUT(VECTOR)}},
    {"from_bf16", RUN_SHAPE_VECTOR, BF16, from_bf16, NULL, RUN_ONE, {IN(VECTOR), AS(VECTOR, F32, WRITE, NORMAL)}},
    {"zero", RUN_SHAPE_VECTOR, F32, zero, NULL, RUN_ONE, {OUT(VECTOR)}},
    {"copy", RUN_SHAPE_VECTOR, F32, copy, NULL, RUN_ONE, {IN(VECTOR), OUT(VECTOR)}},
    {"triad", RUN_SHAPE_VECTOR, F32, triad, NULL, RUN_ONE, {IN(VECTOR), IN(VECTOR), OUT(VECTOR)}},
};
const int run_kernel_op_count = sizeof run_kernel_ops / sizeof *run_kernel_ops;

const struct run_kernel_op *run_kernel_op(const char *name) {
    for (int i = 0; i < run_kernel_op_count; i++)
        if (strcmp(run_kernel_ops[i].name, name) == 0) return &run_kernel_ops[i];
    return NULL;
}
