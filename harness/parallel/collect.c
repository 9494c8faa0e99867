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

/* Of equal copies one counts: among tensor parallel ranks, and without ZeRO among data parallel ones, rank `data`'s. */
static bool sends(const struct parallel_engine *g, int tensor, int data) {
    if (g->local[tensor] < 0 || !parallel_counts(g, g->local[tensor])) return false;
    return g->zero.stage || g->groups.data->rank == data;
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

int parallel_mail_open(struct parallel_mail *m, const struct parallel_engine *g, struct base_error *e) {
    const size_t n = (size_t)g->world->size;
    *m = (struct parallel_mail){.to_piece = calloc(n, sizeof *m->to_piece),
                                .from_piece = calloc(n, sizeof *m->from_piece),
                                .to_bytes = calloc(n, sizeof *m->to_bytes),
                                .from_bytes = calloc(n, sizeof *m->from_bytes)};
    const bool made = m->to_piece && m->from_piece && m->to_bytes && m->from_bytes;
    return made ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for tensors of %zu ranks", n);
}

void parallel_mail_close(struct parallel_mail *m) {
    free(m->to_piece), free(m->from_piece), free(m->to_bytes), free(m->from_bytes), free(m->to), free(m->from);
    *m = (struct parallel_mail){0};
}

/* Makes room for the pieces of all ranks; what it held is lost. */
static int make_room(float **room, int64_t *has, const struct parallel_piece *pieces, int ranks, struct base_error *e) {
    int64_t n = 0;
    for (int r = 0; r < ranks; r++) n += pieces[r].count;
    if (n <= *has) return BASE_OK;
    free(*room);
    *has = n;
    if ((*room = malloc((size_t)n * sizeof **room))) return BASE_OK;
    *has = 0;
    return base_fail(e, BASE_BROKEN, "out of memory for %lld elements of a tensor on their way", (long long)n);
}

/* Packs this rank's pieces for all ranks. */
static void pack(struct parallel_engine *g, enum parallel_what what, const int *wanted, struct parallel_mail *m) {
    struct parallel_piece piece;
    float *at = m->to;
    for (int r = 0; r < g->world->size; r++) {
        const int64_t n = m->to_piece[r].count;
        m->to_bytes[r] = n * (int64_t)sizeof *at;
        m->from_bytes[r] = m->from_piece[r].count * (int64_t)sizeof *at;
        if (!n) continue;
        memcpy(at, piece_of(g, what, wanted[r], &piece), (size_t)n * sizeof *at);
        at += n;
    }
}

int parallel_bring(struct parallel_engine *g, enum parallel_what what, const int *wanted, struct parallel_mail *m,
                   float *out, struct base_error *e) {
    struct comm *world = g->world;
    struct comm_request request;
    for (int r = 0; r < world->size; r++) {
        m->to_piece[r] = (struct parallel_piece){0};
        if (wanted[r] >= 0 && sends(g, wanted[r], plan_layout_place(&g->plan->request.layout, r).dp))
            piece_of(g, what, wanted[r], &m->to_piece[r]);
    }
    world->ops->all_to_all_start(world, m->to_piece, m->from_piece, sizeof *m->to_piece, &request);
    world->ops->wait(world, &request);
    int code = make_room(&m->to, &m->to_room, m->to_piece, world->size, e);
    if (!code) code = make_room(&m->from, &m->from_room, m->from_piece, world->size, e);
    if ((code = comm_agree(world, code, e))) return code;
    pack(g, what, wanted, m);
    world->ops->all_to_all_v_start(world, m->to, m->to_bytes, m->from, m->from_bytes, &request);
    world->ops->wait(world, &request);
    int64_t missing = wanted[world->rank] < 0 ? 0 : g->whole.tensors[wanted[world->rank]].count;
    float *at = m->from;
    for (int r = 0; r < world->size; r++) {
        copy(&m->from_piece[r], at, out, false);
        at += m->from_piece[r].count, missing -= m->from_piece[r].count;
    }
    if (missing) code = base_fail(e, BASE_BROKEN, "bug: no rank has %lld elements of a tensor", (long long)missing);
    return comm_agree(world, code, e);
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
