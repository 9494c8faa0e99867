/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of the passes over memory and of the peak loop, for operations.h. */
#ifndef TOISE_TESTS_OPERATIONS_ROWS_H
#define TOISE_TESTS_OPERATIONS_ROWS_H

#include "unit/support/operands.h"
#include "unit/support/operations_experts.h"

/* Options: RMSNorm, no bias, and something to add to the input's gradient. */
static void norm_operands(struct operation *o, enum operand_role kept, int by, int by_row) {
    struct kernel_norm *l = &o->norm;
    l->rows = o->rows, l->cols = o->cols, l->dtype = o->dtype, l->eps = 1e-5f;
    l->x = operand_numbers(o, OPERAND_IN, by, o->dtype, o->rows, o->cols);
    if (!(o->options & OPTION_FIRST)) l->mean = (float *)operand_numbers(o, kept, by_row, KERNEL_F32, o->rows, 1);
    l->rstd = (float *)operand_positive(o, kept, by_row, KERNEL_F32, o->rows, 1);
}
static bool prepare_norm_forward(struct operation *o) {
    struct kernel_norm *l = &o->norm;
    norm_operands(o, OPERAND_OUT, BY_ROW, BY_ROW);
    l->gain = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, 1, o->cols);
    if (!(o->options & OPTION_SECOND)) l->bias = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, 1, o->cols);
    l->y = operand_numbers(o, OPERAND_OUT, BY_BOTH, o->dtype, o->rows, o->cols);
    return true;
}
static bool prepare_norm_grad_input(struct operation *o) {
    struct kernel_norm *l = &o->norm;
    norm_operands(o, OPERAND_IN, BY_ROW, BY_ROW);
    l->gain = operand_numbers(o, OPERAND_IN, 0, o->dtype, 1, o->cols);
    l->dy = operand_numbers(o, OPERAND_IN, BY_ROW, o->dtype, o->rows, o->cols);
    if (o->options & OPTION_THIRD && !(o->options & OPTION_ADD_TO))
        l->dx_add = operand_numbers(o, OPERAND_IN, BY_BOTH, o->dtype, o->rows, o->cols);
    l->dx = operand_numbers(o, o->options & OPTION_ADD_TO ? OPERAND_INOUT : OPERAND_OUT, BY_BOTH, o->dtype, o->rows,
                            o->cols);
    if (o->options & OPTION_ADD_TO) l->dx_add = l->dx;
    return true;
}
static bool prepare_norm_grad_params(struct operation *o) {
    struct kernel_norm *l = &o->norm;
    norm_operands(o, OPERAND_IN, BY_COLUMN, 0);
    l->dy = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, o->rows, o->cols);
    l->dgain = (float *)operand_numbers(o, OPERAND_INOUT, BY_COLUMN, KERNEL_F32, 1, o->cols);
    if (!(o->options & OPTION_SECOND))
        l->dbias = (float *)operand_numbers(o, OPERAND_INOUT, BY_COLUMN, KERNEL_F32, 1, o->cols);
    return true;
}
static void run_norm_forward(const struct kernel_team *team, struct operation *o) {
    team->ops->norm_forward(team, &o->norm);
}
static void run_norm_grad_input(const struct kernel_team *team, struct operation *o) {
    team->ops->norm_grad_input(team, &o->norm);
}
static void run_norm_grad_params(const struct kernel_team *team, struct operation *o) {
    team->ops->norm_grad_params(team, &o->norm);
}

