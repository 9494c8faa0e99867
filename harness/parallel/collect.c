/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts tensors together: on all ranks, by a sum to which each contributes what it owns; or on one rank each, to which
 * the others send what they own. */
#include "parallel/collect.h"

#include <stdlib.h>
#include <string.h>

bool parallel_has_all(const struct parallel_engine *g, enum parallel_what what) {
    if (g->groups.tensor || g->groups.stages || g->groups.experts) return false;
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

/* What this rank owns of a tensor: where it is, and *piece. */
static float *piece_of(const struct parallel_engine *g, enum parallel_what what, int tensor,
                       struct parallel_piece *piece) {
    *piece = (struct parallel_piece){0};
    if (g->local[tensor] < 0) return NULL;
    const struct model_tensor *t = &g->params.tensors[g->local[tensor]];
    const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
    const struct parallel_block *b = &g->blocks.block[x.range];
    piece->first = b->start + b->first + x.low - t->offset;
    piece->count = x.high > x.low ? x.high - x.low : 0;
    piece->split = model_part_split(&g->plan->shape.part, t->kind);
    return owned(g, what, x.range) + x.low;
}

/* Copies between a piece and the whole tensor. */
static void copy(const struct parallel_piece *p, float *piece, float *whole, bool in) {
    for (int64_t i = 0, n; i < p->count; i += n) {
        float *place = whole + model_part_place(&p->split, p->first + i, &n);
        if (n > p->count - i) n = p->count - i;
        memcpy(in ? piece + i : place, in ? place : piece + i, (size_t)n * sizeof *piece);
    }
}

/* Of equal copies one counts: among tensor parallel ranks, and without ZeRO among replicas, that of `replica`, or for
 * experts that of the ranks with which it has all of them. */
static bool sends(const struct parallel_engine *g, int tensor, int replica) {
    if (g->local[tensor] < 0 || !parallel_counts(g, g->local[tensor])) return false;
    if (g->zero.stage) return true;
    if (g->whole.tensors[tensor].expert < 0) return g->groups.data->rank == replica;
    return g->groups.same_experts->rank == replica / plan_layout_expert_ranks(&g->plan->request.layout);
}

const float *parallel_whole(const struct parallel_engine *g, enum parallel_what what, int tensor) {
    const struct model_tensor *t = &g->whole.tensors[tensor];
    struct parallel_piece piece;
    return what == PARALLEL_MASTER ? g->master + t->offset : piece_of(g, what, tensor, &piece);
}

void parallel_collect(struct parallel_engine *g, enum parallel_what what, int tensor, float *out) {
    const struct model_tensor *t = &g->whole.tensors[tensor];
    struct parallel_piece piece;
    struct comm_request request;
    if (parallel_has_all(g, what)) {
        memcpy(out, parallel_whole(g, what, tensor), (size_t)t->count * sizeof *out);
        return;
    }
    memset(out, 0, (size_t)t->count * sizeof *out);
    float *mine = piece_of(g, what, tensor, &piece);
    if (sends(g, tensor, 0)) copy(&piece, mine, out, false);
    g->world->ops->all_reduce_start(g->world, out, t->count, KERNEL_F32, &request);
    g->world->ops->wait(g->world, &request);
}

bool parallel_keeps(const struct parallel_engine *g, int tensor) {
    struct parallel_piece piece;
    piece_of(g, PARALLEL_MASTER, tensor, &piece);
    return piece.count > 0;
}

void parallel_keep(struct parallel_engine *g, enum parallel_what what, int tensor, const float *values) {
    struct parallel_piece piece;
    float *mine = piece_of(g, what, tensor, &piece);
    copy(&piece, mine, (float *)(uintptr_t)values, true);
}

int parallel_exchange_open(struct parallel_exchange *x, const struct parallel_engine *g, struct base_error *e) {
    const size_t n = (size_t)g->world->size;
    *x = (struct parallel_exchange){.to_piece = calloc(n, sizeof *x->to_piece),
                                    .from_piece = calloc(n, sizeof *x->from_piece),
                                    .requests = calloc(2 * n, sizeof *x->requests)};
    if (x->to_piece && x->from_piece && x->requests) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "out of memory for pieces of tensors of %zu ranks", n);
}

