/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathers and adds the embedding's rows. */
#include "parallel/rows.h"

#include <string.h>

void parallel_rows_open(struct parallel_rows *r, const struct plan *plan, const struct comm *comm,
                        struct base_arena *arena) {
    const struct plan_request *q = &plan->request;
    *r = (struct parallel_rows){.width = q->config.width,
                                .dtype = q->dtype,
                                .vocab = q->layout.tp > 1 ? plan->part.vocab : 0,
                                .first = q->layout.tp > 1 ? model_part_vocab(&plan->shape.part) : 0};
    if (!plan->rows_apart) return;
    const size_t count = (size_t)plan_rows_count(q);
    r->tokens = base_arena_take(arena, count * sizeof *r->tokens);
    r->rows = base_arena_take(arena, count * (size_t)r->width * kernel_dtype_bytes(r->dtype));
    r->count = comm->size > 1 ? (int64_t)count : 0;
}

void parallel_rows_begin(struct parallel_rows *r) {
    r->taken = false;
}

void parallel_rows_take(struct parallel_rows *r, const struct comm *comm, const int32_t *tokens, const void *dx) {
    const size_t mine = (size_t)(r->count / comm->size), first = mine * (size_t)comm->rank;
    const size_t row = (size_t)r->width * kernel_dtype_bytes(r->dtype);
    memcpy(r->tokens + first, tokens, mine * sizeof *tokens);
    memcpy((char *)r->rows + first * row, dx, mine * row);
    r->taken = true;
}

void parallel_rows_start(struct parallel_rows *r, struct comm *comm) {
    if (!r->count) return;
    const int row = (int)(r->width * (int64_t)kernel_dtype_bytes(r->dtype));
    comm->ops->all_gather_start(comm, r->tokens, r->count, (int)sizeof *r->tokens, &r->request[0]);
    comm->ops->all_gather_start(comm, r->rows, r->count, row, &r->request[1]);
}

bool parallel_rows_finish(struct parallel_rows *r, struct comm *comm, const struct kernel_team *team, float *table) {
    if (!r->count) return true;
    for (int i = 0; i < 2; i++) comm->ops->wait(comm, &r->request[i]);
    if (!r->taken) return false;
    team->ops->embedding_backward(team, &(struct kernel_embedding){.rows = r->count,
                                                                   .cols = r->width,
                                                                   .seq = 1,
                                                                   .first = r->first,
                                                                   .vocab = r->vocab,
                                                                   .dtype = r->dtype,
                                                                   .tokens = r->tokens,
                                                                   .dx = r->rows,
                                                                   .dtoken = table});
    return true;
}
