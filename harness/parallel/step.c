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

static void on_ready(void *context, int64_t offset, int64_t count) {
    struct parallel_engine *g = context;
    if (g->nulled) return;
    if (!g->zero.stage && g->last_micro) parallel_buckets_ready(&g->buckets, offset, count);
    if (g->zero.stage > 1 || (g->zero.stage && g->last_micro))
        parallel_zero_ready(&g->zero, model_params_range_of(&g->params, offset));
}
static void on_need(void *context, int64_t offset, int64_t count) {
    struct parallel_engine *g = context;
    if (count) parallel_zero_need(&g->zero, model_params_range_of(&g->params, offset));
}
static void on_rows(void *context, const int32_t *tokens, const void *dx) {
    struct parallel_engine *g = context;
    parallel_rows_take(&g->rows, g->world, tokens, dx);
}
static void on_poll(void *context) {
    struct parallel_engine *g = context;
    guard_progress();
    g->world->ops->progress(g->world);
}

/* A lap of compute, of a rank that may be slow on purpose. */
static void lap_compute(struct parallel_engine *g, struct parallel_result *r, enum plan_phase phase, double *since) {
    inject_stretch(inject_factor(INJECT_SLOW), *since, on_poll, g);
    lap(r, phase, since);
}

static int open_arenas(struct parallel_engine *g, struct base_error *e) {
    for (int i = 0; i < PLAN_ARENAS; i++) {
        int code = base_arena_open(&g->arenas[i], (size_t)g->plan->arenas[i].bytes, g->team.threads, e);
        if (code) return code;
    }
    const struct plan_request *q = &g->plan->request;
    const bool half = q->dtype == KERNEL_BF16;
    const size_t n = (size_t)g->params.total, own = (size_t)g->blocks.owned;
    const size_t tokens = (size_t)(g->plan->shape.batch * g->plan->shape.seq);
    g->master = base_arena_take(&g->arenas[PLAN_MASTER], 4 * (half || q->layout.zero == 3 ? own : n));
    g->grads = base_arena_take(&g->arenas[PLAN_GRADIENTS], 4 * (q->layout.zero < 2 ? n : own));
    g->moment1 = base_arena_take(&g->arenas[PLAN_MOMENTS], 4 * own);
    g->moment2 = base_arena_take(&g->arenas[PLAN_MOMENTS], 4 * own);
    g->half = half ? base_arena_take(&g->arenas[PLAN_WEIGHTS], 2 * (q->layout.zero < 3 ? n : own)) : NULL;
    g->inputs = base_arena_take(&g->arenas[PLAN_BATCH], 4 * tokens);
    g->targets = base_arena_take(&g->arenas[PLAN_BATCH], 4 * tokens);
    parallel_rows_open(&g->rows, g->plan, g->world, &g->arenas[PLAN_GATHERED]);
    g->team.scratch_bytes = g->arenas[PLAN_SCRATCH].size;
    g->team.scratch = base_arena_take(&g->arenas[PLAN_SCRATCH], g->team.scratch_bytes);
    return BASE_OK;
}

int parallel_open(struct parallel_engine *g, const struct plan *plan, struct comm *world, const struct kernel_ops *ops,
                  struct base_error *e) {
    int code;
    memset(g, 0, sizeof *g);
    g->plan = plan;
    g->world = world;
    g->ops = *ops;
    g->team = (struct kernel_team){.ops = &g->ops,
                                   .threads = plan->request.threads,
                                   .caches = &plan->request.caches,
                                   .poll = on_poll,
                                   .poll_context = g};
    if ((code = model_params_open(&g->params, &plan->request.config, e))) return code;
    if ((code = parallel_blocks_open(&g->blocks, plan, &g->params, world, e))) return code;
    if ((code = open_arenas(g, e))) return code;
    void *weights = g->half ? (void *)g->half : g->master;
    code = parallel_zero_open(&g->zero, plan, &g->blocks, world, &g->team, g->arenas, weights, g->grads, e);
    if (code) return code;
    code =
        model_open(&g->model, &plan->shape, &g->params, &g->team, weights, g->grads, &g->arenas[PLAN_ACTIVATIONS], e);
    if (code) return code;
    g->model.places = parallel_zero_places(&g->zero);
    g->model.hooks = (struct model_hooks){.context = g, .need = on_need, .ready = on_ready};
    return parallel_buckets_open(&g->buckets, world, g->grads, g->params.total, plan->request.bucket, e);
}

