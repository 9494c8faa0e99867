/* SPDX-License-Identifier: Apache-2.0
 *
 * Sizes of a case's operands, FLOP and bytes of a call, and the shape as text. */
#include <stdio.h>

#include "bench/kernel_ops.h"
#include "plan/ledger.h"

int64_t bench_extent(const struct bench_kernel_case *c, enum bench_extent extent) {
    const struct bench_kernel_shape *s = &c->shape;
    const int64_t tokens = s->batch * s->seq;
    switch (extent) {
    case BENCH_NOTHING:
        return 0;
    case BENCH_A:
        return s->m * s->k;
    case BENCH_B:
        return s->k * s->n;
    case BENCH_C:
        return s->m * s->n;
    case BENCH_QKV:
        return tokens * (s->heads + 2 * s->kv_heads) * s->head_dim;
    case BENCH_O:
        return tokens * s->heads * s->head_dim;
    case BENCH_LSE:
        return tokens * s->heads;
    case BENCH_SLOPES:
        return s->alibi ? s->heads : 0;
    case BENCH_MATRIX:
        return s->rows * s->cols;
    case BENCH_WIDE:
        return 2 * s->rows * s->cols;
    case BENCH_COLS:
        return s->cols;
    case BENCH_BIAS:
        return s->bias ? s->cols : 0;
    case BENCH_ROWS:
        return s->rows;
    case BENCH_PAIRS:
        return 2 * s->rows;
    case BENCH_MEANS:
        return s->rms ? 0 : s->rows;
    case BENCH_TABLE:
        return s->table * s->cols;
    case BENCH_POSITIONS:
        return s->positions * s->cols;
    case BENCH_ANGLES:
        return s->seq * (s->head_dim / 2);
    case BENCH_VECTOR:
        return s->n;
    case BENCH_HALF:
        return c->dtype == KERNEL_BF16 ? s->n : 0;
    case BENCH_ONE:
        return 1;
    }
    return 0;
}

size_t bench_element_bytes(const struct bench_kernel_case *c, enum bench_type type) {
    switch (type) {
    case BENCH_OWN:
        return kernel_dtype_bytes(c->dtype);
    case BENCH_OF_C:
        return c->shape.c_f32 ? 4 : kernel_dtype_bytes(c->dtype);
    case BENCH_BF16:
        return 2;
    case BENCH_F64:
        return 8;
    case BENCH_F32:
    case BENCH_I32:
        break;
    }
    return 4;
}

size_t bench_operand_bytes(const struct bench_kernel_case *c, int i) {
    const struct bench_operand *o = &c->op->operands[i];
    return (size_t)bench_extent(c, o->extent) * bench_element_bytes(c, o->type);
}

double bench_kernel_flop(const struct bench_kernel_case *c) {
    const struct bench_kernel_shape *s = &c->shape;
    if (c->op->kind == BENCH_SHAPE_MATMUL) return plan_gemm_flop(s->m, s->n, s->k);
    const bool backward = c->op->prepare; /* only backward needs a forward before */
    if (c->op->kind == BENCH_SHAPE_ATTENTION)
        return plan_attention_flop(s->batch, s->heads, s->seq, s->window, s->head_dim, backward);
    return 0;
}

double bench_kernel_bytes(const struct bench_kernel_case *c) {
    double sum = 0;
    for (int i = 0; i < BENCH_OPERANDS; i++) {
        const struct bench_operand *o = &c->op->operands[i];
        const enum bench_extent touched = o->extent == BENCH_TABLE ? BENCH_MATRIX : o->extent;
        const int times =
            (o->use & BENCH_READ || (o->type == BENCH_OF_C && c->shape.accumulate)) + !!(o->use & BENCH_WRITE);
        sum += times * (double)bench_extent(c, touched) * (double)bench_element_bytes(c, o->type);
    }
    return sum;
}

void bench_kernel_shape_text(const struct bench_kernel_case *c, char *text, int size) {
    const struct bench_kernel_shape *s = &c->shape;
    const size_t room = (size_t)size;
    int used;
    switch (c->op->kind) {
    case BENCH_SHAPE_MATMUL:
        snprintf(text, room, "%c%c %lld x %lld x %lld", s->a_trans ? 'T' : 'N', s->b_trans ? 'T' : 'N', (long long)s->m,
                 (long long)s->n, (long long)s->k);
        return;
    case BENCH_SHAPE_ATTENTION:
        used = snprintf(text, room, "b %lld h %lld s %lld d %lld%s", (long long)s->batch, (long long)s->heads,
                        (long long)s->seq, (long long)s->head_dim, s->alibi ? " alibi" : "");
        if (s->window && used < size) snprintf(text + used, room - (size_t)used, " w %lld", (long long)s->window);
        return;
    case BENCH_SHAPE_ROWS:
        snprintf(text, room, "%lld x %lld", (long long)s->rows, (long long)s->cols);
        return;
    case BENCH_SHAPE_VECTOR:
        snprintf(text, room, "%lld", (long long)s->n);
    }
}