static bool prepare_gelu_forward(struct operation *o) {
    o->x = operand_numbers(o, OPERAND_IN, BY_BOTH, o->dtype, o->rows, o->cols);
    o->z = operand_numbers(o, OPERAND_OUT, BY_BOTH, o->dtype, o->rows, o->cols);
    return true;
}
static void run_gelu_forward(const struct kernel_team *team, struct operation *o) {
    team->ops->gelu_forward(team, o->dtype, o->rows * o->cols, o->x, o->z);
}
static bool prepare_gelu_backward(struct operation *o) {
    o->y = operand_numbers(o, OPERAND_IN, BY_BOTH, o->dtype, o->rows, o->cols);
    return prepare_gelu_forward(o);
}
static void run_gelu_backward(const struct kernel_team *team, struct operation *o) {
    team->ops->gelu_backward(team, o->dtype, o->rows * o->cols, o->x, o->y, o->z);
}
/* Option: weights of rows. */
static void swiglu_operands(struct operation *o) {
    struct kernel_swiglu *s = &o->swiglu;
    s->rows = o->rows, s->cols = o->cols, s->dtype = o->dtype;
    s->x = operand_numbers(o, OPERAND_IN, BY_ROW, o->dtype, o->rows, 2 * o->cols);
    if (o->options & OPTION_FIRST) s->weights = (float *)operand_numbers(o, OPERAND_IN, BY_ROW, KERNEL_F32, o->rows, 1);
}
static bool prepare_swiglu_forward(struct operation *o) {
    swiglu_operands(o);
    o->swiglu.y = operand_numbers(o, OPERAND_OUT, BY_ROW, o->dtype, o->rows, o->cols);
    return true;
}
static void run_swiglu_forward(const struct kernel_team *team, struct operation *o) {
    team->ops->swiglu_forward(team, &o->swiglu);
}
static bool prepare_swiglu_backward(struct operation *o) {
    struct kernel_swiglu *s = &o->swiglu;
    swiglu_operands(o);
    s->dy = operand_numbers(o, OPERAND_IN, BY_ROW, o->dtype, o->rows, o->cols);
    s->dx = operand_numbers(o, OPERAND_OUT, BY_ROW, o->dtype, o->rows, 2 * o->cols);
    if (o->options & OPTION_FIRST)
        s->dweights = (float *)operand_numbers(o, OPERAND_OUT, BY_ROW, KERNEL_F32, o->rows, 1);
    return true;
}
static void run_swiglu_backward(const struct kernel_team *team, struct operation *o) {
    team->ops->swiglu_backward(team, &o->swiglu);
}

/* Heads of cols numbers, rounded to even; positions wrap half way. Cosine and sine have length 1, so that numbers do
 * not grow. */
static bool prepare_rotary(struct operation *o) {
    struct kernel_rotary *k = &o->rotary;
    k->rows = o->rows, k->seq = o->rows / 2 + 1, k->heads = o->depth, k->dtype = o->dtype;
    k->head_dim = k->head = (o->cols + 1) / 2 * 2, k->inverse = o->options & OPTION_FIRST;
    k->cos = (float *)operand_numbers(o, OPERAND_IN, 0, KERNEL_F32, k->seq, k->head_dim / 2);
    k->sin = (float *)operand_numbers(o, OPERAND_IN, 0, KERNEL_F32, k->seq, k->head_dim / 2);
    o->gap = o->options & OPTION_GAPS ? 3 : 0;
    k->row = k->heads * k->head + o->gap;
    k->x = operand_numbers(o, OPERAND_INOUT, BY_ROW, o->dtype, o->rows, k->heads * k->head);
    return true;
}
static void run_rotary(const struct kernel_team *team, struct operation *o) {
    team->ops->rotary(team, &o->rotary);
}

static bool prepare_column_sum(struct operation *o) {
    o->x = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, o->rows, o->cols);
    o->z = operand_numbers(o, OPERAND_INOUT, BY_COLUMN, KERNEL_F32, 1, o->cols);
    return true;
}
static void run_column_sum(const struct kernel_team *team, struct operation *o) {
    team->ops->column_sum(team, o->dtype, o->rows, o->cols, o->x, (float *)o->z);
}

