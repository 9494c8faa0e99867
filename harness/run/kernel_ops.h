/* SPDX-License-Identifier: Apache-2.0
 *
 * The operations that `toise kernels` times, as a table: what each reads and writes, how it is called, what its FLOP
 * are, and how its result is checked. A case is one of them on one shape in one dtype. */
#ifndef TOISE_RUN_KERNEL_OPS_H
#define TOISE_RUN_KERNEL_OPS_H

#include "kernels.h"

/* Sizes of a call; those that its operation does not have are 0. */
struct run_kernel_shape {
    int64_t m, n, k; /* matmul; n alone: elements of a vector */
    bool a_trans, b_trans;
    bool c_f32;                                            /* C in FP32 whatever the dtype of A and B */
    bool accumulate;                                       /* C is added to, as gradients of weights are */
    int64_t batch, heads, kv_heads, seq, head_dim, window; /* attention, causal; window 0: no limit */
    bool alibi;                                            /* scores have ALiBi's slopes */
    int64_t rows, cols, table, positions;                  /* rows; rows of the tables that are looked up */
    bool rms, bias;                                        /* norm: RMSNorm; a bias is added */
};

enum run_shape_kind { RUN_SHAPE_MATMUL, RUN_SHAPE_ATTENTION, RUN_SHAPE_ROWS, RUN_SHAPE_VECTOR };

/* How many elements an operand has. */
enum run_extent {
    RUN_NOTHING, /* the operation has no such operand */
    RUN_A,
    RUN_B,
    RUN_C,
    RUN_QKV, /* [batch, seq, (heads + 2 kv_heads) head_dim] */
    RUN_O,   /* [batch, seq, heads head_dim] */
    RUN_LSE, /* [batch, heads, seq] */
    RUN_SLOPES,
    RUN_MATRIX, /* [rows, cols] */
    RUN_WIDE,   /* [rows, 2 cols] */
    RUN_COLS,
    RUN_BIAS, /* cols where there is a bias */
    RUN_ROWS,
    RUN_MEANS,     /* rows where there is a mean */
    RUN_TABLE,     /* [table, cols], of which one row is read or written for each of `rows` */
    RUN_POSITIONS, /* [positions, cols]: those of a sequence */
    RUN_ANGLES,    /* [seq, head_dim / 2] */
    RUN_VECTOR,    /* n */
    RUN_HALF,      /* n, where the dtype is BF16 */
    RUN_ONE
};
enum run_type { RUN_OWN, RUN_F32, RUN_BF16, RUN_I32, RUN_F64, RUN_OF_C }; /* own: the case's dtype */
enum run_use { RUN_READ = 1, RUN_WRITE = 2, RUN_UPDATE = 3 };
enum run_fill { RUN_NORMAL, RUN_POSITIVE, RUN_INDEX, RUN_SLOPE, RUN_TURN }; /* what inputs hold; see kernel_memory.h */

struct run_operand {
    enum run_extent extent;
    enum run_type type;
    enum run_use use;
    enum run_fill fill;
};
enum { RUN_OPERANDS = 8, RUN_PACKED_B = 3 /* matmul: B as gemm_pack wrote it, in the place of B unless NULL */ };

struct run_kernel_case;
struct run_kernel_op {
    const char *name;
    enum run_shape_kind kind;
    unsigned dtypes; /* bits 1 << enum kernel_dtype */
    /* Calls team->ops; x[i] is operand i, NULL where its extent is 0. */
    void (*call)(const struct kernel_team *team, const struct run_kernel_case *c, void *const *x);
    /* Makes what the call reads but another call computes: forward before backward; NULL: nothing. */
    void (*prepare)(const struct kernel_team *team, const struct run_kernel_case *c, void *const *x);
    enum run_extent chain; /* rows and vectors: what an element of the result is a sum over; RUN_ONE: no sum */
    struct run_operand operands[RUN_OPERANDS];
};

struct run_kernel_case {
    const struct run_kernel_op *op;
    char name[40]; /* what it is in the model: "qkv forward"; "" unknown */
    enum kernel_dtype dtype;
    struct run_kernel_shape shape;
    double per_step; /* calls in a step of the model, by the ledger; 0: unknown */
};

extern const struct run_kernel_op run_kernel_ops[];
extern const int run_kernel_op_count;
const struct run_kernel_op *run_kernel_op(const char *name); /* NULL: none of that name */

int64_t run_extent(const struct run_kernel_case *c, enum run_extent extent);
/* Bytes of one element. */
size_t run_element_bytes(const struct run_kernel_case *c, enum run_type type);
/* Bytes of operand i in memory. */
size_t run_operand_bytes(const struct run_kernel_case *c, int i);
/* What one call does: FLOP by the ledger's formulas (0 for rows and vectors, which are counted in bytes), and bytes of
 * operands read and written once. */
double run_kernel_flop(const struct run_kernel_case *c);
double run_kernel_bytes(const struct run_kernel_case *c);
/* "NT 1024 x 2304 x 768", "4 x 12 x 256 x 64", "1024 x 768", "7087872" */
void run_kernel_shape_text(const struct run_kernel_case *c, char *text, int size);

/* The calls of matmul and attention on these operands, for whoever checks their results. */
struct kernel_gemm run_kernel_gemm(const struct run_kernel_case *c, void *const *x);
struct kernel_attention run_kernel_attention(const struct run_kernel_case *c, void *const *x);

#endif
