/* SPDX-License-Identifier: Apache-2.0
 *
 * Reduce-scatters gradients and gathers weights by the rules of zero.h. */
#include "parallel/zero.h"

#include <stdlib.h>
#include <string.h>

#include "plan/leaves.h"

enum { BUFFERS = 2 }; /* that layers use in turn */

static bool is_empty(const struct parallel_zero *z, int64_t range) {
    return z->blocks->block[range].count == 0;
}

static struct comm *comm_of(const struct parallel_zero *z, int64_t range) {
    return z->blocks->block[range].comm;
}

/* Whether the pass that runs uses a range. */
static bool in_pass(const struct parallel_zero *z, int64_t range) {
    const int64_t at = parallel_blocks_experts(z->blocks, range) ? parallel_blocks_layer(z->blocks, range) : range;
    return at >= z->low && at <= z->high;
}

/* The arena's room for ranges that pass through, in some levels: place[range] of the lowest, of `size` bytes an
 * element. */
static bool take_places(const struct parallel_zero *z, int64_t passing, int64_t levels, struct base_arena *arena,
                        int64_t size, char **place) {
    char *at = base_arena_take(arena, (size_t)(passing * levels * size));
    if (!at) return false;
    for (int64_t r = 0; r < z->blocks->ranges; r++) {
        if (parallel_blocks_layer(z->blocks, r) > BUFFERS) {
            place[r] = place[r - BUFFERS];
            continue;
        }
        place[r] = at;
        at += z->blocks->block[r].count * size;
    }
    return true;
}

int parallel_zero_open(struct parallel_zero *z, const struct plan *plan, const struct parallel_blocks *blocks,
                       const struct kernel_team *team, struct base_arena *arenas, void *weights, float *grads,
                       struct base_error *e) {
    const size_t n = (size_t)blocks->ranges;
    struct model_params params;
    *z = (struct parallel_zero){.stage = plan->request.layout.zero,
                                .blocks = blocks,
                                .team = team,
                                .size = (int64_t)kernel_dtype_bytes(plan->request.dtype),
                                .weights = weights,
                                .grads = grads,
                                .kept = calloc(n, sizeof *z->kept),
                                .summed = calloc(n, sizeof *z->summed),
                                .gather = calloc(n, sizeof *z->gather),
                                .sum = calloc(n, sizeof *z->sum),
                                .gathering = calloc(n, sizeof *z->gathering),
                                .summing = calloc(n, sizeof *z->summing),
                                .held = calloc(n, sizeof *z->held)};
    if (!z->kept || !z->summed || !z->gather || !z->sum || !z->gathering || !z->summing || !z->held)
        return base_fail(e, BASE_BROKEN, "out of memory for the state of %zu ranges", n);
    model_params_size(&params, &plan->part);
    const int64_t passing = plan_passing(&params);
    const bool kept = z->stage < 3 || take_places(z, passing, 1, &arenas[PLAN_WEIGHTS], z->size, z->kept);
    const bool summed = z->stage < 2 || take_places(z, passing, plan_leaves_levels(plan), &arenas[PLAN_GRADIENTS], 4,
                                                    (char **)z->summed);
    return kept && summed ? BASE_OK : base_fail(e, BASE_BROKEN, "bug: the arenas cannot hold the passing ranges");
}

void parallel_zero_close(struct parallel_zero *z) {
    free(z->kept), free(z->summed), free(z->gather), free(z->sum);
    free(z->gathering), free(z->summing), free(z->held);
    *z = (struct parallel_zero){0};
}

struct model_places parallel_zero_places(const struct parallel_zero *z) {
    return (struct model_places){.weights = z->stage < 3 ? NULL : (const void **)z->kept,
                                 .grads = z->stage < 2 ? NULL : z->summed};
}

float *parallel_zero_gradient(const struct parallel_zero *z, int64_t range) {
    return z->stage < 2 ? z->grads + z->blocks->block[range].start : z->summed[range];
}

/* Waits for the sum of a range, and keeps the owned block. */
static void settle(struct parallel_zero *z, int64_t range) {
    const struct parallel_block *b = &z->blocks->block[range];
    if (!z->summing[range]) return;
    comm_of(z, range)->ops->wait(comm_of(z, range), &z->sum[range]);
    z->summing[range] = false;
    if (z->stage >= 2) z->team->ops->copy(z->team, b->own, z->summed[range] + b->first, z->grads + b->at);
}

static void start_sum(struct parallel_zero *z, int64_t range) {
    comm_of(z, range)->ops->reduce_scatter_start(comm_of(z, range), parallel_zero_gradient(z, range),
                                                 z->blocks->block[range].count, KERNEL_F32, &z->sum[range]);
    z->summing[range] = true;
}

