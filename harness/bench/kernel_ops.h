/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of operations that `toise kernels` times: operands, call, FLOP, and how the result is checked. A case is
 * one operation on one shape in one dtype. */
#ifndef TOISE_BENCH_KERNEL_OPS_H
#define TOISE_BENCH_KERNEL_OPS_H

#include "kernels.h"

/* Sizes of a call; 0 if the operation lacks one. */
struct bench_kernel_shape {
    int64_t m, n, k; /* matmul; n alone: elements of a vector */
    bool a_trans, b_trans;
    bool c_f32;                                            /* C is FP32 for any dtype of A and B */
    bool accumulate;                                       /* C is added to, as for weight gradients */
    int64_t batch, heads, kv_heads, seq, head_dim, window; /* attention, causal; window 0: no limit */
    bool alibi;                                            /* with ALiBi's slopes */
    int64_t rows, cols, table, positions;                  /* rows; table, positions: rows of the lookup tables */
    bool rms, bias;                                        /* norm: RMSNorm; with a bias */
};

enum bench_shape_kind { BENCH_SHAPE_MATMUL, BENCH_SHAPE_ATTENTION, BENCH_SHAPE_ROWS, BENCH_SHAPE_VECTOR };

/* How many elements an operand has. */
enum bench_extent {
    BENCH_NOTHING, /* the operation has no such operand */
    BENCH_A,
    BENCH_B,
    BENCH_C,
    BENCH_QKV, /* [batch, seq, (heads + 2 kv_heads) head_dim] */
    BENCH_O,   /* [batch, seq, heads head_dim] */
    BENCH_LSE, /* [batch, heads, seq] */
    BENCH_SLOPES,
    BENCH_MATRIX, /* [rows, cols] */
    BENCH_WIDE,   /* [rows, 2 cols] */
    BENCH_COLS,
    BENCH_BIAS, /* cols if there is a bias, else 0 */
    BENCH_ROWS,
    BENCH_PAIRS,     /* 2 rows */
    BENCH_MEANS,     /* rows if there is a mean, else 0 */
    BENCH_TABLE,     /* [table, cols]; a call uses one row per each of `rows` */
    BENCH_POSITIONS, /* [positions, cols], those of a sequence */
    BENCH_ANGLES,    /* [seq, head_dim / 2] */
    BENCH_VECTOR,    /* n */
    BENCH_HALF,      /* n if the dtype is BF16, else 0 */
    BENCH_ONE
};
enum bench_type { BENCH_OWN, BENCH_F32, BENCH_BF16, BENCH_I32, BENCH_F64, BENCH_OF_C }; /* own: the case's dtype */
enum bench_use { BENCH_READ = 1, BENCH_WRITE = 2, BENCH_UPDATE = 3 };
enum bench_fill {
    BENCH_NORMAL,
    BENCH_POSITIVE,
    BENCH_INDEX,
    BENCH_PERMUTED,
    BENCH_SLOPE,
    BENCH_TURN
}; /* contents of inputs; see kernel_memory.h */

struct bench_operand {
    enum bench_extent extent;
    enum bench_type type;
    enum bench_use use;
    enum bench_fill fill;
};
enum { BENCH_OPERANDS = 8, BENCH_PACKED_B = 3 /* matmul: B as gemm_pack wrote it, used instead of B unless NULL */ };

struct bench_kernel_case;
struct bench_kernel_op {
    const char *name;
    enum bench_shape_kind kind;
    unsigned dtypes; /* bits 1 << enum kernel_dtype */
    /* Calls team->ops. x[i] is operand i, NULL if its extent is 0. */
    void (*call)(const struct kernel_team *team, const struct bench_kernel_case *c, void *const *x);
    /* Computes inputs that another call leaves, as forward for backward. NULL: nothing to do. */
    void (*prepare)(const struct kernel_team *team, const struct bench_kernel_case *c, void *const *x);
    enum bench_extent chain; /* rows and vectors: extent that a result element sums over; BENCH_ONE: no sum */
    struct bench_operand operands[BENCH_OPERANDS];
};

struct bench_kernel_case {
    const struct bench_kernel_op *op;
    char name[40]; /* its place in the model: "qkv forward"; "" unknown */
    enum kernel_dtype dtype;
    struct bench_kernel_shape shape;
    double per_step; /* calls per step of the model, by the ledger; 0: unknown */
};

extern const struct bench_kernel_op bench_kernel_ops[];
extern const int bench_kernel_op_count;
const struct bench_kernel_op *bench_kernel_op(const char *name); /* NULL: unknown */

int64_t bench_extent(const struct bench_kernel_case *c, enum bench_extent extent);
/* Bytes of one element. */
size_t bench_element_bytes(const struct bench_kernel_case *c, enum bench_type type);
/* Bytes of operand i in memory. */
size_t bench_operand_bytes(const struct bench_kernel_case *c, int i);
/* FLOP of a call by the ledger's formulas (0 for rows and vectors, which are counted in bytes). Bytes: each operand
 * read and written once. */
double bench_kernel_flop(const struct bench_kernel_case *c);
double bench_kernel_bytes(const struct bench_kernel_case *c);
/* "NT 1024 x 2304 x 768", "4 x 12 x 256 x 64", "1024 x 768", "7087872" */
void bench_kernel_shape_text(const struct bench_kernel_case *c, char *text, int size);

/* The kernels' arguments for these operands, for checking results. */
struct kernel_gemm bench_kernel_gemm(const struct bench_kernel_case *c, void *const *x);
struct kernel_attention bench_kernel_attention(const struct bench_kernel_case *c, void *const *x);

#endif