void parallel_exchange_close(struct parallel_exchange *x) {
    free(x->to_piece), free(x->from_piece), free(x->requests), free(x->from);
    *x = (struct parallel_exchange){0};
}

/* Every rank learns what it gets from each, and makes room for it. */
static int announce(struct parallel_engine *g, const int *wanted, struct parallel_exchange *x, struct base_error *e) {
    struct comm *world = g->world;
    struct comm_request request;
    int64_t n = 0;
    int code = BASE_OK;
    for (int r = 0; r < world->size; r++) {
        const struct plan_place place = plan_grid_place(&g->plan->request.layout, r);
        x->to_piece[r] = (struct parallel_piece){0};
        if (wanted[r] >= 0 && sends(g, wanted[r], plan_grid_replica(&g->plan->request.layout, &place)))
            piece_of(g, PARALLEL_MASTER, wanted[r], &x->to_piece[r]);
    }
    world->ops->all_to_all_start(world, x->to_piece, x->from_piece, sizeof *x->to_piece, &request);
    world->ops->wait(world, &request);
    for (int r = 0; r < world->size; r++) n += r == world->rank ? 0 : x->from_piece[r].count;
    if (n > x->room) {
        free(x->from);
        x->room = n;
        if (!(x->from = malloc((size_t)n * sizeof *x->from))) {
            x->room = 0;
            code = base_fail(e, BASE_BROKEN, "out of memory for %lld elements of a tensor", (long long)n);
        }
    }
    n += x->from_piece[world->rank].count;
    if (!code && wanted[world->rank] >= 0 && n != g->whole.tensors[wanted[world->rank]].count)
        code = base_fail(e, BASE_BROKEN, "bug: ranks own %lld elements of %s", (long long)n,
                         g->whole.tensors[wanted[world->rank]].name);
    return comm_agree(world, code, e);
}

int parallel_gather_to(struct parallel_engine *g, enum parallel_what what, const int *wanted,
                       struct parallel_exchange *x, float *out, struct base_error *e) {
    struct comm *world = g->world;
    struct parallel_piece piece;
    const int code = announce(g, wanted, x, e);
    if (code) return code;
    float *at = x->from;
    for (int r = 0; r < world->size; r++) {
        const int64_t n = r == world->rank ? 0 : x->from_piece[r].count;
        if (n) world->ops->receive_start(world, at, (size_t)n * sizeof *at, r, 0, &x->requests[2 * r]);
        at += n;
    }
    for (int r = 0; r < world->size; r++)
        if (x->to_piece[r].count && r != world->rank)
            world->ops->send_start(world, piece_of(g, what, wanted[r], &piece),
                                   (size_t)x->to_piece[r].count * sizeof *at, r, 0, &x->requests[2 * r + 1]);
    at = x->from;
    for (int r = 0; r < world->size; r++) {
        const struct parallel_piece *p = &x->from_piece[r];
        if (!p->count) continue;
        if (r == world->rank) {
            copy(p, piece_of(g, what, wanted[r], &piece), out, false);
            continue;
        }
        world->ops->wait(world, &x->requests[2 * r]);
        copy(p, at, out, false);
        at += p->count;
    }
    for (int r = 0; r < world->size; r++)
        if (x->to_piece[r].count && r != world->rank) world->ops->wait(world, &x->requests[2 * r + 1]);
    return BASE_OK;
}

int parallel_sum_choices(struct comm *comm, int32_t *choice, int64_t n, struct base_error *e) {
    float *x = malloc((size_t)n * sizeof *x); /* numbers of experts are exact */
    struct comm_request request;
    int code = x ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for the choices of experts");
    if (!(code = comm_agree(comm, code, e))) {
        for (int64_t i = 0; i < n; i++) x[i] = (float)choice[i];
        comm->ops->all_reduce_start(comm, x, n, KERNEL_F32, &request);
        comm->ops->wait(comm, &request);
        for (int64_t i = 0; i < n; i++) choice[i] = (int32_t)x[i];
    }
    free(x);
    return code;
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
