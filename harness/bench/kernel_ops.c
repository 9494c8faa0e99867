/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of operations. A function per operation calls the kernel on the operands that its row lists.
 * cross_entropy_combine and the router are left out: a few numbers per row are too little to time. */
#include "bench/kernel_ops.h"

#include <math.h>
#include <string.h>

typedef const struct kernel_team team_t;
typedef const struct bench_kernel_case case_t;

/* The order of a norm's operands. */
enum { NORM_X, NORM_GAIN, NORM_BIAS, NORM_MEAN, NORM_RSTD, NORM_OUT, NORM_DX, NORM_DBIAS };

struct kernel_gemm bench_kernel_gemm(case_t *c, void *const *x) {
    const struct bench_kernel_shape *s = &c->shape;
    const bool packed = x[BENCH_PACKED_B] != NULL;
    return (struct kernel_gemm){.m = s->m,
                                .n = s->n,
                                .k = s->k,
                                .a_trans = s->a_trans,
                                .b_trans = s->b_trans,
                                .in = c->dtype,
                                .out = s->c_f32 ? KERNEL_F32 : c->dtype,
                                .a = x[0],
                                .b = packed ? x[BENCH_PACKED_B] : x[1],
                                .b_packed = packed,
                                .c = x[2],
                                .d = s->accumulate ? x[2] : NULL,
                                .lda = s->a_trans ? s->m : s->k,
                                .ldb = s->b_trans ? s->k : s->n,
                                .ldc = s->n};
}
static void call_gemm(team_t *t, case_t *c, void *const *x) {
    const struct kernel_gemm g = bench_kernel_gemm(c, x);
    t->ops->gemm(t, &g);
}

struct kernel_attention bench_kernel_attention(case_t *c, void *const *x) {
    const struct bench_kernel_shape *s = &c->shape;
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
static void call_attention_forward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_attention a = bench_kernel_attention(c, x);
    t->ops->attention_forward(t, &a);
}
static void call_attention_backward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_attention a = bench_kernel_attention(c, x);
    t->ops->attention_backward(t, &a);
}

/* Input gradients are added to those of the residual path, as in the model. */
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
static void call_norm_forward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_norm l = norm(c, x);
    t->ops->norm_forward(t, &l);
}
static void call_norm_grad_input(team_t *t, case_t *c, void *const *x) {
    const struct kernel_norm l = norm(c, x);
    t->ops->norm_grad_input(t, &l);
}
static void call_norm_grad_params(team_t *t, case_t *c, void *const *x) {
    const struct kernel_norm l = norm(c, x);
    t->ops->norm_grad_params(t, &l);
}

