/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts each range into blocks. */
#include "parallel/blocks.h"

#include <stdlib.h>

/* Key/value heads that several ranks hold, norms that each computes for its share of the tokens, and the token table if
 * its head is elsewhere. */
static struct comm *sharing(const struct plan *plan, const struct parallel_groups *g, const struct model_parameter *p) {
    if (p->role == MODEL_TOKEN_TABLE) return model_part_lends(&plan->part) && !plan->shape.tree.leaves ? g->ends : NULL;
    if (plan_shared_heads(plan, p)) return g->sharing;
    return plan_shared_norm(plan, p) ? g->tensor : NULL;
}

int parallel_blocks_open(struct parallel_blocks *b, const struct plan *plan, const struct model_params *params,
                         const struct parallel_groups *groups, struct base_error *e) {
    const bool cut = plan->request.layout.zero > 0;
    *b = (struct parallel_blocks){.ranges = model_params_ranges(params), .layers = params->layers};
    b->block = calloc((size_t)b->ranges, sizeof *b->block);
    b->shared = calloc((size_t)params->count, sizeof *b->shared);
    if (!b->block || !b->shared)
        return base_fail(e, BASE_BROKEN, "out of memory for the blocks of %lld ranges", (long long)b->ranges);
    for (int64_t r = 0; r < b->ranges; r++) {
        struct comm *comm = parallel_blocks_experts(b, r) ? groups->same_experts : groups->data;
        const int64_t start = model_params_start(params, r), count = model_params_start(params, r + 1) - start;
        const int64_t first = cut ? comm_block(count, comm->size, comm->rank) : 0;
        const int64_t end = cut ? comm_block(count, comm->size, comm->rank + 1) : count;
        b->block[r] = (struct parallel_block){start, count, comm, first, end - first, b->owned};
        b->owned += end - first;
    }
    for (int i = 0; i < params->count; i++) {
        const struct model_tensor *t = &params->tensors[i];
        const int64_t range = model_params_range_of(params, t->offset);
        struct comm *group = sharing(plan, groups, t->kind);
        if (group)
            b->shared[b->shares++] = (struct parallel_shared){.range = range,
                                                              .first = t->offset - b->block[range].start,
                                                              .count = t->count,
                                                              .group = group,
                                                              .once = t->kind->role == MODEL_TOKEN_TABLE};
    }
    return BASE_OK;
}

bool parallel_blocks_experts(const struct parallel_blocks *b, int64_t range) {
    return range > b->layers + 1;
}

int64_t parallel_blocks_layer(const struct parallel_blocks *b, int64_t range) {
    if (parallel_blocks_experts(b, range)) return range - b->layers - 1;
    return range > b->layers ? 0 : range;
}

void parallel_blocks_close(struct parallel_blocks *b) {
    free(b->block), free(b->shared);
    *b = (struct parallel_blocks){0};
}

struct parallel_part parallel_blocks_part(const struct parallel_blocks *b, const struct model_params *params,
                                          const struct model_tensor *t) {
    const int64_t range = model_params_range_of(params, t->offset);
    const struct parallel_block *x = &b->block[range];
    const int64_t from = t->offset - x->start - x->first, to = from + t->count;
    return (struct parallel_part){range, from > 0 ? from : 0, to < x->own ? to : x->own};
}
