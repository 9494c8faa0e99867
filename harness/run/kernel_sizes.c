/* SPDX-License-Identifier: Apache-2.0
 *
 * What the operands of a case take, and what one call does. */
#include <stdio.h>

#include "plan/ledger.h"
#include "run/kernel_ops.h"

int64_t run_extent(const struct run_kernel_case *c, enum run_extent extent) {
    const struct run_kernel_shape *s = &c->shape;
    const int64_t tokens = s->batch * s->seq;
    switch (extent) {
    case RUN_NOTHING:
        return 0;
    case RUN_A:
        return s->m * s->k;
    case RUN_B:
        return s->k * s->n;
    case RUN_C:
        return s->m * s->n;
    case RUN_QKV:
        return tokens * (s->heads + 2 * s->kv_heads) * s->head_dim;
    case RUN_O:
        return tokens * s->heads * s->head_dim;
    case RUN_LSE:
        return tokens * s->heads;
    case RUN_SLOPES:
        return s->alibi ? s->heads : 0;
    case RUN_MATRIX:
        return s->rows * s->cols;
    case RUN_WIDE:
        return 2 * s->rows * s->cols;
    case RUN_COLS:
        return s->cols;
    case RUN_BIAS:
        return s->bias ? s->cols : 0;
    case RUN_ROWS:
        return s->rows;
    case RUN_MEANS:
        return s->rms ? 0 : s->rows;
    case RUN_TABLE:
        return s->table * s->cols;
    case RUN_POSITIONS:
        return s->positions * s->cols;
    case RUN_ANGLES:
        return s->seq * (s->head_dim / 2);
    case RUN_VECTOR:
        return s->n;
    case RUN_HALF:
        return c->dtype == KERNEL_BF16 ? s->n : 0;
    case RUN_ONE:
        return 1;
    }
    return 0;
}

size_t run_element_bytes(const struct run_kernel_case *c, enum run_type type) {
    switch (type) {
    case RUN_OWN:
        return kernel_dtype_bytes(c->dtype);
    case RUN_OF_C:
        return c->shape.c_f32 ? 4 : kernel_dtype_bytes(c->dtype);
    case RUN_BF16:
        return 2;
    case RUN_F64:
        return 8;
    case RUN_F32:
    case RUN_I32:
        break;
    }
    return 4;
}

size_t run_operand_bytes(const struct run_kernel_case *c, int i) {
    const struct run_operand *o = &c->op->operands[i];
    return (size_t)run_extent(c, o->extent) * run_element_bytes(c, o->type);
}

double run_kernel_flop(const struct run_kernel_case *c) {
    const struct run_kernel_shape *s = &c->shape;
    if (c->op->kind == RUN_SHAPE_MATMUL) return plan_gemm_flop(s->m, s->n, s->k);
    const bool backward = c->op->prepare; /* which needs what forward left */
    if (c->op->kind == RUN_SHAPE_ATTENTION)
        return plan_attention_flop(s->batch, s->heads, s->seq, s->window, s->head_dim, backward);
    return 0;
}

double run_kernel_bytes(const struct run_kernel_case *c) {
    double sum = 0;
    for (int i = 0; i < RUN_OPERANDS; i++) {
        const struct run_operand *o = &c->op->operands[i];
        const enum run_extent touched = o->extent == RUN_TABLE ? RUN_MATRIX : o->extent;
        const int times = (o->use & RUN_READ || (o->type == RUN_OF_C && c->shape.accumulate)) + !!(o->use & RUN_WRITE);
        sum += times * (double)run_extent(c, touched) * (double)run_element_bytes(c, o->type);
    }
    return sum;
}

void run_kernel_shape_text(const struct run_kernel_case *c, char *text, int size) {
    const struct run_kernel_shape *s = &c->shape;
    const size_t room = (size_t)size;
    int used;
    switch (c->op->kind) {
    case RUN_SHAPE_MATMUL:
        snprintf(text, room, "%c%c %lld x %lld x %lld", s->a_trans ? 'T' : 'N', s->b_trans ? 'T' : 'N', (long long)s->m,
                 (long long)s->n, (long long)s->k);
        return;
    case RUN_SHAPE_ATTENTION:
        used = snprintf(text, room, "b %lld h %lld s %lld d %lld%s", (long long)s->batch, (long long)s->heads,
                        (long long)s->seq, (long long)s->head_dim, s->alibi ? " alibi" : "");
        if (s->window && used < size) snprintf(text + used, room - (size_t)used, " w %lld", (long long)s->window);
        return;
    case RUN_SHAPE_ROWS:
        snprintf(text, room, "%lld x %lld", (long long)s->rows, (long long)s->cols);
        return;
    case RUN_SHAPE_VECTOR:
        snprintf(text, room, "%lld", (long long)s->n);
    }
}
