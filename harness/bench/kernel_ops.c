/* SPDX-License-Identifier: Apache-2.0
 *
 * The table. cross_entropy_combine, three numbers a row, is nothing to time. */
#include "bench/kernel_ops.h"

#include <string.h>

#include "bench/kernel_calls.h"

enum { F32 = 1 << KERNEL_F32, BF16 = 1 << KERNEL_BF16, BOTH = F32 | BF16 };

/* One operand each: extent, type, use, what it holds. IN and OUT have the case's dtype. */
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
#name, BENCH_SHAPE_##kind, dtypes, bench_call_##name, prepare, BENCH_##chain, {                                \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

const struct bench_kernel_op bench_kernel_ops[] = {
    OP(gemm, MATMUL, BOTH, NULL, ONE, IN(A), IN(B), AS(C, OF_C, WRITE, NORMAL)),
    OP(attention_forward, ATTENTION, BOTH, NULL, ONE, IN(QKV), OUT(O), AS(LSE, F32, WRITE, NORMAL),
       AS(SLOPES, F32, READ, SLOPE)),
    OP(attention_backward, ATTENTION, BOTH, bench_call_attention_forward, ONE, IN(QKV), IN(O),
       AS(LSE, F32, READ, NORMAL), AS(SLOPES, F32, READ, SLOPE), IN(O), OUT(QKV)),
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
    OP(rotary, ROWS, BOTH, NULL, ONE, AS(MATRIX, OWN, UPDATE, NORMAL), AS(ANGLES, F32, READ, TURN),
       AS(ANGLES, F32, READ, TURN)),
    OP(column_sum, ROWS, BOTH, NULL, ROWS, IN(MATRIX), AS(COLS, F32, UPDATE, NORMAL)),
    OP(cross_entropy_stats, ROWS, F32, NULL, COLS, AS(MATRIX, F32, READ, NORMAL), AS(ROWS, I32, READ, INDEX),
       AS(ROWS, F32, WRITE, NORMAL), AS(ROWS, F32, WRITE, NORMAL), AS(ROWS, F32, WRITE, NORMAL)),
    OP(cross_entropy_grad, ROWS, BOTH, bench_call_cross_entropy_stats, ONE, AS(MATRIX, F32, READ, NORMAL),
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
