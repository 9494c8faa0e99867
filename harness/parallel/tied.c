/* SPDX-License-Identifier: Apache-2.0
 *
 * Weights one way, and the sum of gradients. */
#include "parallel/tied.h"

#include "plan/leaves.h"

void parallel_tied_open(struct parallel_tied *t, const struct plan *plan, const struct parallel_groups *groups,
                        struct base_arena *arenas) {
    const struct model_config *c = &plan->part;
    const bool tree = plan->shape.tree.leaves > 0 && c->tied, borrows = model_part_borrows(c);
    *t = (struct parallel_tied){.lends = model_part_lends(c),
                                .count = c->vocab * c->width,
                                .size = (int64_t)kernel_dtype_bytes(plan->request.dtype)};
    const size_t bytes = (size_t)t->count * sizeof *t->grad, levels = tree ? (size_t)plan_leaves_levels(plan) : 1;
    if (groups->ends && c->tied) t->comm = groups->ends;
    if (tree) t->replicas = groups->data;
    if (borrows) t->table = base_arena_take(&arenas[PLAN_WEIGHTS], (size_t)(t->count * t->size));
    if (borrows || (tree && !c->lacks_head)) t->grad = base_arena_take(&arenas[PLAN_GRADIENTS], levels * bytes);
    if (tree && !c->lacks_embedding) t->head = t->grad ? t->grad : base_arena_take(&arenas[PLAN_GRADIENTS], bytes);
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

void parallel_tied_begin(struct parallel_tied *t) {
    t->passed = false;
}

static void start_sum(struct parallel_tied *t) {
    struct comm *const c = t->replicas ? t->replicas : t->comm;
    c->ops->all_reduce_start(c, t->grad, t->count, KERNEL_F32, &t->sum);
    t->due = false;
}

void parallel_tied_sum(struct parallel_tied *t) {
    if (t->silent) return;
    t->due = t->replicas && t->deferred;
    if (!t->due) start_sum(t);
}

/* The last stage's sum goes to the first one. */
static void pass_on(struct parallel_tied *t) {
    struct comm *const c = t->comm;
    const size_t bytes = (size_t)t->count * sizeof *t->grad;
    if (!c || t->passed) return;
    if (t->lends)
        c->ops->receive_start(c, t->head, bytes, 1, 0, &t->sum);
    else
        c->ops->send_start(c, t->grad, bytes, 0, 0, &t->sum);
    c->ops->wait(c, &t->sum);
    t->passed = true;
}

void parallel_tied_summed(struct parallel_tied *t) {
    struct comm *const c = t->replicas ? t->replicas : t->comm;
    if (t->due) start_sum(t);
    if (c && t->grad) c->ops->wait(c, &t->sum);
    if (t->replicas) pass_on(t);
}