void parallel_close(struct parallel_engine *g) {
    parallel_buckets_close(&g->buckets);
    parallel_zero_close(&g->zero);
    parallel_blocks_close(&g->blocks);
    for (int i = 0; i < PLAN_ARENAS; i++) base_arena_close(&g->arenas[i]);
    model_params_close(&g->params);
}

/* Whether the FP32 weights are all in one buffer, which the model reads. */
static bool whole_master(const struct parallel_engine *g) {
    return !g->half && g->zero.stage < 3;
}

float *parallel_master(const struct parallel_engine *g, int64_t range) {
    const struct parallel_block *b = &g->blocks.block[range];
    return g->master + (whole_master(g) ? b->start + b->first : b->at);
}

float *parallel_gradient(const struct parallel_engine *g, int64_t range) {
    const struct parallel_block *b = &g->blocks.block[range];
    return g->grads + (g->zero.stage < 2 ? b->start + b->first : b->at);
}

/* The owned block's BF16 copy; NULL in FP32. */
static kernel_bf16 *copy_of(const struct parallel_engine *g, int64_t range) {
    const struct parallel_block *b = &g->blocks.block[range];
    return g->half ? g->half + (g->zero.stage < 3 ? b->start + b->first : b->at) : NULL;
}

void parallel_start(struct parallel_engine *g, uint64_t seed, bool hot) {
    for (int64_t r = 0; r < g->blocks.ranges; r++) {
        const struct parallel_block *b = &g->blocks.block[r];
        model_params_init(&g->params, &g->plan->request.config, seed, hot, g->team.threads, b->start + b->first, b->own,
                          parallel_master(g, r));
    }
    parallel_restart(g);
}

/* All ranks get the weights that this one's blocks have now. */
static void share_weights(struct parallel_engine *g) {
    parallel_zero_renew(&g->zero);
    for (int64_t r = 0; r < g->blocks.ranges; r++) parallel_zero_gather(&g->zero, r);
    parallel_zero_gathered(&g->zero);
}

void parallel_restart(struct parallel_engine *g) {
    if (g->updates) { /* else they are zeros still, of the arena */
        g->team.ops->zero(&g->team, g->blocks.owned, g->moment1);
        g->team.ops->zero(&g->team, g->blocks.owned, g->moment2);
    }
    for (int64_t r = 0; g->half && r < g->blocks.ranges; r++)
        g->team.ops->to_bf16(&g->team, g->blocks.block[r].own, parallel_master(g, r), copy_of(g, r));
    share_weights(g);
    g->updates = 0;
}

/* Hashes `bytes` bytes, of which the last ones that fill no word are left out. Blocks have a fixed length, so that the
 * hash does not depend on the number of threads. */
static uint64_t mix(const void *data, int64_t bytes, int threads) {
    enum { BLOCK = 1 << 16 };
    const int64_t n = bytes / (int64_t)sizeof(uint32_t);
    uint64_t all = 0;
#pragma omp parallel for num_threads(threads) reduction(+ : all)
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t end = first + BLOCK < n ? first + BLOCK : n;
        uint64_t block = (uint64_t)first;
        for (int64_t i = first; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, (const char *)data + i * (int64_t)sizeof bits, sizeof bits);
            block = (block ^ bits) * 0x9e3779b97f4a7c15u;
            block ^= block >> 32;
        }
        all += block;
    }
    return all;
}

