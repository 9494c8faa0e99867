/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: what ranks must agree on. */
#include "gate/ranks.h"

#include <math.h>
#include <string.h>

/* Checks that all ranks have the same weights, bit for bit. */
static void compare_replicas(struct gate *gate, struct parallel_engine *g) {
    const uint64_t mine = parallel_weights_mix(g);
    uint64_t same[2];
    same[0] = mine;
    same[1] = mine;
    g->world->ops->broadcast(g->world, &same[1], sizeof same[1]);
    char where[64];
    snprintf(where, sizeof where, "rank %d", g->world->rank);
    gate_note(gate, CHECK_REPLICAS, same[0] == same[1] ? 0 : INFINITY, same[0] == same[1] ? "" : where);
}

/* A rank's term of element i of a known sum. Whole numbers, so the sum is exact in any order. */
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
    const int64_t width = g->rows.width, mine = g->rows.count / g->world->size;
    void *dx = g->model.buffers[MODEL_DX];
    for (int64_t t = 0; t < mine; t++) {
        g->inputs[t] = known_token(g, t, g->world->rank);
        for (int64_t c = 0; c < width; c++) {
            const float x = known_row(t, c, g->world->rank);
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            if (g->rows.dtype == KERNEL_F32)
                ((float *)dx)[t * width + c] = x;
            else
                ((kernel_bf16 *)dx)[t * width + c] = (kernel_bf16)(bits >> 16);
        }
    }
    parallel_rows_take(&g->rows, g->world, g->inputs, dx);
}

/* Takes the known rows of all ranks away from the table's sum again. */
static void take_rows_away(struct parallel_engine *g) {
    const int64_t width = g->rows.width, each = g->rows.count / g->world->size;
    float *table = g->grads + model_params_offset(&g->params, MODEL_TOKEN_TABLE, 0);
    for (int rank = 0; rank < g->world->size; rank++)
        for (int64_t t = 0; t < each; t++)
            for (int64_t c = 0; c < width; c++) table[known_token(g, t, rank) * width + c] -= known_row(t, c, rank);
}

/* The name of the tensor that has this element of the buffer. */
static const char *name_of(const struct model_params *p, int64_t element) {
    int i = 0;
    while (i + 1 < p->count && p->tensors[i + 1].offset <= element) i++;
    return p->tensors[i].name;
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
        for (int64_t i = early; i < b->count; i++) x[i] = (float)known(b->start + i, g->world->rank);
        hooks->ready(hooks->context, b->start + early, b->count - early);
    }
}

/* Sends known numbers over the ranks, in the ranges that the model reports. In BF16 the mean gradient hides one missing
 * rank of many behind rounding. Here anything missing, doubled or scaled shows at any world size. */
static void check_sums(struct gate *gate, struct parallel_engine *g, bool overlap) {
    const struct model_config *config = &g->plan->request.config;
    const int64_t table = g->rows.count ? config->vocab * config->width : 0;
    double ranks = 0, residual = 0;
    const char *where = "";
    for (int rank = 0; rank < g->world->size; rank++) ranks += known(0, rank);
    parallel_overlap(g, overlap);
    parallel_clear(g);
    for (int64_t i = 0; i < table; i++) g->grads[i] = (float)known(i, g->world->rank);
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
            const int64_t at = b->start + b->first + i;
            if (mine[i] == ranks + g->world->size * (known(at, 0) - known(0, 0))) continue;
            residual = INFINITY;
            where = name_of(&g->params, at);
        }
    }
    gate_note(gate, CHECK_SUMS, whole ? residual : INFINITY, where);
}

void gate_ranks(struct gate *gate, struct parallel_engine *g) {
    compare_replicas(gate, g);
    check_sums(gate, g, false);
    check_sums(gate, g, true);
}
