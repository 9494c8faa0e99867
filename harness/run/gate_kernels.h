/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel table that wraps an engine's: matmul and attention run as usual, then are checked in FP64. */
#ifndef TOISE_RUN_GATE_KERNELS_H
#define TOISE_RUN_GATE_KERNELS_H

#include "run/gate.h"

struct run_checked {
    struct run_gate *gate;
    struct kernel_ops ops;          /* the wrapping table */
    const struct kernel_ops *inner; /* what it wraps */
    double *space;                  /* vectors of FP64 */
    void *plain;                    /* the result of a matmul without the pass that rides in it */
    size_t plain_bytes;
    uint64_t calls; /* seeds the random vectors and rows */
};

/* Puts the checking table in the engine's team; close takes it out again. */
int run_checked_open(struct run_checked *checked, struct run_gate *gate, struct parallel_engine *engine,
                     struct base_error *e);
void run_checked_close(struct run_checked *checked, struct parallel_engine *engine);

/* n elements of either dtype as FP64. */
void run_matrix_row(enum kernel_dtype dtype, const void *x, int64_t n, double *out);
/* This rank's weights as the path holds them, for struct model_reference; context is the engine. */
void run_weights_read(void *context, int64_t offset, int64_t count, double *out);
/* Element i of a buffer of either dtype. */
double run_matrix_at(enum kernel_dtype dtype, const void *x, int64_t i);

/* The residual of one matmul C = op(A) op(B) + bias + D that has run, by Freivalds' check: C r against
 * op(A) (op(B) r) + ..., r random signs, each row's difference over what rounding explains of it. before: D r per
 * row, taken before the call where C accumulates; NULL otherwise. space: 4 (m + n + k) doubles. */
double run_freivalds(const struct kernel_team *team, const struct kernel_gemm *g, uint64_t seed, const double *before,
                     double *space);
/* Runs one matmul by `gemm`, where C may be D, and returns its residual. `as` is what gemm gets: g itself, or the same
 * with B packed. space: 5 (m + n + k) doubles. */
double run_gemm_residual(const struct kernel_team *team, kernel_gemm_fn *gemm, const struct kernel_gemm *as,
                         const struct kernel_gemm *g, uint64_t seed, double *space);
/* y[rows] = M x and, when squares is not NULL, each row's sum of squares; transposed: of M's transpose.
 * M is stored [rows, cols] with leading dimension ld; y has cols entries when transposed. */
void run_matrix_apply(const struct kernel_team *team, enum kernel_dtype dtype, const void *m, int64_t rows,
                      int64_t cols, int64_t ld, bool transposed, const double *x, double *y, double *squares);
/* The worst residual of a few sampled rows of an attention call that has run. space: 2 seq + 8 head_dim doubles. */
double run_attention_forward_residual(const struct kernel_attention *a, uint64_t seed, double *space);
double run_attention_backward_residual(const struct kernel_attention *a, uint64_t seed, double *space);

#endif
