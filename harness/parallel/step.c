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
    if (g->last_micro && !g->nulled) parallel_buckets_ready(&g->buckets, offset, count);
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
    const size_t n = (size_t)g->params.total, tokens = (size_t)(g->plan->shape.batch * g->plan->shape.seq);
    g->master = base_arena_take(&g->arenas[PLAN_MASTER], 4 * n);
    g->grads = base_arena_take(&g->arenas[PLAN_GRADIENTS], 4 * n);
    g->moment1 = base_arena_take(&g->arenas[PLAN_MOMENTS], 4 * n);
    g->moment2 = base_arena_take(&g->arenas[PLAN_MOMENTS], 4 * n);
    g->half = g->plan->shape.dtype == KERNEL_BF16 ? base_arena_take(&g->arenas[PLAN_WEIGHTS], 2 * n) : NULL;
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
    if ((code = open_arenas(g, e))) return code;
    const void *weights = g->half ? (const void *)g->half : g->master;
    code =
        model_open(&g->model, &plan->shape, &g->params, &g->team, weights, g->grads, &g->arenas[PLAN_ACTIVATIONS], e);
    if (code) return code;
    g->model.hooks = (struct model_hooks){.context = g, .ready = on_ready};
    return parallel_buckets_open(&g->buckets, world, g->grads, g->params.total, plan->request.bucket, e);
}

void parallel_close(struct parallel_engine *g) {
    parallel_buckets_close(&g->buckets);
    for (int i = 0; i < PLAN_ARENAS; i++) base_arena_close(&g->arenas[i]);
    model_params_close(&g->params);
}

void parallel_start(struct parallel_engine *g, uint64_t seed, bool hot) {
    model_params_init(&g->params, &g->plan->request.config, seed, hot, g->team.threads, g->master);
    parallel_restart(g);
}

void parallel_restart(struct parallel_engine *g) {
    const int64_t n = g->params.total;
    if (g->updates) { /* else they are zeros still, of the arena */
        g->team.ops->zero(&g->team, n, g->moment1);
        g->team.ops->zero(&g->team, n, g->moment2);
    }
    if (g->half) g->team.ops->to_bf16(&g->team, n, g->master, g->half);
    g->updates = 0;
}

/* Blocks have a fixed length, so that the hash does not depend on the number of threads. */
static uint64_t mix(const float *x, int64_t n, int threads) {
    enum { BLOCK = 1 << 16 };
    uint64_t all = 0;
#pragma omp parallel for num_threads(threads) reduction(+ : all)
    for (int64_t first = 0; first < n; first += BLOCK) {
        const int64_t end = first + BLOCK < n ? first + BLOCK : n;
        uint64_t block = (uint64_t)first;
        for (int64_t i = first; i < end; i++) {
            uint32_t bits;
            memcpy(&bits, &x[i], sizeof bits);
            block = (block ^ bits) * 0x9e3779b97f4a7c15u;
            block ^= block >> 32;
        }
        all += block;
    }
    return all;
}

uint64_t parallel_weights_mix(const struct parallel_engine *g) {
    return mix(g->master, g->params.total, g->team.threads);
}

uint64_t parallel_gradients_mix(const struct parallel_engine *g) {
    return mix(g->grads, g->params.total, g->team.threads);
}

