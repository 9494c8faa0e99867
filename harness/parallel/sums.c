/* SPDX-License-Identifier: Apache-2.0
 *
 * Adds up losses and squares of gradients, each once. */
#include "parallel/sums.h"

#include <math.h>

void parallel_losses_add(struct parallel_engine *g) {
    const struct model_shape *s = &g->plan->shape;
    const float *loss = g->model.buffers[MODEL_LOSS];
    for (int64_t i = 0; i < s->batch; i++) {
        double sum = 0;
        for (int64_t t = i * s->seq; t < (i + 1) * s->seq; t++) sum += loss[t];
        g->losses[(g->sample + i) / s->tree.sequences] += sum;
    }
}

double parallel_losses_mean(struct parallel_engine *g) {
    const struct plan_request *q = &g->plan->request;
    const int leaves = g->plan->shape.tree.leaves;
    g->groups.data->ops->sum(g->groups.data, g->losses, leaves);
    if (g->groups.stages) g->groups.stages->ops->sum(g->groups.stages, g->losses, leaves);
    for (int step = 1; step < leaves; step *= 2)
        for (int i = 0; i < leaves; i += 2 * step) g->losses[i] += g->losses[i + step];
    return g->losses[0] / ((double)q->global_batch * (double)q->seq);
}

/* Whether all gradients of a range count for their norm: not if tensor parallel ranks have the same ones, or numbers of
 * rows stand in the place of a router's bias. */
static bool all_count(const struct parallel_engine *g, int64_t range) {
    const bool biased = model_params_offset(&g->params, MODEL_ROUTER_BIAS, 0) >= 0;
    return !g->groups.tensor && (!biased || parallel_blocks_experts(&g->blocks, range));
}

typedef void each_fn(const struct parallel_engine *g, struct parallel_norm *norm, int64_t n, const float *x);

/* Calls f for all of this rank's gradients that count, of experts' or all others. */
static void each(const struct parallel_engine *g, bool experts, each_fn *f, struct parallel_norm *norm) {
    for (int64_t r = 0; r < g->blocks.ranges; r++)
        if (all_count(g, r) && parallel_blocks_experts(&g->blocks, r) == experts)
            f(g, norm, g->blocks.block[r].own, parallel_gradient(g, r));
    for (int i = 0; i < g->params.count; i++) {
        const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, &g->params.tensors[i]);
        const bool counts = parallel_counts(g, i) && !model_tensor_counts_rows(&g->params.tensors[i]);
        if (all_count(g, x.range) || x.low >= x.high || !counts) continue;
        if (parallel_blocks_experts(&g->blocks, x.range) == experts)
            f(g, norm, x.high - x.low, parallel_gradient(g, x.range) + x.low);
    }
}

static void squares_of(const struct parallel_engine *g, struct parallel_norm *norm, int64_t n, const float *x) {
    norm->squares[0] += g->team.ops->square_sum(&g->team, n, x);
}
static void squares_of_experts(const struct parallel_engine *g, struct parallel_norm *norm, int64_t n, const float *x) {
    norm->experts += g->team.ops->square_sum(&g->team, n, x);
}
static void largest_of(const struct parallel_engine *g, struct parallel_norm *norm, int64_t n, const float *x) {
    const double largest = (double)kernel_largest(&g->team, n, x);
    if (!(largest <= norm->largest)) norm->largest = isfinite(largest) ? largest : INFINITY;
}
static void folds_of(const struct parallel_engine *g, struct parallel_norm *norm, int64_t n, const float *x) {
    double units[KERNEL_FOLDS];
    kernel_fold_units((float)norm->largest, g->whole.total, units);
    kernel_square_folds(&g->team, n, x, units, norm->squares);
}

/* Ranks that own other gradients than this one; NULL: none. */
static struct comm *others(const struct parallel_engine *g, int i) {
    struct comm *const all[] = {g->groups.tensor, g->zero.stage ? g->groups.data : NULL, g->groups.stages};
    return all[i];
}
enum { OTHERS = 3 };

struct parallel_norm parallel_norm_own(const struct parallel_engine *g) {
    struct parallel_norm norm = {0};
    if (g->plan->shape.tree.leaves)
        each(g, false, largest_of, &norm);
    else
        each(g, false, squares_of, &norm), each(g, true, squares_of_experts, &norm);
    return norm;
}

void parallel_norm_agree(const struct parallel_engine *g, struct parallel_norm *norm) {
    for (int i = 0; i < OTHERS; i++)
        if (others(g, i)) others(g, i)->ops->max(others(g, i), &norm->largest, 1);
}

void parallel_norm_fold(const struct parallel_engine *g, struct parallel_norm *norm) {
    if (isfinite(norm->largest)) each(g, false, folds_of, norm);
}

double parallel_norm_all(const struct parallel_engine *g, struct parallel_norm *norm) {
    const bool tree = g->plan->shape.tree.leaves > 0;
    double *const sum = norm->squares;
    if (!isfinite(norm->largest)) return NAN;
    if (g->groups.experts && !g->zero.stage) g->groups.experts->ops->sum(g->groups.experts, &norm->experts, 1);
    sum[0] += norm->experts;
    for (int i = 0; i < OTHERS; i++)
        if (others(g, i)) others(g, i)->ops->sum(others(g, i), sum, tree ? KERNEL_FOLDS : 1);
    for (int i = 1; i < KERNEL_FOLDS; i++) sum[0] += sum[i];
    return sqrt(sum[0]);
}
