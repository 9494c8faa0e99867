/* SPDX-License-Identifier: Apache-2.0
 *
 * The step in order: zero, then for each micro-batch batch, forward, head and backward, with all-reduces in flight;
 * wait, clip, update. */
#include "parallel/step.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "guard/watchdog.h"
#include "inject/inject.h"
#include "parallel/sums.h"

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
    g->buckets.deferred = g->expert_buckets.deferred = g->zero.deferred = g->tied.deferred = !overlap;
}

void parallel_clear(struct parallel_engine *g) {
    g->team.ops->zero(&g->team, g->zero.stage < 2 ? g->params.total : g->blocks.owned, g->grads);
    if (g->tied.grad) g->team.ops->zero(&g->team, g->tied.count, g->tied.grad);
}

/* The ranges of a chunk, with the embeddings and what follows the layers where it has them. */
static void chunk_ranges(const struct parallel_engine *g, int64_t *low, int64_t *high) {
    const struct model_chunk c = model_chunk_of(&g->plan->shape, g->model.chunk);
    *low = model_embeds(&g->model) ? 0 : c.first + 1;
    *high = c.first + c.layers + model_heads(&g->model);
}

int64_t parallel_first(const struct parallel_engine *g) {
    const struct plan_request *q = &g->plan->request;
    return q->global_batch / q->layout.dp * g->plan->place.at[PLAN_DP];
}

void parallel_fill(struct parallel_engine *g, const struct data_source *source, int64_t step, int64_t first) {
    const struct plan_request *q = &g->plan->request;
    const struct model_shape *s = &g->plan->shape;
    int32_t *inputs = parallel_inputs(g);
    if (!g->sequence) data_fill(source, step, q->global_batch, first, s->batch, inputs, g->targets);
    for (int64_t i = 0; g->sequence && i < s->batch; i++) {
        data_fill(source, step, q->global_batch, first + i, 1, g->sequence, g->sequence + q->seq);
        model_context_take(s->context, s->seq, g->sequence, inputs + i * s->seq);
        model_context_take(s->context, s->seq, g->sequence + q->seq, g->targets + i * s->seq);
    }
}

/* The tokens of a micro-batch, numbered from the step's first of this rank's pipeline. */
static void fill(struct parallel_engine *g, const struct data_source *source, int64_t step, int64_t micro) {
    parallel_fill(g, source, step, parallel_first(g) + micro * g->plan->shape.batch);
}

int32_t *parallel_inputs(const struct parallel_engine *g) {
    return g->inputs + (model_embeds(&g->model) ? g->model.slot * model_tokens(&g->model) : 0);
}

static void forward(struct parallel_engine *g, const struct data_source *source, int64_t step, int64_t micro,
                    struct parallel_result *r) {
    int64_t low, high;
    double since = base_clock_now();
    if (model_embeds(&g->model)) fill(g, source, step, micro);
    lap(r, PLAN_PHASE_BATCH, &since);
    chunk_ranges(g, &low, &high);
    parallel_zero_forward(&g->zero, low, high);
    model_forward(&g->model, parallel_inputs(g));
    lap_compute(g, r, PLAN_PHASE_FORWARD, &since);
}

/* Returns the sum of the tokens' losses, if the chunk has the head. */
static double backward(struct parallel_engine *g, const struct data_source *source, int64_t step, int64_t micro,
                       float scale, struct parallel_result *r) {
    const bool heads = model_heads(&g->model);
    int64_t low, high;
    double loss = 0, since = base_clock_now();
    if (heads && !model_embeds(&g->model)) fill(g, source, step, micro);
    lap(r, PLAN_PHASE_BATCH, &since);
    parallel_tied_arrived(&g->tied);
    lap(r, PLAN_PHASE_PIPELINE, &since);
    chunk_ranges(g, &low, &high);
    parallel_zero_backward(&g->zero, low, high, parallel_sums(g), model_is_late(&g->plan->shape, g->model.chunk));
    if (heads) loss = model_loss(&g->model, g->targets, scale);
    if (heads && g->plan->shape.tree.leaves) parallel_losses_add(g);
    if (heads && g->tied.grad && g->last_micro && !g->nulled) parallel_tied_sum(&g->tied);
    lap_compute(g, r, PLAN_PHASE_HEAD, &since);
    model_backward(&g->model, parallel_inputs(g));
    lap_compute(g, r, PLAN_PHASE_BACKWARD, &since);
    return loss;
}