/* Runs forward and backward of this rank's micro-batches. All-reduces start as gradients become final. */
static double accumulate(struct parallel_engine *g, const struct data_source *source, int64_t step,
                         struct parallel_result *r, double *since) {
    const struct plan_request *q = &g->plan->request;
    const int64_t mine = q->global_batch / g->world->size, first = mine * g->world->rank;
    const float scale = (float)(1.0 / ((double)q->global_batch * (double)q->seq));
    double loss = 0;
    g->team.ops->zero(&g->team, g->params.total, g->grads);
    lap(r, PLAN_PHASE_ZERO, since);
    for (int64_t i = 0; i < g->plan->accumulation; i++) {
        g->last_micro = i + 1 == g->plan->accumulation;
        g->model.hooks.rows = g->last_micro && !g->nulled && g->rows.count ? on_rows : NULL;
        data_fill(source, step, q->global_batch, first + i * q->layout.micro_batch, q->layout.micro_batch, g->inputs,
                  g->targets);
        lap(r, PLAN_PHASE_BATCH, since);
        model_forward(&g->model, g->inputs);
        lap_compute(g, r, PLAN_PHASE_FORWARD, since);
        loss += model_loss(&g->model, g->targets, scale);
        lap_compute(g, r, PLAN_PHASE_HEAD, since);
        model_backward(&g->model, g->inputs);
        lap_compute(g, r, PLAN_PHASE_BACKWARD, since);
    }
    g->model.hooks.rows = NULL;
    return loss / ((double)q->global_batch * (double)q->seq);
}

void parallel_sum_begin(struct parallel_engine *g) {
    parallel_buckets_begin(&g->buckets);
    parallel_rows_begin(&g->rows);
}

bool parallel_sum_end(struct parallel_engine *g) {
    parallel_buckets_flush(&g->buckets);
    parallel_rows_start(&g->rows, g->world);
    const bool whole = parallel_buckets_finish(&g->buckets);
    float *table = g->grads + model_params_offset(&g->params, MODEL_TOKEN_TABLE, 0);
    return parallel_rows_finish(&g->rows, g->world, &g->team, table) && whole;
}

void parallel_gradients(struct parallel_engine *g, const struct data_source *source, int64_t step,
                        struct parallel_result *r) {
    double since = base_clock_now();
    *r = (struct parallel_result){0};
    parallel_sum_begin(g);
    r->loss = r->own_loss = accumulate(g, source, step, r, &since);
    inject_hang("communication", step);
    /* an incomplete gradient must not pass: the gate refuses a loss that is NAN */
    if (!parallel_sum_end(g)) r->loss = NAN;
    g->world->ops->sum(g->world, &r->loss, 1);
    lap(r, PLAN_PHASE_COMMUNICATION, &since);
}

void parallel_probe(struct parallel_engine *g, const struct data_source *source, int64_t step,
                    struct parallel_result *r) {
    double since = base_clock_now();
    *r = (struct parallel_result){0};
    g->nulled = true;
    r->loss = accumulate(g, source, step, r, &since);
    g->nulled = false;
}

void parallel_update(struct parallel_engine *g, const struct parallel_optimizer *o, struct parallel_result *r) {
    double since = base_clock_now();
    r->grad_norm = sqrt(g->team.ops->square_sum(&g->team, g->params.total, g->grads));
    lap(r, PLAN_PHASE_CLIP, &since);
    r->lr = parallel_optimizer_lr(o, g->updates);
    g->updates++;
    for (int i = 0; i < g->params.count; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        g->team.ops->adamw(&g->team,
                           &(struct kernel_adamw){.n = t->count,
                                                  .w = g->master + t->offset,
                                                  .m = g->moment1 + t->offset,
                                                  .v = g->moment2 + t->offset,
                                                  .grad = g->grads + t->offset,
                                                  .copy = g->half ? g->half + t->offset : NULL,
                                                  .lr = (float)r->lr,
                                                  .beta1 = (float)o->beta1,
                                                  .beta2 = (float)o->beta2,
                                                  .eps = (float)o->eps,
                                                  .decay = t->kind->decay ? (float)o->decay : 0,
                                                  .correction1 = (float)(1 - pow(o->beta1, (double)g->updates)),
                                                  .correction2 = (float)(1 - pow(o->beta2, (double)g->updates)),
                                                  .grad_scale = (float)parallel_optimizer_scale(o, r->grad_norm)});
    }
    lap(r, PLAN_PHASE_UPDATE, &since);
}

void parallel_step(struct parallel_engine *g, const struct data_source *source, const struct parallel_optimizer *o,
                   int64_t step, struct parallel_result *r) {
    inject_hang("step", step);
    parallel_gradients(g, source, step, r);
    inject_flip(step, g->grads, g->params.total);
    parallel_update(g, o, r);
}