uint64_t parallel_weights_mix(struct parallel_engine *g) {
    uint64_t all = 0;
    if (!g->zero.stage) return mix(g->master, 4 * g->params.total, g->team.threads);
    parallel_zero_forward(&g->zero);
    for (int64_t r = 0; r < g->blocks.ranges; r++) {
        const struct parallel_block *b = &g->blocks.block[r];
        parallel_zero_need(&g->zero, r);
        const char *weights = g->zero.stage < 3 ? g->zero.weights + b->start * g->zero.size : g->zero.kept[r];
        all = 3 * all + mix(weights, b->count * g->zero.size, g->team.threads);
    }
    parallel_zero_renew(&g->zero);
    return all;
}

uint64_t parallel_gradients_mix(const struct parallel_engine *g) {
    uint64_t all = 0;
    for (int64_t r = 0; r < g->blocks.ranges; r++)
        all = 3 * all + mix(parallel_gradient(g, r), 4 * g->blocks.block[r].own, g->team.threads);
    return all;
}

void parallel_overlap(struct parallel_engine *g, bool overlap) {
    g->buckets.deferred = g->zero.deferred = !overlap;
}

void parallel_clear(struct parallel_engine *g) {
    g->team.ops->zero(&g->team, g->zero.stage < 2 ? g->params.total : g->blocks.owned, g->grads);
}

double parallel_micro(struct parallel_engine *g, float scale, struct parallel_result *r) {
    double since = base_clock_now();
    const bool sums = !g->nulled && (g->zero.stage > 1 || (g->zero.stage && g->last_micro));
    parallel_zero_forward(&g->zero);
    model_forward(&g->model, g->inputs);
    lap_compute(g, r, PLAN_PHASE_FORWARD, &since);
    parallel_zero_backward(&g->zero, sums);
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
    const int64_t mine = q->global_batch / g->world->size, first = mine * g->world->rank;
    const float scale = (float)(1.0 / ((double)q->global_batch * (double)q->seq));
    double loss = 0, since = base_clock_now();
    parallel_clear(g);
    lap(r, PLAN_PHASE_ZERO, &since);
    for (int64_t i = 0; i < g->plan->accumulation; i++) {
        g->last_micro = i + 1 == g->plan->accumulation;
        g->model.hooks.rows = g->last_micro && !g->nulled && g->rows.count ? on_rows : NULL;
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
    parallel_rows_start(&g->rows, g->world);
    const bool whole = parallel_buckets_finish(&g->buckets);
    float *table = g->grads + model_params_offset(&g->params, MODEL_TOKEN_TABLE, 0);
    return parallel_rows_finish(&g->rows, g->world, &g->team, table) && whole;
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
    g->world->ops->sum(g->world, &r->loss, 1);
    lap(r, PLAN_PHASE_COMMUNICATION, &since);
}

void parallel_probe(struct parallel_engine *g, const struct data_source *source, int64_t step,
                    struct parallel_result *r) {
    *r = (struct parallel_result){0};
    g->nulled = g->zero.silent = true;
    r->loss = accumulate(g, source, step, r);
    g->nulled = g->zero.silent = false;
}

/* The norm of the whole gradient. */
static double norm(struct parallel_engine *g) {
    double sum = 0;
    for (int64_t r = 0; r < g->blocks.ranges; r++)
        sum += g->team.ops->square_sum(&g->team, g->blocks.block[r].own, parallel_gradient(g, r));
    if (g->zero.stage) g->world->ops->sum(g->world, &sum, 1);
    return sqrt(sum);
}

/* Updates what this rank owns of a tensor. */
static void update(struct parallel_engine *g, const struct model_tensor *t, const struct parallel_optimizer *o,
                   const struct parallel_result *r) {
    const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
    const struct parallel_block *b = &g->blocks.block[x.range];
    kernel_bf16 *copy = copy_of(g, x.range);
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
    r->grad_norm = norm(g);
    lap(r, PLAN_PHASE_CLIP, &since);
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
    inject_flip(step, g->grads, g->params.total);
    parallel_update(g, o, r);
}