/* The weight gradients that backward left. */
static void weights(struct parallel_engine *g, struct parallel_result *r) {
    const struct model_chunk c = model_chunk_of(&g->plan->shape, g->model.chunk);
    double since = base_clock_now();
    parallel_zero_weights(&g->zero, c.first + 1, c.first + c.layers, parallel_sums(g));
    model_weights(&g->model);
    lap_compute(g, r, PLAN_PHASE_BACKWARD, &since);
}

double parallel_passes(struct parallel_engine *g, const struct data_source *source, int64_t step, int64_t micros,
                       struct parallel_result *r) {
    const struct plan_request *q = &g->plan->request;
    const float scale = (float)(1.0 / ((double)q->global_batch * (double)q->seq));
    double loss = 0, since = base_clock_now();
    g->model.grad_scale = scale;
    parallel_share_table(g);
    parallel_pipeline_begin(&g->pipeline, micros);
    for (int64_t i = 0; i < g->pipeline.count; i++) {
        const struct plan_step s = g->pipeline.steps[i];
        parallel_pipeline_enter(&g->pipeline, i);
        lap(r, PLAN_PHASE_PIPELINE, &since);
        g->last_micro = s.micro_batch + 1 == micros;
        g->model.sample = s.micro_batch * g->plan->shape.batch;
        g->sample = parallel_first(g) + g->model.sample;
        g->model.hooks.rows = g->last_micro && !g->nulled && g->rows.count ? parallel_on_rows : NULL;
        if (s.task == PLAN_FORWARD)
            forward(g, source, step, s.micro_batch, r);
        else if (s.task == PLAN_WEIGHT)
            weights(g, r);
        else
            loss += backward(g, source, step, s.micro_batch, scale, r);
        since = base_clock_now();
        parallel_pipeline_leave(&g->pipeline, i);
    }
    parallel_pipeline_end(&g->pipeline);
    parallel_tied_arrived(&g->tied);
    lap(r, PLAN_PHASE_PIPELINE, &since);
    g->model.hooks.rows = NULL;
    return loss;
}

/* Runs forward and backward of this rank's micro-batches. Sums over ranks start as gradients become final. */
static double accumulate(struct parallel_engine *g, const struct data_source *source, int64_t step,
                         struct parallel_result *r) {
    const struct plan_request *q = &g->plan->request;
    double since = base_clock_now();
    parallel_clear(g);
    lap(r, PLAN_PHASE_ZERO, &since);
    return parallel_passes(g, source, step, g->plan->accumulation, r) / ((double)q->global_batch * (double)q->seq);
}

void parallel_sum_begin(struct parallel_engine *g) {
    parallel_buckets_begin(&g->buckets), parallel_buckets_begin(&g->expert_buckets);
    parallel_rows_begin(&g->rows);
    parallel_tied_begin(&g->tied);
}

/* Waits for the sums of gradients. */
static bool finish_sums(struct parallel_engine *g) {
    parallel_tied_summed(&g->tied);
    if (g->zero.stage) return parallel_zero_finish(&g->zero);
    parallel_buckets_flush(&g->buckets), parallel_buckets_flush(&g->expert_buckets);
    parallel_rows_start(&g->rows, g->groups.data);
    bool whole = parallel_buckets_finish(&g->buckets);
    whole = parallel_buckets_finish(&g->expert_buckets) && whole;
    float *table = g->grads + model_params_offset(&g->params, MODEL_TOKEN_TABLE, 0);
    return parallel_rows_finish(&g->rows, g->groups.data, &g->team, table) && whole;
}

/* Adds what a tied head apart from its table has of the table's gradient. */
static void add_head(struct parallel_engine *g) {
    for (int i = 0; i < g->params.count && g->tied.head; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
        const struct parallel_block *b = &g->blocks.block[x.range];
        if (t->kind->role != MODEL_TOKEN_TABLE || x.low >= x.high) continue;
        float *const own = parallel_gradient(g, x.range) + x.low;
        g->team.ops->triad(&g->team, x.high - x.low, own, 1, g->tied.head + b->start + b->first + x.low - t->offset,
                           own);
    }
}

bool parallel_sum_end(struct parallel_engine *g) {
    const bool whole = finish_sums(g);
    add_head(g);
    return whole;
}

