/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of matmul and attention, for operations.h. */
#ifndef TOISE_TESTS_OPERATIONS_DENSE_H
#define TOISE_TESTS_OPERATIONS_DENSE_H

#include "unit/support/operands.h"

enum { OPERATION_HEAD_MAX = 256 };

static void gemm_sizes(struct operation *o) {
    struct kernel_gemm *g = &o->gemm;
    g->m = o->rows, g->n = o->cols, g->k = o->depth, g->in = o->dtype;
    g->out = o->options & OPTION_ADD_TO ? KERNEL_F32 : o->dtype;
    g->a_trans = o->options & OPTION_FIRST, g->b_trans = o->options & OPTION_SECOND;
    o->gap = o->options & OPTION_GAPS ? 3 : 0;
}
static void gemm_take_b(struct operation *o) {
    struct kernel_gemm *g = &o->gemm;
    const int64_t rows = g->b_trans ? g->n : g->k, cols = g->b_trans ? g->k : g->n;
    g->ldb = cols + o->gap;
    g->b = operand_numbers(o, OPERAND_IN, g->b_trans ? 0 : BY_COLUMN, g->in, rows, cols);
}
static void gemm_take_packed(struct operation *o) {
    const int64_t gap = o->gap, bytes = kernel_gemm_packed_bytes(o->ops, &o->gemm);
    struct kernel_blocking b;
    kernel_gemm_blocking(o->ops, NULL, o->gemm.in, &b);
    const enum kernel_dtype t = b.numbers == 2 ? KERNEL_BF16 : KERNEL_F32; /* dtype of a packed number */
    o->gap = 0, o->aligned = true;
    o->z = operand_numbers(o, OPERAND_OUT, 0, t, 1, bytes / (int64_t)kernel_dtype_bytes(t));
    o->gap = gap, o->aligned = false;
}
static bool prepare_gemm_pack(struct operation *o) {
    gemm_sizes(o);
    gemm_take_b(o);
    gemm_take_packed(o);
    return true;
}
static void run_gemm_pack(const struct kernel_team *team, struct operation *o) {
    team->ops->gemm_pack(team, &o->gemm, o->z);
}

/* Besides layouts, bias, D and accumulation: B packed by run_gemm_ready(), and the epilogues. Rows of C come from
 * rows of A, and columns of C from columns of B. */
static bool prepare_gemm(struct operation *o) {
    struct kernel_gemm *g = &o->gemm;
    const bool add_to = o->options & OPTION_ADD_TO;
    gemm_sizes(o);
    const int64_t rows = g->a_trans ? g->k : g->m, cols = g->a_trans ? g->m : g->k, gap = o->gap;
    g->lda = cols + gap, g->ldc = g->n + gap;
    g->a = operand_numbers(o, OPERAND_IN, g->a_trans ? 0 : BY_ROW, g->in, rows, cols);
    gemm_take_b(o);
    if (o->options & OPTION_PACKED) { /* the packed one is read instead */
        o->byte -= (double)(g->n * g->k) * (double)kernel_dtype_bytes(g->in);
        gemm_take_packed(o);
    }
    if (o->options & OPTION_THIRD) {
        g->bias = operand_numbers(o, OPERAND_IN, BY_COLUMN, g->in, 1, g->n);
        if (!add_to) g->d = operand_numbers(o, OPERAND_IN, BY_BOTH, g->out, g->m, g->n);
    }
    g->c = operand_numbers(o, add_to ? OPERAND_INOUT : OPERAND_OUT, BY_BOTH, g->out, g->m, g->n);
    if (add_to) g->d = g->c;
    if (o->options & OPTION_GELU) {
        g->epilogue = KERNEL_EPILOGUE_GELU;
        g->y = operand_numbers(o, OPERAND_OUT, BY_BOTH, g->out, g->m, g->n);
    } else if (o->options & OPTION_GELU_GRAD) {
        g->epilogue = KERNEL_EPILOGUE_GELU_GRAD;
        g->x = operand_numbers(o, OPERAND_IN, BY_BOTH, g->out, g->m, g->n);
    }
    o->flop = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    return true;
}
static void run_gemm(const struct kernel_team *team, struct operation *o) {
    team->ops->gemm(team, &o->gemm);
}

