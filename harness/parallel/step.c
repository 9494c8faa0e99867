/* SPDX-License-Identifier: Apache-2.0
 *
 * The step in order: batch, zero, forward, head, backward with all-reduces in flight, wait, clip, update. */
#include "parallel/step.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "guard/watchdog.h"
#include "inject/inject.h"

/* Adds the time since *since to a phase and to the step, and restarts the lap. */
static void lap(struct parallel_result *r, enum plan_phase phase, double *since) {
    guard_progress();
    double now = base_clock_now();
    r->phase_s[phase] += now - *since;
    r->seconds += now - *since;
    *since = now;
}

/* A lap of compute, of a rank that may be slow on purpose. */
static void lap_compute(struct parallel_engine *g, struct parallel_result *r, enum plan_phase phase, double *since) {
    inject_stretch(inject_factor(INJECT_SLOW), *since, g->team.poll, g);
    lap(r, phase, since);
}

void parallel_overlap(struct parallel_engine *g, bool overlap) {
    g->buckets.deferred = g->zero.deferred = !overlap;
}

void parallel_clear(struct parallel_engine *g) {
    g->team.ops->zero(&g->team, g->zero.stage < 2 ? g->params.total : g->blocks.owned, g->grads);
}

double parallel_micro(struct parallel_engine *g, float scale, struct parallel_result *r) {
    double since = base_clock_now();
    parallel_zero_forward(&g->zero);
    model_forward(&g->model, g->inputs);
    lap_compute(g, r, PLAN_PHASE_FORWARD, &since);
    parallel_zero_backward(&g->zero, parallel_sums(g));
    const double loss = model_loss(&g->model, g->targets, scale);
    lap_compute(g, r, PLAN_PHASE_HEAD, &since);
    model_backward(&g->model, g->inputs);
    lap_compute(g, r, PLAN_PHASE_BACKWARD, &since);
    return loss;
}

/* Runs forward and backward of this rank's micro-batches. Sums over ranks start as gradients become final. */
static double accumulate(struct parallel_engine *g, const struct data_source *source, int64_t step,
                         struct parallel_result *r) {
    const struct plan_request *q = &g->plan->request;
    const int64_t mine = q->global_batch / q->layout.dp, first = mine * g->plan->place.dp;
    const float scale = (float)(1.0 / ((double)q->global_batch * (double)q->seq));
    double loss = 0, since = base_clock_now();
    parallel_clear(g);
    lap(r, PLAN_PHASE_ZERO, &since);
    for (int64_t i = 0; i < g->plan->accumulation; i++) {
        g->last_micro = i + 1 == g->plan->accumulation;
        g->model.hooks.rows = g->last_micro && !g->nulled && g->rows.count ? parallel_on_rows : NULL;
        since = base_clock_now();
        data_fill(source, step, q->global_batch, first + i * q->layout.micro_batch, q->layout.micro_batch, g->inputs,
                  g->targets);
        lap(r, PLAN_PHASE_BATCH, &since);
        loss += parallel_micro(g, scale, r);
    }
    g->model.hooks.rows = NULL;
    return loss / ((double)q->global_batch * (double)q->seq);
}

void parallel_sum_begin(struct parallel_engine *g) {
    parallel_buckets_begin(&g->buckets);
    parallel_rows_begin(&g->rows);
}

bool parallel_sum_end(struct parallel_engine *g) {
    if (g->zero.stage) return parallel_zero_finish(&g->zero);
    parallel_buckets_flush(&g->buckets);
    parallel_rows_start(&g->rows, g->groups.data);
    const bool whole = parallel_buckets_finish(&g->buckets);
    float *table = g->grads + model_params_offset(&g->params, MODEL_TOKEN_TABLE, 0);
    return parallel_rows_finish(&g->rows, g->groups.data, &g->team, table) && whole;
}

void parallel_gradients(struct parallel_engine *g, const struct data_source *source, int64_t step,
                        struct parallel_result *r) {
    *r = (struct parallel_result){0};
    parallel_sum_begin(g);
    r->loss = r->own_loss = accumulate(g, source, step, r);
    double since = base_clock_now();
    inject_hang("communication", step);
    /* an incomplete gradient must not pass: the gate refuses a loss that is NAN */
    if (!parallel_sum_end(g)) r->loss = NAN;
    g->groups.data->ops->sum(g->groups.data, &r->loss, 1);
    lap(r, PLAN_PHASE_COMMUNICATION, &since);
}

