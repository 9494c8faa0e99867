/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls of a mixture's router and of moves of rows, for operations.h. */
#ifndef TOISE_TESTS_OPERATIONS_EXPERTS_H
#define TOISE_TESTS_OPERATIONS_EXPERTS_H

#include "unit/support/operands.h"

/* o->cols experts, of which o->depth are active; option: of sigmoids with a bias. Different experts in a row, where
 * they are read. */
static void route_choice(struct operation *o, enum operand_role role) {
    struct kernel_route *k = &o->route;
    struct operand *x = operand_take(o, role, BY_ROW, KERNEL_F32, k->rows, k->active);
    x->integers = true;
    k->choice = (int32_t *)x->data;
    for (int64_t i = 0; k->choice && role == OPERAND_IN && i < k->rows * k->active; i++)
        k->choice[i] = (int32_t)((i / k->active + i % k->active) % k->experts);
}
static void route_sizes(struct operation *o) {
    struct kernel_route *k = &o->route;
    k->rows = o->rows, k->experts = o->cols, k->active = o->depth < o->cols ? o->depth : o->cols, k->dtype = o->dtype;
    k->forced = o->options & OPTION_FIRST;
    k->sigmoid = o->options & OPTION_THIRD, k->scale = k->sigmoid ? 1.5f : 1;
}
static bool prepare_route_forward(struct operation *o) {
    struct kernel_route *k = &o->route;
    route_sizes(o);
    k->logits = (float *)operand_numbers(o, OPERAND_IN, BY_ROW, KERNEL_F32, k->rows, k->experts);
    if (k->sigmoid) k->bias = operand_numbers(o, OPERAND_IN, BY_COLUMN, k->dtype, 1, k->experts);
    k->probs = (float *)operand_numbers(o, OPERAND_OUT, BY_ROW, KERNEL_F32, k->rows, k->experts);
    route_choice(o, k->forced ? OPERAND_IN : OPERAND_OUT);
    k->weights = (float *)operand_numbers(o, OPERAND_OUT, BY_ROW, KERNEL_F32, k->rows, k->active);
    return k->sigmoid || o->dtype == KERNEL_F32;
}
/* Option: a gradient of the probs of one or two sequences. */
static bool prepare_route_backward(struct operation *o) {
    struct kernel_route *k = &o->route;
    route_sizes(o);
    k->seq = k->rows % 2 ? k->rows : k->rows / 2;
    k->probs = (float *)operand_positive(o, OPERAND_IN, BY_ROW, KERNEL_F32, k->rows, k->experts);
    route_choice(o, OPERAND_IN);
    k->weights = (float *)operand_positive(o, OPERAND_IN, BY_ROW, KERNEL_F32, k->rows, k->active);
    k->dweights = (float *)operand_numbers(o, OPERAND_IN, BY_ROW, KERNEL_F32, k->rows, k->active);
    if (o->options & OPTION_SECOND)
        k->dprobs = (float *)operand_numbers(o, OPERAND_IN, 0, KERNEL_F32, k->rows / k->seq, k->experts);
    k->dlogits = operand_numbers(o, OPERAND_OUT, BY_ROW, k->dtype, k->rows, k->experts);
    return true;
}
static void run_route_forward(const struct kernel_team *team, struct operation *o) {
    team->ops->route_forward(team, &o->route);
}
static void run_route_backward(const struct kernel_team *team, struct operation *o) {
    team->ops->route_backward(team, &o->route);
}

/* From as many rows as go to the result. Options: FP32 from rows of the dtype, or the other way round. */
static void rows_operands(struct operation *o, int64_t count) {
    struct kernel_rows *k = &o->moved;
    k->rows = o->rows, k->cols = o->cols, k->count = count;
    k->index = (int32_t *)operand_integers(o, o->rows * count, o->rows);
    k->x = operand_numbers(o, OPERAND_IN, BY_COLUMN, k->in, o->rows, o->cols);
}
static bool prepare_rows_gather(struct operation *o) {
    o->moved.in = o->moved.out = o->dtype;
    rows_operands(o, 1);
    o->moved.y = operand_numbers(o, OPERAND_OUT, BY_COLUMN, o->dtype, o->rows, o->cols);
    return true;
}
static bool prepare_rows_sum(struct operation *o) {
    struct kernel_rows *k = &o->moved;
    k->in = o->options & OPTION_FIRST ? KERNEL_F32 : o->dtype,
    k->out = o->options & OPTION_SECOND ? KERNEL_F32 : o->dtype;
    rows_operands(o, o->depth);
    if (o->options & OPTION_ADD_TO) {
        k->y = operand_numbers(o, OPERAND_INOUT, BY_BOTH, k->out, o->rows, o->cols);
        k->d = k->y;
        return true;
    }
    if (o->options & OPTION_THIRD) k->d = operand_numbers(o, OPERAND_IN, BY_BOTH, k->out, o->rows, o->cols);
    k->y = operand_numbers(o, OPERAND_OUT, BY_BOTH, k->out, o->rows, o->cols);
    return true;
}
static void run_rows_gather(const struct kernel_team *team, struct operation *o) {
    team->ops->rows_gather(team, &o->moved);
}
static void run_rows_sum(const struct kernel_team *team, struct operation *o) {
    team->ops->rows_sum(team, &o->moved);
}

#endif
