/* SPDX-License-Identifier: Apache-2.0
 *
 * The operands of one call of one operation. operations.h fills them in; its includers supply the memory. */
#ifndef TOISE_TESTS_OPERANDS_H
#define TOISE_TESTS_OPERANDS_H

#include <math.h>
#include <string.h>

#include "declare.h"
#include "scalar.h"

enum operand_role { OPERAND_IN, OPERAND_OUT, OPERAND_INOUT };
/* How far a number of an input spreads. If input and output both have BY_ROW, it stays in its row; with BY_COLUMN,
 * in its column; with BY_BOTH, at its place. With nothing in common it may reach anything. */
enum { BY_ROW = 1, BY_COLUMN = 2, BY_BOTH = 3 };

struct operand {
    void *data;
    enum kernel_dtype dtype; /* integers: F32, which has their size */
    int64_t rows, cols, ld;
    enum operand_role role;
    int by;
    bool integers, aligned; /* aligned: at 64 bytes */
};

/* Options of a call. Each operation knows some and ignores the others. */
enum {
    OPTION_FIRST = 1,
    OPTION_SECOND = 2,
    OPTION_THIRD = 4,
    OPTION_GAPS = 8,
    OPTION_ADD_TO = 16,
    OPTION_PACKED = 32,
    OPTION_GELU = 64,
    OPTION_GELU_GRAD = 128
};

struct operation {
    int64_t rows, cols, depth; /* depth: k of a matmul, heads, rows of a table; ignored by other operations */
    enum kernel_dtype dtype;
    unsigned options;
    const struct kernel_ops *ops;                                /* the table that will be called */
    void *(*take)(void *context, const struct operand *operand); /* gives memory for operand_span() elements */
    void *context;
    /* from here on 0 until prepare_x() writes it */
    struct operand operands[12];
    int count;
    int64_t gap;       /* for the next operands: elements between rows, */
    bool aligned;      /* and whether they start at 64 bytes */
    double flop, byte; /* flop: 0 if not counted; byte: every operand once, as input, output or both */
    double result;     /* of operations that return one */
    const void *x, *y;
    void *z;
    struct kernel_gemm gemm;
    struct kernel_attention attention;
    struct kernel_norm norm;
    struct kernel_swiglu swiglu;
    struct kernel_rotary rotary;
    struct kernel_route route;
    struct kernel_rows moved;
    struct kernel_cross_entropy entropy;
    struct kernel_embedding embedding;
    struct kernel_adamw adamw;
};

/* Elements from the first to the last, gaps between rows included. */
static inline int64_t operand_span(const struct operand *x) {
    return x->rows > 0 && x->cols > 0 ? (x->rows - 1) * x->ld + x->cols : 0;
}

/* Numbers in [low, high), or integers; the same operand always gets the same ones. */
static inline void operand_fill(const struct operand *x, double low, double high) {
    uint64_t state = (uint64_t)(x->rows * 31 + x->cols);
    for (int64_t r = 0; r < x->rows; r++)
        for (int64_t c = 0; c < x->cols; c++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            const double number = low + (high - low) * (double)(state >> 40) / 16777216.0;
            if (x->integers)
                ((int32_t *)x->data)[r * x->ld + c] = (int32_t)number;
            else
                scalar_put(x->dtype, x->data, r * x->ld + c, (float)number);
        }
}

static inline struct operand *operand_take(struct operation *o, enum operand_role role, int by, enum kernel_dtype dtype,
                                           int64_t rows, int64_t cols) {
    struct operand *x = &o->operands[o->count++];
    x->dtype = dtype, x->rows = rows, x->cols = cols, x->ld = cols + o->gap, x->role = role, x->by = by;
    x->aligned = o->aligned;
    o->byte += (role == OPERAND_INOUT ? 2.0 : 1.0) * (double)(rows * cols) * (double)kernel_dtype_bytes(dtype);
    if (o->take) x->data = o->take(o->context, x);
    return x;
}
static inline void *operand_between(struct operand *x, double low, double high) {
    if (x->data && x->role != OPERAND_OUT) operand_fill(x, low, high);
    return x->data;
}
/* Numbers of either sign; positive ones; integers below a limit. */
static inline void *operand_numbers(struct operation *o, enum operand_role role, int by, enum kernel_dtype dtype,
                                    int64_t rows, int64_t cols) {
    return operand_between(operand_take(o, role, by, dtype, rows, cols), -1, 1);
}
static inline void *operand_positive(struct operation *o, enum operand_role role, int by, enum kernel_dtype dtype,
                                     int64_t rows, int64_t cols) {
    return operand_between(operand_take(o, role, by, dtype, rows, cols), 0.5, 1.5);
}
static inline void *operand_integers(struct operation *o, int64_t rows, int64_t below) {
    struct operand *x = operand_take(o, OPERAND_IN, BY_ROW, KERNEL_F32, rows, 1);
    x->integers = true;
    return operand_between(x, 0, (double)below);
}

#endif
