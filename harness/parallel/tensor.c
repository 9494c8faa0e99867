/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums, and merges softmax statistics in the order of ranks. */
#include "parallel/tensor.h"

#include <math.h>
#include <string.h>

void parallel_tensor_open(struct parallel_tensor *t, struct comm *comm, int64_t rows, struct base_arena *arena) {
    *t = (struct parallel_tensor){.comm = comm};
    if (comm) t->statistics = base_arena_take(arena, (size_t)(3 * rows * comm->size) * sizeof *t->statistics);
}

void parallel_tensor_sum(struct parallel_tensor *t, void *x, int64_t n, enum kernel_dtype dtype) {
    if (!t->silent) t->comm->ops->all_reduce_start(t->comm, x, n, dtype, &t->request);
}

void parallel_tensor_scatter(struct parallel_tensor *t, void *x, int64_t n, enum kernel_dtype dtype) {
    if (!t->silent) t->comm->ops->reduce_scatter_start(t->comm, x, n, dtype, &t->request);
}

void parallel_tensor_gather(struct parallel_tensor *t, void *x, int64_t n, enum kernel_dtype dtype) {
    if (!t->silent) t->comm->ops->all_gather_start(t->comm, x, n, (int)kernel_dtype_bytes(dtype), &t->request);
}

void parallel_tensor_wait(struct parallel_tensor *t) {
    if (!t->silent) t->comm->ops->wait(t->comm, &t->request);
}

void parallel_tensor_merge(struct parallel_tensor *t, int64_t rows, float *max, float *sum, float *target_logit) {
    const int ranks = t->comm->size;
    const size_t bytes = (size_t)rows * sizeof *max;
    float *mine = t->statistics + 3 * rows * t->comm->rank;
    if (t->silent) return;
    memcpy(mine, max, bytes), memcpy(mine + rows, sum, bytes), memcpy(mine + 2 * rows, target_logit, bytes);
    t->comm->ops->all_gather_start(t->comm, t->statistics, 3 * rows * ranks, sizeof *max, &t->request);
    t->comm->ops->wait(t->comm, &t->request);
    for (int64_t i = 0; i < rows; i++) {
        const float *of = t->statistics + i;
        double all = 0, target = 0;
        max[i] = of[0];
        for (int r = 1; r < ranks; r++) max[i] = fmaxf(max[i], of[3 * rows * r]);
        for (int r = 0; r < ranks; r++) {
            const float *x = of + 3 * rows * r;
            all += (double)x[rows] * exp((double)x[0] - (double)max[i]);
            target += (double)x[2 * rows];
        }
        sum[i] = (float)all, target_logit[i] = (float)target;
    }
}
