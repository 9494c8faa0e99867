/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights one way, and the sum of gradients. */
#include "parallel/tied.h"

void parallel_tied_open(struct parallel_tied *t, const struct plan *plan, struct comm *ends,
                        struct base_arena *arenas) {
    const struct model_config *c = &plan->part;
    *t = (struct parallel_tied){.lends = model_part_lends(c),
                                .count = c->vocab * c->width,
                                .size = (int64_t)kernel_dtype_bytes(plan->request.dtype)};
    if (ends && c->tied) t->comm = ends;
    if (!model_part_borrows(c)) return;
    t->table = base_arena_take(&arenas[PLAN_WEIGHTS], (size_t)(t->count * t->size));
    t->grad = base_arena_take(&arenas[PLAN_GRADIENTS], (size_t)t->count * sizeof *t->grad);
}

void parallel_tied_renew(struct parallel_tied *t) {
    t->fresh = false;
}

void parallel_tied_share(struct parallel_tied *t, const void *table) {
    const size_t bytes = (size_t)(t->count * t->size);
    if (!t->comm || t->fresh || t->silent) return;
    if (t->lends)
        t->comm->ops->send_start(t->comm, table, bytes, 1, 0, &t->weights);
    else
        t->comm->ops->receive_start(t->comm, t->table, bytes, 0, 0, &t->weights);
    t->fresh = true;
}

void parallel_tied_arrived(struct parallel_tied *t) {
    if (t->comm) t->comm->ops->wait(t->comm, &t->weights);
}

void parallel_tied_sum(struct parallel_tied *t) {
    if (t->comm && !t->silent) t->comm->ops->all_reduce_start(t->comm, t->grad, t->count, KERNEL_F32, &t->sum);
}

void parallel_tied_summed(struct parallel_tied *t) {
    if (t->comm && !t->lends) t->comm->ops->wait(t->comm, &t->sum);
}
