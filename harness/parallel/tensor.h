/* SPDX-License-Identifier: Apache-2.0
 *
 * What tensor parallel ranks send: the model's hooks sum, scatter, gather, wait and merge (model/model.h). Partial sums
 * are FP32 on the wire, so that BF16 rounds as often as on one rank. */
#ifndef TOISE_PARALLEL_TENSOR_H
#define TOISE_PARALLEL_TENSOR_H

#include "base/arena.h"
#include "comm/comm.h"
#include "kernels.h"

struct parallel_tensor {
    struct comm *comm; /* NULL: the model is whole */
    struct comm_request request;
    float *statistics; /* [ranks][3][rows]: of a part of the head's rows */
    bool silent;       /* send nothing: values are not sums */
};

/* Takes its memory from the arena, which the plan made for it. rows: the most that are merged at once. */
void parallel_tensor_open(struct parallel_tensor *tensor, struct comm *comm, int64_t rows, struct base_arena *arena);
void parallel_tensor_sum(struct parallel_tensor *tensor, void *x, int64_t n, enum kernel_dtype dtype);
void parallel_tensor_scatter(struct parallel_tensor *tensor, void *x, int64_t n, enum kernel_dtype dtype);
void parallel_tensor_gather(struct parallel_tensor *tensor, void *x, int64_t n, enum kernel_dtype dtype);
void parallel_tensor_wait(struct parallel_tensor *tensor);
/* Each rank has max, sum and target_logit [rows] of its part of the vocabulary (struct kernel_cross_entropy), and gets
 * those of the whole. */
void parallel_tensor_merge(struct parallel_tensor *tensor, int64_t rows, float *max, float *sum, float *target_logit);

#endif
