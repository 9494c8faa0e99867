/* SPDX-License-Identifier: Apache-2.0
 *
 * What ranks exchange within a layer, as hooks of the model (model/model.h): partial sums of tensor parallel ranks,
 * keys and values round the ring of context parallel ones, and rows between expert parallel ones. */
#ifndef TOISE_PARALLEL_EXCHANGES_H
#define TOISE_PARALLEL_EXCHANGES_H

#include "comm/comm.h"
#include "model/model.h"

/* Partial sums are FP32 on the wire, so that BF16 rounds as often as on one rank. */
struct parallel_tensor {
    struct comm *comm; /* NULL: the model is whole */
    struct comm_request request;
    bool silent; /* send nothing: values are not sums */
};

void parallel_tensor_sum(struct parallel_tensor *tensor, void *x, int64_t n, enum kernel_dtype dtype);
void parallel_tensor_scatter(struct parallel_tensor *tensor, void *x, int64_t n, enum kernel_dtype dtype);
void parallel_tensor_gather(struct parallel_tensor *tensor, void *x, int64_t n, enum kernel_dtype dtype);
void parallel_tensor_wait(struct parallel_tensor *tensor);

struct parallel_context {
    struct comm *comm;                 /* NULL: a rank has whole sequences */
    struct comm_request request[2][2]; /* by kind: sent, received */
    bool silent;                       /* send nothing: values are not those of the model */
};

void parallel_context_exchange(struct parallel_context *context, enum model_exchange what, const void *to, void *from,
                               size_t bytes);
void parallel_context_exchanged(struct parallel_context *context, enum model_exchange what);
/* x[n] becomes the sum over the ranks. */
void parallel_context_sum(struct parallel_context *context, float *x, int64_t n);

struct parallel_experts {
    struct comm *comm;              /* NULL: a rank has all experts */
    int64_t own, experts;           /* of a layer */
    int64_t room;                   /* rows that it can compute at once */
    int64_t *bytes[2][2];           /* [ranks] by kind: sent, received */
    struct comm_request request[2]; /* by kind */
    double surplus; /* bytes that went home beyond as many rows as went out; negative: fewer. The caller clears it */
    bool silent;    /* send nothing: what came is like what left */
};

int parallel_experts_open(struct parallel_experts *experts, const struct model_shape *shape, struct comm *comm,
                          struct base_error *e);
void parallel_experts_close(struct parallel_experts *experts);
void parallel_experts_counts(struct parallel_experts *experts, const int32_t *sent, int32_t *came);
void parallel_experts_move(struct parallel_experts *experts, enum model_rows_kind kind, bool out, const int32_t *sent,
                           const int32_t *came, const void *from, void *to, size_t bytes);
void parallel_experts_moved(struct parallel_experts *experts, enum model_rows_kind kind);

#endif
