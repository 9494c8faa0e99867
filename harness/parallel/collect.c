/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts tensors together: each rank contributes what it owns to a sum in which all else is zero. */
#include "parallel/collect.h"

#include <stdlib.h>
#include <string.h>

bool parallel_has_all(const struct parallel_engine *g, enum parallel_what what) {
    if (g->groups.tensor || g->groups.stages) return false;
    return !g->zero.stage || (what == PARALLEL_MASTER && !g->half && g->zero.stage < 3);
}

/* This rank's block of a range. */
static float *owned(const struct parallel_engine *g, enum parallel_what what, int64_t range) {
    switch (what) {
    case PARALLEL_MASTER:
        return parallel_master(g, range);
    case PARALLEL_GRADIENTS:
        return parallel_gradient(g, range);
    case PARALLEL_MOMENT1:
        return g->moment1 + g->blocks.block[range].at;
    case PARALLEL_MOMENT2:
        return g->moment2 + g->blocks.block[range].at;
    }
    return NULL;
}

/* The owned part of a tensor, [count] from element *first of this rank's tensor on. */
static float *part_of(const struct parallel_engine *g, enum parallel_what what, const struct model_tensor *t,
                      int64_t *first, int64_t *count) {
    const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
    const struct parallel_block *b = &g->blocks.block[x.range];
    *first = b->start + b->first + x.low - t->offset;
    *count = x.high > x.low ? x.high - x.low : 0;
    return owned(g, what, x.range) + x.low;
}

/* Copies between the owned part and the whole tensor. */
static void copy(const struct parallel_engine *g, enum parallel_what what, int tensor, float *whole, bool in) {
    if (g->local[tensor] < 0) return;
    const struct model_tensor *t = &g->params.tensors[g->local[tensor]];
    const struct model_split split = model_part_split(&g->plan->shape.part, t->kind);
    int64_t first, count;
    float *part = part_of(g, what, t, &first, &count);
    for (int64_t i = 0, n; i < count; i += n) {
        float *place = whole + model_part_place(&split, first + i, &n);
        if (n > count - i) n = count - i;
        memcpy(in ? part + i : place, in ? place : part + i, (size_t)n * sizeof *part);
    }
}

void parallel_collect(struct parallel_engine *g, enum parallel_what what, int tensor, float *out) {
    const struct model_tensor *t = &g->whole.tensors[tensor];
    struct comm_request request;
    if (what == PARALLEL_MASTER && parallel_has_all(g, what)) { /* of which this rank may own a part */
        memcpy(out, g->master + t->offset, (size_t)t->count * sizeof *out);
        return;
    }
    memset(out, 0, (size_t)t->count * sizeof *out);
    /* of equal copies one counts: among tensor parallel ranks, and without ZeRO among data parallel ones */
    const bool all = parallel_has_all(g, what), mine = g->local[tensor] >= 0 && parallel_counts(g, g->local[tensor]);
    if (mine && (g->zero.stage || all || g->groups.data->rank == 0)) copy(g, what, tensor, out, false);
    if (all) return;
    g->world->ops->all_reduce_start(g->world, out, t->count, KERNEL_F32, &request);
    g->world->ops->wait(g->world, &request);
}

void parallel_keep(struct parallel_engine *g, int tensor, const float *values) {
    copy(g, PARALLEL_MASTER, tensor, (float *)(uintptr_t)values, true);
}

int parallel_reader_open(struct parallel_reader *r, struct parallel_engine *g, struct base_error *e) {
    *r = (struct parallel_reader){.engine = g, .tensor = -1};
    if (parallel_has_all(g, PARALLEL_MASTER)) return BASE_OK;
    r->values = malloc((size_t)g->whole.largest * sizeof *r->values);
    return r->values
               ? BASE_OK
               : base_fail(e, BASE_BROKEN, "out of memory for a tensor of %lld elements", (long long)g->whole.largest);
}

void parallel_reader_close(struct parallel_reader *r) {
    free(r->values);
    r->values = NULL;
}

void parallel_stored(const struct parallel_engine *g, const float *from, int64_t n, double *out) {
    enum { PIECE = 2048 };
    kernel_bf16 half[PIECE];
    float x[PIECE];
    const struct kernel_team alone = {.ops = &g->ops, .threads = 1};
    for (int64_t at = 0; at < n; at += PIECE) {
        const int64_t count = n - at < PIECE ? n - at : PIECE;
        memcpy(x, from + at, (size_t)count * sizeof *x);
        if (g->half) g->ops.to_bf16(&alone, count, x, half), g->ops.from_bf16(&alone, count, half, x);
        for (int64_t i = 0; i < count; i++) out[at + i] = (double)x[i];
    }
}

void parallel_read(void *context, int64_t offset, int64_t count, double *out) {
    struct parallel_reader *r = context;
    struct parallel_engine *g = r->engine;
    if (!r->values) {
        parallel_stored(g, g->master + offset, count, out);
        return;
    }
    for (int i = 0; i < g->whole.count; i++) {
        const struct model_tensor *t = &g->whole.tensors[i];
        const int64_t low = offset > t->offset ? offset : t->offset;
        const int64_t end = offset + count < t->offset + t->count ? offset + count : t->offset + t->count;
        if (low >= end) continue;
        if (r->tensor != i) parallel_collect(g, PARALLEL_MASTER, i, r->values);
        r->tensor = i;
        parallel_stored(g, r->values + (low - t->offset), end - low, out + (low - offset));
    }
}
