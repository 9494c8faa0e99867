/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands of attention for tests, made from a few sizes: in storage (guarded, gaps and outputs poisoned) and in FP64
 * with the reference's o and lse. It also checks results against them. */
#ifndef TOISE_TESTS_ATTENTION_OPERANDS_H
#define TOISE_TESTS_ATTENTION_OPERANDS_H

#include "unit/support/attention64.h"

enum { OPERANDS_POISON = 0xff }; /* every byte: a NaN in both dtypes and in FP64 */
enum layout {
    APART,
    FUSED,
    INTERLEAVED,
    LAYOUT_COUNT
}; /* q | k | v with gaps; [q.. k.. v..] or [qkv qkv ..] a token */
enum fill { HOT, HUGE_SCORES, DENORMAL, EQUAL, OPPOSITE }; /* OPPOSITE: equal scores far below 0 */

struct problem {
    int64_t batch, heads, kv_heads, seq_q, seq_k, head_dim, q_offset, k_offset, window;
    bool alibi; /* slopes as published: 2^(-8 (h + 1) / heads) */
    enum kernel_dtype dtype;
    enum layout layout;
    enum fill fill;
    int threads;
};

/* A problem's operands in storage and in FP64. q, k and v share one buffer; dq, dk and dv share another. */
struct operands {
    struct kernel_attention a;
    struct attention64 x;
    int64_t at_k, at_v, n_in, n_o, n_lse;
    char *in, *grad, *o, *d_o;
    double *in64, *grad64, *grad_error, *grad_pairs;
    void *taken[20];
    int takes;
};

/* Fills the inputs and runs the FP64 forward. */
void operands_make(struct operands *s, const struct problem *p);
void operands_free(struct operands *s);
/* Poisoned, guarded memory that is freed with the operands. */
void *operands_take(struct operands *s, size_t bytes);
/* Stores what backward reads: o and lse, rounded to their storage. The reference reads the rounded ones too. */
void operands_store_forward(struct operands *s);
/* Fails unless every element is within its error and the rounding of its storage. Where NaN is expected nothing may
 * be written: the poison must still be there. */
void operands_check(const char *what, const char *variant, enum kernel_dtype dtype, const void *got, int64_t n,
                    const double *expected, const double *error);

#endif
