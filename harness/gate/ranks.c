/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: what ranks must agree on. */
#include "gate/ranks.h"

#include <math.h>
#include <string.h>

#include "gate/collectives.h"

/* Whether the group's ranks have the same bits. */
static void compare(struct gate *gate, const struct parallel_engine *g, struct comm *group, uint64_t mine,
                    const char *what) {
    uint64_t first = mine;
    char where[96];
    group->ops->broadcast(group, &first, sizeof first);
    snprintf(where, sizeof where, "%s of rank %d", what, g->world->rank);
    gate_note(gate, CHECK_REPLICAS, first == mine ? 0 : INFINITY, first == mine ? "" : where);
}

/* The table that the first stage lends, or the last one's copy of it. */
static uint64_t table_mix(struct parallel_engine *g) {
    parallel_share_table(g);
    parallel_tied_arrived(&g->tied);
    const void *table = g->tied.lends ? model_weight(&g->model, MODEL_TOKEN_TABLE, 0) : g->tied.table;
    return parallel_mix(table, g->tied.count * g->tied.size, g->team.threads);
}

/* Checks that ranks compute with the same weights where they hold the same. */
static void compare_replicas(struct gate *gate, struct parallel_engine *g) {
    compare(gate, g, g->groups.data, parallel_weights_mix(g, false), "weights");
    if (g->params.expert_size) compare(gate, g, g->groups.same_experts, parallel_weights_mix(g, true), "experts");
    if (g->tied.comm) compare(gate, g, g->tied.comm, table_mix(g), "tied token table");
    if (g->groups.tensor) compare(gate, g, g->groups.tensor, parallel_common_mix(g), "common weights");
}

/* Known numbers of the embedding's rows: row t of a rank, whose token is as below. BF16 holds these numbers. */
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

/* How many ranks add to a tensor's gradient, besides replicas. */
static int sharing(const struct parallel_engine *g, const struct model_tensor *t) {
    if (t->kind->role == MODEL_TOKEN_TABLE && g->tied.head) return 2; /* the head's is apart */
    const int64_t range = model_params_range_of(&g->params, t->offset), at = t->offset - g->blocks.block[range].start;
    for (int i = 0; i < g->blocks.shares; i++)
        if (g->blocks.shared[i].range == range && g->blocks.shared[i].first == at)
            return g->blocks.shared[i].group->size;
    return 1;
}

/* Known gradients of a tied head apart from its table. */
static void fill_head(struct parallel_engine *g) {
    for (int64_t k = 0; k < g->tied.count; k++) g->tied.grad[k] = (float)gate_known(k, g->groups.data->rank);
    parallel_tied_sum(&g->tied);
}

/* Known gradients of a range's tensors. */
static void fill(struct parallel_engine *g, int64_t range) {
    float *x = parallel_zero_gradient(&g->zero, range);
    for (int i = 0; i < g->params.count; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        if (model_params_range_of(&g->params, t->offset) != range) continue;
        float *to = x + (t->offset - g->blocks.block[range].start);
        for (int64_t k = 0; k < t->count; k++) to[k] = (float)gate_known(k, g->blocks.block[range].comm->rank);
    }
}

/* Reports known gradients range by range, as backward does. The first `table` elements are ready first. */
static void report(struct parallel_engine *g, int64_t table) {
    const struct model_hooks *hooks = &g->model.hooks;
    if (table) fill(g, 0);
    if (table) hooks->ready(hooks->context, 0, table);
    for (int64_t r = g->blocks.ranges - 1; r >= 0; r--) {
        const struct parallel_block *b = &g->blocks.block[r];
        const int64_t early = r == 0 ? table : 0;
        if (parallel_blocks_layer(&g->blocks, r)) hooks->need(hooks->context, b->start, b->count);
        if (!early) fill(g, r);
        hooks->ready(hooks->context, b->start + early, b->count - early);
    }
}

/* Sends known numbers over the ranks, in the ranges that the model reports. In BF16 the mean gradient hides one missing
 * rank of many behind rounding. Here anything missing, doubled or scaled shows at any world size. */
static void check_sums(struct gate *gate, struct parallel_engine *g, bool overlap) {
    double residual = 0;
    const char *where = "";
    parallel_overlap(g, overlap);
    parallel_clear(g);
    parallel_sum_begin(g);
    g->last_micro = true;
    parallel_zero_backward(&g->zero, 0, g->blocks.layers + 1, parallel_sums(g), false);
    if (g->tied.grad) fill_head(g);
    report(g, g->rows.count ? model_config_table(&g->plan->part) : 0);
    if (g->rows.count) send_rows(g);
    const bool whole = parallel_sum_end(g);
    if (g->rows.count) take_rows_away(g);
    for (int i = 0; i < g->params.count && whole; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
        const struct parallel_block *b = &g->blocks.block[x.range];
        const double known = gate_known_first(b->comm->size);
        for (int64_t k = x.low; k < x.high; k++) {
            const int64_t at = b->start + b->first + k - t->offset;
            const double sum = gate_known_sum(known, at, b->comm->size);
            if (parallel_gradient(g, x.range)[k] == sharing(g, t) * sum) continue;
            residual = INFINITY;
            where = t->name;
        }
    }
    gate_note(gate, CHECK_SUMS, whole ? residual : INFINITY, where);
}

void gate_ranks(struct gate *gate, struct parallel_engine *g) {
    compare_replicas(gate, g);
    check_sums(gate, g, false);
    check_sums(gate, g, true);
}