static int64_t matrix(case_t *c) {
    return c->shape.rows * c->shape.cols;
}
static void call_gelu_forward(team_t *t, case_t *c, void *const *x) {
    t->ops->gelu_forward(t, c->dtype, matrix(c), x[0], x[1]);
}
static void call_gelu_backward(team_t *t, case_t *c, void *const *x) {
    t->ops->gelu_backward(t, c->dtype, matrix(c), x[0], x[1], x[2]);
}
static void call_swiglu_forward(team_t *t, case_t *c, void *const *x) {
    t->ops->swiglu_forward(
        t,
        &(struct kernel_swiglu){.rows = c->shape.rows, .cols = c->shape.cols, .dtype = c->dtype, .x = x[0], .y = x[1]});
}
static void call_swiglu_backward(team_t *t, case_t *c, void *const *x) {
    t->ops->swiglu_backward(
        t, &(struct kernel_swiglu){
               .rows = c->shape.rows, .cols = c->shape.cols, .dtype = c->dtype, .x = x[0], .dy = x[1], .dx = x[2]});
}
/* As with two experts a token: rows go to one of them in any order, and come back from both to be added. */
static struct kernel_rows moved(case_t *c, int64_t count, void *const *x) {
    return (struct kernel_rows){.rows = c->shape.rows,
                                .cols = c->shape.cols,
                                .count = count,
                                .in = c->dtype,
                                .out = c->dtype,
                                .index = x[0],
                                .x = x[1],
                                .d = x[2],
                                .y = x[2]};
}
static void call_rows_gather(team_t *t, case_t *c, void *const *x) {
    const struct kernel_rows k = moved(c, 1, x);
    t->ops->rows_gather(t, &k);
}
static void call_rows_sum(team_t *t, case_t *c, void *const *x) {
    const struct kernel_rows k = moved(c, 2, x);
    t->ops->rows_sum(t, &k);
}
static void call_rotary(team_t *t, case_t *c, void *const *x) {
    const struct bench_kernel_shape *s = &c->shape;
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
static void call_column_sum(team_t *t, case_t *c, void *const *x) {
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
static void call_cross_entropy_stats(team_t *t, case_t *c, void *const *x) {
    const struct kernel_cross_entropy k = cross_entropy(c, x);
    t->ops->cross_entropy_stats(t, &k);
}
static void call_cross_entropy_grad(team_t *t, case_t *c, void *const *x) {
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
static void call_embedding_forward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_embedding k = embedding(c, x);
    t->ops->embedding_forward(t, &k);
}
static void call_embedding_backward(team_t *t, case_t *c, void *const *x) {
    const struct kernel_embedding k = embedding(c, x);
    t->ops->embedding_backward(t, &k);
}

static void call_adamw(team_t *t, case_t *c, void *const *x) {
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
static void call_square_sum(team_t *t, case_t *c, void *const *x) {
    *(double *)x[1] = t->ops->square_sum(t, c->shape.n, x[0]);
}
static void call_to_bf16(team_t *t, case_t *c, void *const *x) {
    t->ops->to_bf16(t, c->shape.n, x[0], x[1]);
}
static void call_from_bf16(team_t *t, case_t *c, void *const *x) {
    t->ops->from_bf16(t, c->shape.n, x[0], x[1]);
}
static void call_zero(team_t *t, case_t *c, void *const *x) {
    t->ops->zero(t, c->shape.n, x[0]);
}
static void call_copy(team_t *t, case_t *c, void *const *x) {
    t->ops->copy(t, c->shape.n, x[0], x[1]);
}
static void call_triad(team_t *t, case_t *c, void *const *x) {
    t->ops->triad(t, c->shape.n, x[0], 0.5f, x[1], x[2]);
}

enum { F32 = 1 << KERNEL_F32, BF16 = 1 << KERNEL_BF16, BOTH = F32 | BF16 };

/* One operand: extent, type, use, contents. IN and OUT have the case's dtype. */
#define IN(extent)                                                                                                     \
    { BENCH_##extent, BENCH_OWN, BENCH_READ, BENCH_NORMAL }
#define OUT(extent)                                                                                                    \
    { BENCH_##extent, BENCH_OWN, BENCH_WRITE, BENCH_NORMAL }
#define AS(extent, type, use, fill)                                                                                    \
    { BENCH_##extent, BENCH_##type, BENCH_##use, BENCH_##fill }
#define NONE                                                                                                           \
    { BENCH_NOTHING, BENCH_OWN, BENCH_READ, BENCH_NORMAL }

#define OP(name, kind, dtypes, prepare, chain, ...)                                                                    \
    {                                                                                                                  \
#name, BENCH_SHAPE_##kind, dtypes, call_##name, prepare, BENCH_##chain, {                                      \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

const struct bench_kernel_op bench_kernel_ops[] = {
    OP(gemm, MATMUL, BOTH, NULL, ONE, IN(A), IN(B), AS(C, OF_C, WRITE, NORMAL)),
    OP(attention_forward, ATTENTION, BOTH, NULL, ONE, IN(QKV), OUT(O), AS(LSE, F32, WRITE, NORMAL),
       AS(SLOPES, F32, READ, SLOPE)),
    OP(attention_backward, ATTENTION, BOTH, call_attention_forward, ONE, IN(QKV), IN(O), AS(LSE, F32, READ, NORMAL),
       AS(SLOPES, F32, READ, SLOPE), IN(O), OUT(QKV)),
    OP(norm_forward, ROWS, BOTH, NULL, COLS, IN(MATRIX), IN(COLS), IN(BIAS), AS(MEANS, F32, WRITE, NORMAL),
       AS(ROWS, F32, WRITE, NORMAL), OUT(MATRIX)),
    OP(norm_grad_input, ROWS, BOTH, NULL, COLS, IN(MATRIX), IN(COLS), NONE, AS(MEANS, F32, READ, NORMAL),
       AS(ROWS, F32, READ, POSITIVE), IN(MATRIX), AS(MATRIX, OWN, UPDATE, NORMAL)),
    OP(norm_grad_params, ROWS, BOTH, NULL, ROWS, IN(MATRIX), NONE, NONE, AS(MEANS, F32, READ, NORMAL),
       AS(ROWS, F32, READ, POSITIVE), IN(MATRIX), AS(COLS, F32, UPDATE, NORMAL), AS(BIAS, F32, UPDATE, NORMAL)),
    OP(gelu_forward, ROWS, BOTH, NULL, ONE, IN(MATRIX), OUT(MATRIX)),
    OP(gelu_backward, ROWS, BOTH, NULL, ONE, IN(MATRIX), IN(MATRIX), OUT(MATRIX)),
    OP(swiglu_forward, ROWS, BOTH, NULL, ONE, IN(WIDE), OUT(MATRIX)),
    OP(swiglu_backward, ROWS, BOTH, NULL, ONE, IN(WIDE), IN(MATRIX), OUT(WIDE)),
    OP(rows_gather, ROWS, BOTH, NULL, ONE, AS(ROWS, I32, READ, PERMUTED), IN(MATRIX), OUT(MATRIX)),
    OP(rows_sum, ROWS, BOTH, NULL, ONE, AS(PAIRS, I32, READ, PERMUTED), IN(WIDE), AS(MATRIX, OWN, UPDATE, NORMAL)),
    OP(rotary, ROWS, BOTH, NULL, ONE, AS(MATRIX, OWN, UPDATE, NORMAL), AS(ANGLES, F32, READ, TURN),
       AS(ANGLES, F32, READ, TURN)),
    OP(column_sum, ROWS, BOTH, NULL, ROWS, IN(MATRIX), AS(COLS, F32, UPDATE, NORMAL)),
    OP(cross_entropy_stats, ROWS, F32, NULL, COLS, AS(MATRIX, F32, READ, NORMAL), AS(ROWS, I32, READ, INDEX),
       AS(ROWS, F32, WRITE, NORMAL), AS(ROWS, F32, WRITE, NORMAL), AS(ROWS, F32, WRITE, NORMAL)),
    OP(cross_entropy_grad, ROWS, BOTH, call_cross_entropy_stats, ONE, AS(MATRIX, F32, READ, NORMAL),
       AS(ROWS, I32, READ, INDEX), AS(ROWS, F32, READ, NORMAL), AS(ROWS, F32, READ, NORMAL),
       AS(ROWS, F32, READ, NORMAL), OUT(MATRIX)),
    OP(embedding_forward, ROWS, BOTH, NULL, ONE, AS(ROWS, I32, READ, INDEX), IN(TABLE), IN(POSITIONS), OUT(MATRIX)),
    OP(embedding_backward, ROWS, BOTH, NULL, ROWS, AS(ROWS, I32, READ, INDEX), AS(TABLE, F32, UPDATE, NORMAL),
       AS(POSITIONS, F32, UPDATE, NORMAL), IN(MATRIX)),
    OP(adamw, VECTOR, BOTH, NULL, ONE, AS(VECTOR, F32, UPDATE, NORMAL), AS(VECTOR, F32, UPDATE, NORMAL),
       AS(VECTOR, F32, UPDATE, POSITIVE), AS(VECTOR, F32, READ, NORMAL), AS(HALF, BF16, WRITE, NORMAL)),
    OP(square_sum, VECTOR, F32, NULL, ONE, AS(VECTOR, F32, READ, NORMAL), AS(ONE, F64, WRITE, NORMAL)),
    OP(to_bf16, VECTOR, BF16, NULL, ONE, AS(VECTOR, F32, READ, NORMAL), OUT(VECTOR)),
    OP(from_bf16, VECTOR, BF16, NULL, ONE, IN(VECTOR), AS(VECTOR, F32, WRITE, NORMAL)),
    OP(zero, VECTOR, F32, NULL, ONE, OUT(VECTOR)),
    OP(copy, VECTOR, F32, NULL, ONE, IN(VECTOR), OUT(VECTOR)),
    OP(triad, VECTOR, F32, NULL, ONE, IN(VECTOR), IN(VECTOR), OUT(VECTOR)),
};
const int bench_kernel_op_count = sizeof bench_kernel_ops / sizeof *bench_kernel_ops;

const struct bench_kernel_op *bench_kernel_op(const char *name) {
    for (int i = 0; i < bench_kernel_op_count; i++)
        if (strcmp(bench_kernel_ops[i].name, name) == 0) return &bench_kernel_ops[i];
    return NULL;
}