void parallel_probe(struct parallel_engine *g, const struct data_source *source, int64_t step,
                    struct parallel_result *r) {
    *r = (struct parallel_result){0};
    g->nulled = g->zero.silent = g->tensor.silent = true;
    r->loss = accumulate(g, source, step, r);
    g->nulled = g->zero.silent = g->tensor.silent = false;
}

/* The sum of squares of this rank's gradients; of those that several ranks have one counts. */
static double square_sum(const struct parallel_engine *g) {
    double sum = 0;
    for (int64_t r = 0; !g->groups.tensor && r < g->blocks.ranges; r++)
        sum += g->team.ops->square_sum(&g->team, g->blocks.block[r].own, parallel_gradient(g, r));
    for (int i = 0; g->groups.tensor && i < g->params.count; i++) {
        const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, &g->params.tensors[i]);
        if (x.low < x.high && parallel_counts(g, i))
            sum += g->team.ops->square_sum(&g->team, x.high - x.low, parallel_gradient(g, x.range) + x.low);
    }
    return sum;
}

/* Updates what this rank owns of a tensor. */
static void update(struct parallel_engine *g, const struct model_tensor *t, const struct parallel_optimizer *o,
                   const struct parallel_result *r) {
    const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
    const struct parallel_block *b = &g->blocks.block[x.range];
    kernel_bf16 *copy = parallel_copy(g, x.range);
    if (x.low >= x.high) return;
    g->team.ops->adamw(&g->team,
                       &(struct kernel_adamw){.n = x.high - x.low,
                                              .w = parallel_master(g, x.range) + x.low,
                                              .m = g->moment1 + b->at + x.low,
                                              .v = g->moment2 + b->at + x.low,
                                              .grad = parallel_gradient(g, x.range) + x.low,
                                              .copy = copy ? copy + x.low : NULL,
                                              .lr = (float)r->lr,
                                              .beta1 = (float)o->beta1,
                                              .beta2 = (float)o->beta2,
                                              .eps = (float)o->eps,
                                              .decay = t->kind->decay ? (float)o->decay : 0,
                                              .correction1 = (float)(1 - pow(o->beta1, (double)g->updates)),
                                              .correction2 = (float)(1 - pow(o->beta2, (double)g->updates)),
                                              .grad_scale = (float)parallel_optimizer_scale(o, r->grad_norm)});
}

void parallel_update(struct parallel_engine *g, const struct parallel_optimizer *o, struct parallel_result *r) {
    double since = base_clock_now();
    double squares = square_sum(g);
    lap(r, PLAN_PHASE_CLIP, &since);
    if (g->groups.tensor) g->groups.tensor->ops->sum(g->groups.tensor, &squares, 1);
    if (g->zero.stage) g->groups.data->ops->sum(g->groups.data, &squares, 1);
    if (g->groups.tensor || g->zero.stage) lap(r, PLAN_PHASE_COMMUNICATION, &since);
    r->grad_norm = sqrt(squares);
    r->lr = parallel_optimizer_lr(o, g->updates);
    g->updates++;
    parallel_zero_renew(&g->zero);
    for (int i = 0; i < g->params.count; i++) {
        const int64_t range = model_params_range_of(&g->params, g->params.tensors[i].offset);
        const bool last =
            i + 1 == g->params.count || model_params_range_of(&g->params, g->params.tensors[i + 1].offset) != range;
        update(g, &g->params.tensors[i], o, r);
        if (last) parallel_zero_gather(&g->zero, range);
    }
    lap(r, PLAN_PHASE_UPDATE, &since);
    parallel_zero_gathered(&g->zero);
    if (g->zero.stage) lap(r, PLAN_PHASE_COMMUNICATION, &since);
}

void parallel_step(struct parallel_engine *g, const struct data_source *source, const struct parallel_optimizer *o,
                   int64_t step, struct parallel_result *r) {
    inject_hang("step", step);
    parallel_gradients(g, source, step, r);
    const int64_t middle = g->blocks.ranges / 2;
    inject_flip(step, parallel_gradient(g, middle), g->blocks.block[middle].own);
    parallel_update(g, o, r);
}
