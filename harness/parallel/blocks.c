/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts each range into blocks. */
#include "parallel/blocks.h"

#include <stdlib.h>

int parallel_blocks_open(struct parallel_blocks *b, const struct plan *plan, const struct model_params *params,
                         const struct comm *comm, struct base_error *e) {
    const bool cut = plan->request.layout.zero > 0;
    *b = (struct parallel_blocks){.ranges = params->layers + 2};
    b->block = calloc((size_t)b->ranges, sizeof *b->block);
    if (!b->block)
        return base_fail(e, BASE_BROKEN, "out of memory for the blocks of %lld ranges", (long long)b->ranges);
    for (int64_t r = 0; r < b->ranges; r++) {
        const int64_t start = model_params_start(params, r), count = model_params_start(params, r + 1) - start;
        const int64_t first = cut ? comm_block(count, comm->size, comm->rank) : 0;
        const int64_t end = cut ? comm_block(count, comm->size, comm->rank + 1) : count;
        b->block[r] = (struct parallel_block){start, count, first, end - first, b->owned};
        b->owned += end - first;
    }
    return BASE_OK;
}

void parallel_blocks_close(struct parallel_blocks *b) {
    free(b->block);
    *b = (struct parallel_blocks){0};
}

struct parallel_part parallel_blocks_part(const struct parallel_blocks *b, const struct model_params *params,
                                          const struct model_tensor *t) {
    const int64_t range = model_params_range_of(params, t->offset);
    const struct parallel_block *x = &b->block[range];
    const int64_t from = t->offset - x->start - x->first, to = from + t->count;
    return (struct parallel_part){range, from > 0 ? from : 0, to < x->own ? to : x->own};
}
