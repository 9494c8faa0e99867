/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: what ranks must agree on. */
#include "gate/ranks.h"

#include <math.h>
#include <string.h>

/* Whether the group's ranks have the same bits. */
static void compare(struct gate *gate, const struct parallel_engine *g, struct comm *group, uint64_t mine,
                    const char *what) {
    uint64_t first = mine;
    char where[96];
    group->ops->broadcast(group, &first, sizeof first);
    snprintf(where, sizeof where, "%s of rank %d", what, g->world->rank);
    gate_note(gate, CHECK_REPLICAS, first == mine ? 0 : INFINITY, first == mine ? "" : where);
}

/* Checks that ranks compute with the same weights where they hold the same. */
static void compare_replicas(struct gate *gate, struct parallel_engine *g) {
    compare(gate, g, g->groups.data, parallel_weights_mix(g, false), "weights");
    if (g->groups.tensor) compare(gate, g, g->groups.tensor, parallel_weights_mix(g, true), "common weights");
}

/* A rank's term of element i of a range in a known sum. Whole numbers, so the sum is exact in any order. */
static double known(int64_t i, int rank) {
    return (double)(i % 61 + 1 + rank % 16);
}

/* The same of the embedding's rows: row t of a rank, whose token is as below. BF16 holds these numbers. */
static float known_row(int64_t t, int64_t column, int rank) {
    return (float)(1 + (t + column + rank) % 7);
}
static int32_t known_token(const struct parallel_engine *g, int64_t t, int rank) {
    return (int32_t)((5 * t + rank) % g->plan->request.config.vocab);
}

/* Gives this rank's known rows to the engine, as backward does. */
static void send_rows(struct parallel_engine *g) {
    const int64_t width = g->rows.width, mine = g->rows.count / g->groups.data->size;
    void *dx = g->model.buffers[MODEL_DX];
    for (int64_t t = 0; t < mine; t++) {
        g->inputs[t] = known_token(g, t, g->groups.data->rank);
        for (int64_t c = 0; c < width; c++) {
            const float x = known_row(t, c, g->groups.data->rank);
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            if (g->rows.dtype == KERNEL_F32)
                ((float *)dx)[t * width + c] = x;
            else
                ((kernel_bf16 *)dx)[t * width + c] = (kernel_bf16)(bits >> 16);
        }
    }
    parallel_rows_take(&g->rows, g->groups.data, g->inputs, dx);
}

/* Takes the known rows of all ranks away from the table's sum again. */
static void take_rows_away(struct parallel_engine *g) {
    const int64_t width = g->rows.width, each = g->rows.count / g->groups.data->size;
    float *table = g->grads + model_params_offset(&g->params, MODEL_TOKEN_TABLE, 0);
    for (int rank = 0; rank < g->groups.data->size; rank++)
        for (int64_t t = 0; t < each; t++) {
            const int64_t row = known_token(g, t, rank) - g->rows.first;
            if (row < 0 || row >= g->plan->part.vocab) continue; /* another tensor parallel rank's */
            for (int64_t c = 0; c < width; c++) table[row * width + c] -= known_row(t, c, rank);
        }
}

/* The name of the tensor that has this element of the buffer. */
static const char *name_of(const struct model_params *p, int64_t element) {
    int i = 0;
    while (i + 1 < p->count && p->tensors[i + 1].offset <= element) i++;
    return p->tensors[i].name;
}

/* How many ranks add to the gradient of a range's element, besides data parallel ones. */
static int sharing(const struct parallel_engine *g, int64_t range, int64_t element) {
    const int64_t at = element - g->zero.shared;
    const bool layer = range > 0 && range + 1 < g->blocks.ranges;
    return layer && at >= 0 && at < g->zero.shared_count ? model_part_sharing(&g->plan->shape.part) : 1;
}

/* Reports known gradients range by range, as backward does. */
static void report(struct parallel_engine *g, int64_t table) {
    const struct model_hooks *hooks = &g->model.hooks;
    if (table) hooks->ready(hooks->context, 0, table);
    for (int64_t r = g->blocks.ranges - 1; r >= 0; r--) {
        const struct parallel_block *b = &g->blocks.block[r];
        const int64_t early = r == 0 ? table : 0;
        if (r > 0 && r + 1 < g->blocks.ranges) hooks->need(hooks->context, b->start, b->count);
        float *x = parallel_zero_gradient(&g->zero, r);
        for (int64_t i = early; i < b->count; i++) x[i] = (float)known(i, g->groups.data->rank);
        hooks->ready(hooks->context, b->start + early, b->count - early);
    }
}

/* Sends known numbers over the ranks, in the ranges that the model reports. In BF16 the mean gradient hides one missing
 * rank of many behind rounding. Here anything missing, doubled or scaled shows at any world size. */
static void check_sums(struct gate *gate, struct parallel_engine *g, bool overlap) {
    const struct model_config *part = &g->plan->part;
    const struct comm *data = g->groups.data;
    const int64_t table = g->rows.count ? part->vocab * part->width : 0;
    double ranks = 0, residual = 0;
    const char *where = "";
    for (int rank = 0; rank < data->size; rank++) ranks += known(0, rank);
    parallel_overlap(g, overlap);
    parallel_clear(g);
    for (int64_t i = 0; i < table; i++) g->grads[i] = (float)known(i, data->rank);
    parallel_sum_begin(g);
    g->last_micro = true;
    parallel_zero_backward(&g->zero, g->zero.stage > 0);
    report(g, table);
    if (table) send_rows(g);
    const bool whole = parallel_sum_end(g);
    if (table) take_rows_away(g);
    for (int64_t r = 0; r < g->blocks.ranges && whole; r++) {
        const struct parallel_block *b = &g->blocks.block[r];
        const float *mine = parallel_gradient(g, r);
        for (int64_t i = 0; i < b->own; i++) {
            const int64_t at = b->first + i;
            if (mine[i] == sharing(g, r, at) * (ranks + data->size * (known(at, 0) - known(0, 0)))) continue;
            residual = INFINITY;
            where = name_of(&g->params, b->start + at);
        }
    }
    gate_note(gate, CHECK_SUMS, whole ? residual : INFINITY, where);
}

void gate_ranks(struct gate *gate, struct parallel_engine *g) {
    compare_replicas(gate, g);
    check_sums(gate, g, false);
    check_sums(gate, g, true);
}