/* No operands: it describes the table itself. */
static bool prepare_gemm_blocking(struct operation *o) {
    (void)o;
    return true;
}
static void run_gemm_blocking(const struct kernel_team *team, struct operation *o) {
    struct kernel_blocking b;
    team->ops->gemm_blocking(team->caches, o->dtype, &b);
    o->result = (double)b.kc;
}

/* One sequence of o->rows tokens, o->depth heads of o->cols. Options: half the heads for keys, a window, slopes. */
static void attention_operands(struct operation *o) {
    struct kernel_attention *a = &o->attention;
    const enum kernel_dtype t = o->dtype;
    o->gap = o->options & OPTION_GAPS ? 3 : 0;
    a->batch = 1, a->heads = o->depth, a->seq_q = a->seq_k = o->rows, a->dtype = t;
    a->kv_heads = o->options & OPTION_FIRST && o->depth % 2 == 0 ? o->depth / 2 : o->depth;
    a->head_dim = a->q_head = a->kv_head = a->o_head = o->cols;
    a->q_row = a->o_row = a->heads * o->cols + o->gap, a->kv_row = a->kv_heads * o->cols + o->gap;
    a->scale = 1 / sqrtf((float)o->cols);
    a->window = o->options & OPTION_SECOND ? 1 + o->rows / 8 : 0;
    a->q = operand_numbers(o, OPERAND_IN, BY_ROW, t, o->rows, a->heads * o->cols);
    a->k = operand_numbers(o, OPERAND_IN, 0, t, o->rows, a->kv_heads * o->cols);
    a->v = operand_numbers(o, OPERAND_IN, 0, t, o->rows, a->kv_heads * o->cols);
    for (int64_t i = 1; i <= a->seq_q; i++) /* keys that query i - 1 sees */
        o->flop += (double)(a->window && a->window < i ? a->window : i) * (double)(a->heads * a->head_dim);
    if (o->options & OPTION_THIRD) a->slopes = (float *)operand_numbers(o, OPERAND_IN, 0, KERNEL_F32, 1, a->heads);
}
static bool prepare_attention_forward(struct operation *o) {
    struct kernel_attention *a = &o->attention;
    attention_operands(o);
    o->flop *= 4;
    a->o = operand_numbers(o, OPERAND_OUT, BY_ROW, o->dtype, o->rows, a->heads * o->cols);
    a->lse = (float *)operand_numbers(o, OPERAND_OUT, 0, KERNEL_F32, 1, a->heads * o->rows);
    return o->cols <= OPERATION_HEAD_MAX;
}
static void run_attention_forward(const struct kernel_team *team, struct operation *o) {
    team->ops->attention_forward(team, &o->attention);
}
/* o and lse are arbitrary numbers; backward takes them as they are. */
static bool prepare_attention_backward(struct operation *o) {
    struct kernel_attention *a = &o->attention;
    const int64_t q = o->depth * o->cols;
    attention_operands(o);
    o->flop *= 10;
    a->o = operand_numbers(o, OPERAND_IN, BY_ROW, o->dtype, o->rows, q);
    a->d_o = operand_numbers(o, OPERAND_IN, BY_ROW, o->dtype, o->rows, q);
    a->dq = operand_numbers(o, OPERAND_OUT, BY_ROW, o->dtype, o->rows, q);
    a->dk = operand_numbers(o, OPERAND_OUT, 0, o->dtype, o->rows, a->kv_heads * o->cols);
    a->dv = operand_numbers(o, OPERAND_OUT, 0, o->dtype, o->rows, a->kv_heads * o->cols);
    o->gap = 0;
    a->lse = (float *)operand_positive(o, OPERAND_IN, 0, KERNEL_F32, 1, a->heads * o->rows);
    return o->cols <= OPERATION_HEAD_MAX;
}
static void run_attention_backward(const struct kernel_team *team, struct operation *o) {
    team->ops->attention_backward(team, &o->attention);
}

#endif