/* One shard of three; targets are inside and outside of it. */
static void entropy_operands(struct operation *o, enum operand_role stats) {
    struct kernel_cross_entropy *e = &o->entropy;
    e->rows = o->rows, e->vocab = o->cols, e->first = o->cols, e->scale = 0.5f, e->dtype = o->dtype;
    e->targets = (int32_t *)operand_integers(o, o->rows, 3 * o->cols);
    e->max = (float *)operand_positive(o, stats, BY_ROW, KERNEL_F32, o->rows, 1);
    e->sum = (float *)operand_positive(o, stats, BY_ROW, KERNEL_F32, o->rows, 1);
    o->gap = o->options & OPTION_GAPS ? 3 : 0;
    e->ld = o->cols + o->gap;
}
static bool prepare_cross_entropy_stats(struct operation *o) {
    entropy_operands(o, OPERAND_OUT);
    o->entropy.logits = (float *)operand_numbers(o, OPERAND_IN, BY_ROW, KERNEL_F32, o->rows, o->cols);
    o->gap = 0;
    o->entropy.target_logit = (float *)operand_numbers(o, OPERAND_OUT, BY_ROW, KERNEL_F32, o->rows, 1);
    return o->dtype == KERNEL_F32;
}
static bool prepare_cross_entropy_combine(struct operation *o) {
    entropy_operands(o, OPERAND_IN);
    o->gap = 0;
    o->entropy.target_logit = (float *)operand_numbers(o, OPERAND_IN, BY_ROW, KERNEL_F32, o->rows, 1);
    o->entropy.loss = (float *)operand_numbers(o, OPERAND_OUT, BY_ROW, KERNEL_F32, o->rows, 1);
    return o->dtype == KERNEL_F32;
}
static bool prepare_cross_entropy_grad(struct operation *o) {
    struct kernel_cross_entropy *e = &o->entropy;
    const bool in_place = o->options & OPTION_FIRST && o->dtype == KERNEL_F32;
    entropy_operands(o, OPERAND_IN);
    if (in_place) {
        e->dlogits = operand_numbers(o, OPERAND_INOUT, BY_ROW, KERNEL_F32, o->rows, o->cols);
        e->logits = (float *)e->dlogits;
    } else {
        e->logits = (float *)operand_numbers(o, OPERAND_IN, BY_ROW, KERNEL_F32, o->rows, o->cols);
        e->dlogits = operand_numbers(o, OPERAND_OUT, BY_ROW, o->dtype, o->rows, o->cols);
    }
    return true;
}
static void run_cross_entropy_stats(const struct kernel_team *team, struct operation *o) {
    team->ops->cross_entropy_stats(team, &o->entropy);
}
static void run_cross_entropy_combine(const struct kernel_team *team, struct operation *o) {
    team->ops->cross_entropy_combine(team, &o->entropy);
}
static void run_cross_entropy_grad(const struct kernel_team *team, struct operation *o) {
    team->ops->cross_entropy_grad(team, &o->entropy);
}

/* Tables of `depth` tokens and, as an option, of half as many positions as rows. All rows of tables count. */
static void embedding_sizes(struct operation *o) {
    struct kernel_embedding *e = &o->embedding;
    e->rows = o->rows, e->cols = o->cols, e->seq = o->rows / 2 + 1, e->position0 = 1, e->dtype = o->dtype;
    e->tokens = (int32_t *)operand_integers(o, o->rows, o->depth);
}
static bool prepare_embedding_forward(struct operation *o) {
    struct kernel_embedding *e = &o->embedding;
    embedding_sizes(o);
    e->token_table = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, o->depth, o->cols);
    if (o->options & OPTION_FIRST)
        e->position_table = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, e->seq + 1, o->cols);
    e->x = operand_numbers(o, OPERAND_OUT, BY_COLUMN, o->dtype, o->rows, o->cols);
    return true;
}
static bool prepare_embedding_backward(struct operation *o) {
    struct kernel_embedding *e = &o->embedding;
    embedding_sizes(o);
    e->dx = operand_numbers(o, OPERAND_IN, BY_COLUMN, o->dtype, o->rows, o->cols);
    e->dtoken = (float *)operand_numbers(o, OPERAND_INOUT, BY_COLUMN, KERNEL_F32, o->depth, o->cols);
    if (o->options & OPTION_FIRST)
        e->dposition = (float *)operand_numbers(o, OPERAND_INOUT, BY_COLUMN, KERNEL_F32, e->seq + 1, o->cols);
    return true;
}
static void run_embedding_forward(const struct kernel_team *team, struct operation *o) {
    team->ops->embedding_forward(team, &o->embedding);
}
static void run_embedding_backward(const struct kernel_team *team, struct operation *o) {
    team->ops->embedding_backward(team, &o->embedding);
}