/* Makes room for a range's gradient: zeros, and in the owned block the sum over earlier micro-batches. */
static void clear(struct parallel_zero *z, int64_t range) {
    const struct parallel_block *b = &z->blocks->block[range];
    if (is_empty(z, range)) return;
    for (int64_t r = 0; r < z->blocks->ranges; r++)
        if (z->summed[r] == z->summed[range]) settle(z, r);
    z->team->ops->zero(z->team, b->count, z->summed[range]);
    z->team->ops->copy(z->team, b->own, z->grads + b->at, z->summed[range] + b->first);
    /* of those that add up a tensor first, one has what was summed */
    for (int i = 0; i < z->blocks->shares; i++) {
        const struct parallel_shared *x = &z->blocks->shared[i];
        if (x->range == range && x->group->rank) z->team->ops->zero(z->team, x->count, z->summed[range] + x->first);
    }
}

static void wait_gather(struct parallel_zero *z, int64_t range) {
    if (z->gathering[range]) comm_of(z, range)->ops->wait(comm_of(z, range), &z->gather[range]);
    z->gathering[range] = false;
}

static void start_gather(struct parallel_zero *z, int64_t range) {
    const struct parallel_block *b = &z->blocks->block[range];
    if (z->held[range] || z->silent || is_empty(z, range)) return;
    for (int64_t r = 0; r < z->blocks->ranges; r++) {
        if (z->kept[r] != z->kept[range]) continue;
        wait_gather(z, r); /* one that was not used */
        z->held[r] = false;
    }
    memcpy(z->kept[range] + b->first * z->size, z->weights + b->at * z->size, (size_t)(b->own * z->size));
    b->comm->ops->all_gather_start(b->comm, z->kept[range], b->count, (int)z->size, &z->gather[range]);
    z->gathering[range] = z->held[range] = true;
}

void parallel_zero_renew(struct parallel_zero *z) {
    for (int64_t r = 0; z->stage == 3 && r < z->blocks->ranges; r++) {
        wait_gather(z, r);
        z->held[r] = false;
    }
}

void parallel_zero_forward(struct parallel_zero *z, int64_t low, int64_t high) {
    z->backward = z->adds = false;
    z->reads = true;
    z->low = low, z->high = high;
}

/* The gradients that are to be reported in this pass. */
static void owe(struct parallel_zero *z, bool layers) {
    for (int64_t r = 0; z->stage && r < z->blocks->ranges; r++)
        if (in_pass(z, r) && (layers || parallel_blocks_layer(z->blocks, r) == 0)) z->owed += z->blocks->block[r].count;
}

void parallel_zero_backward(struct parallel_zero *z, int64_t low, int64_t high, bool sums, bool late) {
    const int64_t last = z->blocks->layers + 1;
    z->backward = z->reads = true;
    z->adds = !late;
    z->low = low, z->high = high;
    if (sums) owe(z, !late);
    if (z->stage < 2) return;
    if (high == last) clear(z, last);
    if (low == 0) clear(z, 0); /* has the head too, if that is tied */
}

void parallel_zero_weights(struct parallel_zero *z, int64_t low, int64_t high, bool sums) {
    z->backward = z->adds = true;
    z->reads = false;
    z->low = low, z->high = high;
    if (sums) owe(z, true);
}

/* The range is there; the next one comes. */
static void gather_ahead(struct parallel_zero *z, int64_t range) {
    const int64_t next = z->backward ? range - 1 : range + 1;
    parallel_zero_hold(z, range);
    /* in backward the embeddings are still there */
    const bool alike = parallel_blocks_experts(z->blocks, next) == parallel_blocks_experts(z->blocks, range);
    if (z->stage == 3 && !z->deferred && next > 0 && next < z->blocks->ranges && alike && in_pass(z, next))
        start_gather(z, next);
}

void parallel_zero_need(struct parallel_zero *z, int64_t range) {
    if (z->reads) gather_ahead(z, range);
    if (z->stage >= 2 && z->adds) clear(z, range);
}

void parallel_zero_hold(struct parallel_zero *z, int64_t range) {
    if (z->stage < 3) return;
    start_gather(z, range);
    wait_gather(z, range);
}

void parallel_zero_ready(struct parallel_zero *z, int64_t range) {
    z->owed -= z->blocks->block[range].count;
    if (z->stage == 1 && z->deferred) return;
    start_sum(z, range);
    if (z->deferred) settle(z, range);
}

bool parallel_zero_finish(struct parallel_zero *z) {
    const bool whole = z->owed == 0;
    for (int64_t r = z->blocks->ranges - 1; z->stage == 1 && z->deferred && r >= 0; r--)
        if (!is_empty(z, r)) start_sum(z, r);
    for (int64_t r = z->blocks->ranges - 1; r >= 0; r--) settle(z, r);
    z->owed = 0;
    return whole;
}

void parallel_zero_gather(struct parallel_zero *z, int64_t range) {
    const struct parallel_block *b = &z->blocks->block[range];
    if (z->stage == 0 || z->stage == 3 || is_empty(z, range)) return;
    b->comm->ops->all_gather_start(b->comm, z->weights + b->start * z->size, b->count, (int)z->size, &z->gather[range]);
    z->gathering[range] = true;
}

void parallel_zero_gathered(struct parallel_zero *z) {
    for (int64_t r = 0; r < z->blocks->ranges; r++) wait_gather(z, r);
}
