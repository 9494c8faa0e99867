/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring sends to the right and receives from the left. Experts' rows go all to all. */
#include "parallel/exchanges.h"

#include <stdio.h>
#include <stdlib.h>

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

void parallel_context_exchange(struct parallel_context *x, enum model_exchange what, const void *to, void *from,
                               size_t bytes) {
    struct comm *c = x->comm;
    const int left = (c->rank + c->size - 1) % c->size, right = (c->rank + 1) % c->size;
    if (x->silent) return;
    c->ops->receive_start(c, from, bytes, left, what, &x->request[what][1]);
    c->ops->send_start(c, to, bytes, right, what, &x->request[what][0]);
}

void parallel_context_exchanged(struct parallel_context *x, enum model_exchange what) {
    for (int i = 0; i < 2 && !x->silent; i++) x->comm->ops->wait(x->comm, &x->request[what][i]);
}

void parallel_context_sum(struct parallel_context *context, float *x, int64_t n) {
    struct comm *c = context->comm;
    struct comm_request request;
    if (context->silent) return;
    c->ops->all_reduce_start(c, x, n, KERNEL_F32, &request);
    c->ops->wait(c, &request);
}

int parallel_experts_open(struct parallel_experts *x, const struct model_shape *shape, struct comm *comm,
                          struct base_error *e) {
    const struct model_config *c = shape->config;
    *x = (struct parallel_experts){.comm = comm, .own = c->own_experts, .experts = c->experts};
    if (!comm) return BASE_OK;
    x->room = model_expert_rows(shape);
    for (int i = 0; i < 4; i++) {
        x->bytes[i / 2][i % 2] = malloc((size_t)comm->size * sizeof *x->bytes[0][0]);
        if (!x->bytes[i / 2][i % 2]) return base_fail(e, BASE_BROKEN, "out of memory for the sizes of exchanged rows");
    }
    return BASE_OK;
}

void parallel_experts_close(struct parallel_experts *x) {
    for (int i = 0; i < 4; i++) free(x->bytes[i / 2][i % 2]);
    *x = (struct parallel_experts){0};
}

void parallel_experts_counts(struct parallel_experts *x, const int32_t *sent, int32_t *came) {
    struct comm *c = x->comm;
    struct comm_request request;
    int64_t rows = 0;
    if (x->silent) {
        for (int64_t i = 0; i < x->experts; i++) came[i] = sent[c->rank * x->own + i % x->own];
        return;
    }
    c->ops->all_to_all_start(c, sent, came, (size_t)x->own * sizeof *sent, &request);
    c->ops->wait(c, &request);
    for (int64_t i = 0; i < x->experts; i++) rows += came[i];
    if (rows <= x->room) return;
    fprintf(stderr, "toise: bug: %lld rows came for experts of expert parallel rank %d, which has room for %lld\n",
            (long long)rows, c->rank, (long long)x->room);
    comm_abort(c, BASE_BROKEN);
}

void parallel_experts_move(struct parallel_experts *x, enum model_rows_kind kind, bool out, const int32_t *sent,
                           const int32_t *came, const void *from, void *to, size_t bytes) {
    struct comm *c = x->comm;
    int64_t *home = x->bytes[kind][!out], *away = x->bytes[kind][out]; /* by rank; sizes sent come first */
    if (x->silent) return;
    for (int r = 0; r < c->size; r++) {
        home[r] = away[r] = 0;
        for (int64_t i = r * x->own; i < (r + 1) * x->own; i++)
            home[r] += (int64_t)bytes * sent[i], away[r] += (int64_t)bytes * came[i];
        if (!out) x->surplus += (double)(away[r] - home[r]);
    }
    c->ops->all_to_all_v_start(c, from, x->bytes[kind][0], to, x->bytes[kind][1], &x->request[kind]);
}

void parallel_experts_moved(struct parallel_experts *x, enum model_rows_kind kind) {
    if (!x->silent) x->comm->ops->wait(x->comm, &x->request[kind]);
}