void parallel_gradients(struct parallel_engine *g, const struct data_source *source, int64_t step,
                        struct parallel_result *r) {
    *r = (struct parallel_result){0};
    parallel_sum_begin(g);
    g->model.balance = 0;
    memset(g->losses, 0, sizeof g->losses);
    r->loss = r->own_loss = accumulate(g, source, step, r);
    r->balance = g->model.balance / ((double)g->plan->request.global_batch * (double)g->plan->request.seq);
    double since = base_clock_now();
    inject_hang("communication", step);
    /* an incomplete gradient must not pass: the gate refuses a loss that is NAN */
    if (g->groups.stages) parallel_tied_summed(&g->tied);
    lap(r, PLAN_PHASE_PIPELINE, &since);
    if (!parallel_sum_end(g)) r->loss = NAN;
    double losses[] = {r->loss, r->balance, r->own_loss};
    g->groups.data->ops->sum(g->groups.data, losses, 2);
    lap(r, PLAN_PHASE_COMMUNICATION, &since);
    /* the last stage has the loss; the others wait until the first has ended */
    if (g->groups.stages) g->groups.stages->ops->sum(g->groups.stages, losses, 3);
    r->loss = losses[0], r->balance = losses[1], r->own_loss = losses[2];
    if (g->plan->shape.tree.leaves && !isnan(r->loss)) r->loss = parallel_losses_mean(g);
    if (!g->groups.stages) return;
    lap(r, PLAN_PHASE_PIPELINE, &since);
}

static void be_silent(struct parallel_engine *g, bool silent) {
    g->nulled = g->zero.silent = g->tensor.silent = g->context.silent = g->experts.silent = g->pipeline.silent =
        g->tied.silent = silent;
}

void parallel_probe(struct parallel_engine *g, const struct data_source *source, int64_t step,
                    struct parallel_result *r) {
    *r = (struct parallel_result){0};
    be_silent(g, true);
    r->loss = accumulate(g, source, step, r);
    be_silent(g, false);
}

/* What this rank owns of a router's bias. */
static void update_bias(struct parallel_engine *g, const struct parallel_part *x, kernel_bf16 *copy) {
    const struct plan_request *q = &g->plan->request;
    const double rows = (double)q->global_batch * (double)q->seq * (double)q->config.active;
    float *const b = parallel_master(g, x->range) + x->low;
    parallel_optimizer_bias(x->high - x->low, parallel_gradient(g, x->range) + x->low, rows / (double)q->config.experts,
                            b);
    if (copy) g->team.ops->to_bf16(&g->team, x->high - x->low, b, copy + x->low);
}

/* Updates what this rank owns of a tensor. */
static void update(struct parallel_engine *g, const struct model_tensor *t, const struct parallel_optimizer *o,
                   const struct parallel_result *r) {
    const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
    const struct parallel_block *b = &g->blocks.block[x.range];
    kernel_bf16 *copy = parallel_copy(g, x.range);
    if (x.low >= x.high) return;
    if (model_tensor_counts_rows(t)) {
        update_bias(g, &x, copy);
        return;
    }
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
    struct parallel_norm norm = parallel_norm_own(g);
    lap(r, PLAN_PHASE_CLIP, &since);
    if (g->plan->shape.tree.leaves) {
        parallel_norm_agree(g, &norm);
        lap(r, PLAN_PHASE_COMMUNICATION, &since);
        parallel_norm_fold(g, &norm);
        lap(r, PLAN_PHASE_CLIP, &since);
    }
    r->grad_norm = parallel_norm_all(g, &norm);
    if (g->groups.tensor || g->groups.experts || g->zero.stage || g->groups.stages)
        lap(r, PLAN_PHASE_COMMUNICATION, &since);
    r->lr = parallel_optimizer_lr(o, g->updates);
    g->updates++;
    parallel_zero_renew(&g->zero);
    parallel_tied_renew(&g->tied);
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
    struct comm_meter before[PLAN_TALKING];
    memcpy(before, g->groups.meter, sizeof before);
    inject_hang("step", step);
    parallel_gradients(g, source, step, r);
    const int64_t middle = g->blocks.layers / 2 + 1;
    inject_flip(step, parallel_gradient(g, middle), g->blocks.block[middle].own);
    parallel_update(g, o, r);
    for (int a = 0; a < PLAN_TALKING; a++) {
        r->busy_s[a] = g->groups.meter[a].busy_s - before[a].busy_s;
        r->waited_s[a] = g->groups.meter[a].waited_s - before[a].waited_s;
    }
}