static bool prepare_adamw(struct operation *o) {
    struct kernel_adamw *a = &o->adamw;
    a->n = o->rows * o->cols;
    a->lr = 1e-3f, a->beta1 = 0.9f, a->beta2 = 0.95f, a->eps = 1e-8f, a->decay = 0.1f;
    a->correction1 = 0.1f, a->correction2 = 0.05f, a->grad_scale = 0.5f;
    a->w = (float *)operand_numbers(o, OPERAND_INOUT, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    a->m = (float *)operand_numbers(o, OPERAND_INOUT, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    a->v = (float *)operand_positive(o, OPERAND_INOUT, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    a->grad = (float *)operand_numbers(o, OPERAND_IN, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    if (o->dtype == KERNEL_BF16)
        a->copy = (kernel_bf16 *)operand_numbers(o, OPERAND_OUT, BY_BOTH, KERNEL_BF16, o->rows, o->cols);
    return true;
}
static void run_adamw(const struct kernel_team *team, struct operation *o) {
    team->ops->adamw(team, &o->adamw);
}

/* Passes over FP32 numbers: from x, and y, to z. */
static bool prepare_square_sum(struct operation *o) {
    o->x = operand_numbers(o, OPERAND_IN, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    return o->dtype == KERNEL_F32;
}
static bool prepare_zero(struct operation *o) {
    o->z = operand_numbers(o, OPERAND_OUT, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    return o->dtype == KERNEL_F32;
}
static bool prepare_copy(struct operation *o) {
    return prepare_square_sum(o) && prepare_zero(o);
}
static bool prepare_triad(struct operation *o) {
    o->y = operand_numbers(o, OPERAND_IN, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    return prepare_copy(o);
}
/* o->dtype is the dtype that the conversion reads. */
static bool prepare_to_bf16(struct operation *o) {
    o->x = operand_numbers(o, OPERAND_IN, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    o->z = operand_numbers(o, OPERAND_OUT, BY_BOTH, KERNEL_BF16, o->rows, o->cols);
    return o->dtype == KERNEL_F32;
}
static bool prepare_from_bf16(struct operation *o) {
    o->x = operand_numbers(o, OPERAND_IN, BY_BOTH, KERNEL_BF16, o->rows, o->cols);
    o->z = operand_numbers(o, OPERAND_OUT, BY_BOTH, KERNEL_F32, o->rows, o->cols);
    return o->dtype == KERNEL_BF16;
}
static void run_square_sum(const struct kernel_team *team, struct operation *o) {
    o->result = team->ops->square_sum(team, o->rows * o->cols, (const float *)o->x);
}
static void run_zero(const struct kernel_team *team, struct operation *o) {
    team->ops->zero(team, o->rows * o->cols, (float *)o->z);
}
static void run_copy(const struct kernel_team *team, struct operation *o) {
    team->ops->copy(team, o->rows * o->cols, (const float *)o->x, (float *)o->z);
}
static void run_triad(const struct kernel_team *team, struct operation *o) {
    team->ops->triad(team, o->rows * o->cols, (const float *)o->x, 0.5f, (const float *)o->y, (float *)o->z);
}
static void run_to_bf16(const struct kernel_team *team, struct operation *o) {
    team->ops->to_bf16(team, o->rows * o->cols, (const float *)o->x, (kernel_bf16 *)o->z);
}
static void run_from_bf16(const struct kernel_team *team, struct operation *o) {
    team->ops->from_bf16(team, o->rows * o->cols, (const kernel_bf16 *)o->x, (float *)o->z);
}

/* o->rows rounds on the calling thread only. */
static bool prepare_peak(struct operation *o) {
    (void)o;
    return true;
}
static void run_peak(const struct kernel_team *team, struct operation *o) {
    o->flop = team->ops->peak(o->dtype, o->rows);
}
static bool prepare_tile_peak(struct operation *o) {
    return prepare_peak(o);
}
static void run_tile_peak(const struct kernel_team *team, struct operation *o) {
    o->flop = team->ops->tile_peak(o->dtype, o->rows);
}
/* One pass on the calling thread only. */
static bool prepare_stream(struct operation *o) {
    return o->options & OPTION_FIRST ? prepare_copy(o) : prepare_triad(o);
}
static void run_stream(const struct kernel_team *team, struct operation *o) {
    const enum kernel_stream kind = o->options & OPTION_FIRST ? KERNEL_STREAM_COPY : KERNEL_STREAM_TRIAD;
    team->ops->stream(kind, o->rows * o->cols, 1, (const float *)o->x, (const float *)o->y, (float *)o->z);
}

#endif
