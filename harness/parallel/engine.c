/* SPDX-License-Identifier: Apache-2.0
 *
 * What a rank keeps between steps, and the hooks that connect the model with other ranks. */
#include "parallel/engine.h"

#include <stdlib.h>
#include <string.h>

#include "guard/watchdog.h"
#include "plan/leaves.h"

bool parallel_sums(const struct parallel_engine *g) {
    return !g->nulled && (g->last_micro || g->zero.stage > 1);
}

/* Sums what other ranks have parts of, in this range. */
static void sum_shared(struct parallel_engine *g, int64_t range) {
    for (int i = 0; i < g->blocks.shares; i++) {
        const struct parallel_shared *x = &g->blocks.shared[i];
        struct comm_request request;
        if (x->range != range || (x->once && !g->last_micro)) continue;
        x->group->ops->all_reduce_start(x->group, parallel_zero_gradient(&g->zero, range) + x->first, x->count,
                                        KERNEL_F32, &request);
        x->group->ops->wait(x->group, &request);
    }
}

static void on_ready(void *context, int64_t offset, int64_t count) {
    struct parallel_engine *g = context;
    if (!count || !parallel_sums(g)) return;
    /* a token table that is ready early is no such tensor, and the range's rest is ready later */
    const int64_t range = model_params_range_of(&g->params, offset);
    if (range || offset + count == model_params_start(&g->params, 1)) sum_shared(g, range);
    if (g->zero.stage)
        parallel_zero_ready(&g->zero, range);
    else
        parallel_buckets_ready(parallel_blocks_experts(&g->blocks, range) ? &g->expert_buckets : &g->buckets, offset,
                               count);
}
static void on_need(void *context, int64_t offset, int64_t count) {
    struct parallel_engine *g = context;
    if (count) parallel_zero_need(&g->zero, model_params_range_of(&g->params, offset));
}
void parallel_on_rows(void *context, const int32_t *tokens, const void *dx) {
    struct parallel_engine *g = context;
    parallel_rows_take(&g->rows, g->groups.data, tokens, dx);
}
static void on_poll(void *context) {
    struct parallel_engine *g = context;
    guard_progress();
    g->world->ops->progress(g->world);
}

static void on_sum(void *context, void *x, int64_t n, enum kernel_dtype dtype) {
    struct parallel_engine *g = context;
    parallel_tensor_sum(&g->tensor, x, n, dtype);
}
static void on_scatter(void *context, void *x, int64_t n, enum kernel_dtype dtype) {
    struct parallel_engine *g = context;
    parallel_tensor_scatter(&g->tensor, x, n, dtype);
}
static void on_gather(void *context, void *x, int64_t n, enum kernel_dtype dtype) {
    struct parallel_engine *g = context;
    parallel_tensor_gather(&g->tensor, x, n, dtype);
}
static void on_wait(void *context) {
    struct parallel_engine *g = context;
    parallel_tensor_wait(&g->tensor);
}

static void on_exchange(void *context, enum model_exchange what, const void *to, void *from, size_t bytes) {
    struct parallel_engine *g = context;
    parallel_context_exchange(&g->context, what, to, from, bytes);
}
static void on_exchanged(void *context, enum model_exchange what) {
    struct parallel_engine *g = context;
    parallel_context_exchanged(&g->context, what);
}

static void on_counts(void *context, const int32_t *sent, int32_t *came) {
    struct parallel_engine *g = context;
    parallel_experts_counts(&g->experts, sent, came);
}
static void on_move(void *context, enum model_rows_kind kind, bool out, const int32_t *sent, const int32_t *came,
                    const void *from, void *to, size_t bytes) {
    struct parallel_engine *g = context;
    parallel_experts_move(&g->experts, kind, out, sent, came, from, to, bytes);
}
static void on_moved(void *context, enum model_rows_kind kind) {
    struct parallel_engine *g = context;
    parallel_experts_moved(&g->experts, kind);
}
static void on_load(void *context, float *x, int64_t n) {
    struct parallel_engine *g = context;
    parallel_context_sum(&g->context, x, n);
}
static void on_chosen(void *context, int64_t layer, const int32_t *choice) {
    struct parallel_engine *g = context;
    const struct model_shape *s = &g->plan->shape;
    const int64_t active = g->plan->part.active, experts = g->plan->part.experts;
    for (int64_t i = 0; !g->nulled && i < s->batch * s->seq * active; i++)
        g->rows_of_experts[layer * experts + choice[i]]++;
    for (int64_t t = 0; g->chosen && t < s->batch * s->seq; t++) {
        const int64_t sample = g->sample + t / s->seq - g->chosen_first,
                      at = model_context_position(s->context, s->seq, t % s->seq);
        if (sample < 0 || sample >= g->chosen_samples || at >= g->chosen_seq) continue;
        memcpy(g->chosen + ((layer * g->chosen_samples + sample) * g->chosen_seq + at) * active, choice + t * active,
               (size_t)active * sizeof *choice);
    }
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
    const size_t kept = g->plan->part.lacks_embedding ? 1 : (size_t)model_chunk_of(&g->plan->shape, 0).slots;
    g->master = base_arena_take(&g->arenas[PLAN_MASTER], 4 * (half || q->layout.zero == 3 ? own : n));
    g->grads = base_arena_take(&g->arenas[PLAN_GRADIENTS],
                               4 * (q->layout.zero < 2 ? (size_t)plan_leaves_levels(g->plan) * n : own));
    g->moment1 = base_arena_take(&g->arenas[PLAN_MOMENTS], 4 * own);
    g->moment2 = base_arena_take(&g->arenas[PLAN_MOMENTS], 4 * own);
    g->half = half ? base_arena_take(&g->arenas[PLAN_WEIGHTS], 2 * (q->layout.zero < 3 ? n : own)) : NULL;
    g->inputs = base_arena_take(&g->arenas[PLAN_BATCH], 4 * tokens * kept);
    g->targets = base_arena_take(&g->arenas[PLAN_BATCH], 4 * tokens);
    g->context.comm = g->groups.context;
    if (g->context.comm) g->sequence = base_arena_take(&g->arenas[PLAN_BATCH], 8 * (size_t)q->seq);
    parallel_rows_open(&g->rows, g->plan, g->groups.data, &g->arenas[PLAN_GATHERED]);
    g->tensor.comm = g->groups.tensor;
    parallel_tied_open(&g->tied, g->plan, &g->groups, g->arenas);
    g->team.scratch_bytes = g->arenas[PLAN_SCRATCH].size;
    g->team.scratch = base_arena_take(&g->arenas[PLAN_SCRATCH], g->team.scratch_bytes);
    return BASE_OK;
}

/* The numbers of the whole model's tensors in this rank's part. */
static int number_tensors(struct parallel_engine *g, struct base_error *e) {
    g->local = malloc((size_t)g->whole.count * sizeof *g->local);
    if (!g->local) return base_fail(e, BASE_BROKEN, "out of memory for the numbers of %d tensors", g->whole.count);
    for (int i = 0; i < g->whole.count; i++) g->local[i] = -1;
    for (int i = 0; i < g->params.count; i++) g->local[g->params.tensors[i].whole] = i;
    return BASE_OK;
}

static int rows_of_experts_open(struct parallel_engine *g, struct base_error *e) {
    const struct model_config *c = &g->plan->request.config;
    if (c->experts == 0) return BASE_OK;
    g->rows_of_experts = calloc((size_t)(c->layers * c->experts), sizeof *g->rows_of_experts);
    return g->rows_of_experts ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for the loads of experts");
}

/* What needs the other ranks comes first, so that no rank fails before it alone. */
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
                                   .steady = plan->shape.tree.leaves > 0,
                                   .poll = on_poll,
                                   .poll_context = g};
    if ((code = parallel_groups_open(&g->groups, plan, world, e))) return code;
    if ((code = model_params_open(&g->whole, &plan->request.config, e))) return code;
    if ((code = model_params_open_part(&g->params, &plan->shape.part, &g->whole, e))) return code;
    if ((code = number_tensors(g, e))) return code;
    if ((code = parallel_blocks_open(&g->blocks, plan, &g->params, &g->groups, e))) return code;
    if ((code = open_arenas(g, e))) return code;
    void *weights = g->half ? (void *)g->half : g->master;
    code = parallel_zero_open(&g->zero, plan, &g->blocks, &g->team, g->arenas, weights, g->grads, e);
    if (code) return code;
    code =
        model_open(&g->model, &plan->shape, &g->params, &g->team, weights, g->grads, &g->arenas[PLAN_ACTIVATIONS], e);
    if (code) return code;
    g->model.places = parallel_zero_places(&g->zero);
    g->model.head = g->tied.table, g->model.head_grad = g->tied.grad;
    g->model.grads_apart = g->zero.stage < 2 ? g->params.total : plan_passing(&g->params);
    g->model.head_apart = g->tied.count;
    if ((code = parallel_pipeline_open(&g->pipeline, plan, &g->model, g->groups.stages, e))) return code;
    g->model.hooks = (struct model_hooks){.context = g,
                                          .need = on_need,
                                          .ready = on_ready,
                                          .sum = on_sum,
                                          .scatter = on_scatter,
                                          .gather = on_gather,
                                          .wait = on_wait,
                                          .exchange = on_exchange,
                                          .exchanged = on_exchanged,
                                          .counts = on_counts,
                                          .move = on_move,
                                          .moved = on_moved,
                                          .load = on_load,
                                          .chosen = on_chosen};
    if ((code = rows_of_experts_open(g, e))) return code;
    if ((code = parallel_experts_open(&g->experts, &plan->shape, g->groups.experts, e))) return code;
    const int64_t bucket = plan->request.bucket, dense = g->params.expert0;
    code = parallel_buckets_open(&g->buckets, g->groups.data, g->grads, dense, bucket, e);
    if (code) return code;
    return parallel_buckets_open(&g->expert_buckets, g->groups.same_experts, g->grads, g->params.total - dense, bucket,
                                 e);
}

void parallel_close(struct parallel_engine *g) {
    parallel_pipeline_close(&g->pipeline);
    free(g->local), free(g->rows_of_experts);
    parallel_buckets_close(&g->buckets), parallel_buckets_close(&g->expert_buckets);
    parallel_experts_close(&g->experts);
    parallel_zero_close(&g->zero);
    parallel_blocks_close(&g->blocks);
    for (int i = 0; i < PLAN_ARENAS; i++) base_arena_close(&g->arenas[i]);
    model_params_close(&g->params);
    model_params_close(&g->whole);
    parallel_groups_close(&g->groups);
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

kernel_bf16 *parallel_copy(const struct parallel_engine *g, int64_t range) {
    const struct parallel_block *b = &g->blocks.block[range];
    return g->half ? g->half + (g->zero.stage < 3 ? b->start + b->first : b->at) : NULL;
}

const double *parallel_expert_rows(struct parallel_engine *g) {
    const int n = (int)(g->plan->request.config.layers * g->plan->part.experts);
    g->groups.data->ops->sum(g->groups.data, g->rows_of_experts, n);
    if (g->groups.stages) g->groups.stages->ops->sum(g->groups.stages, g->rows_of_experts, n);
    return g->rows_of_experts;
}

void parallel_clear_expert_rows(struct parallel_engine *g) {
    const struct plan_request *q = &g->plan->request;
    if (g->rows_of_experts)
        memset(g->rows_of_experts, 0, (size_t)(q->config.layers * q->config.experts) * sizeof *g->rows_of_experts);
}

void parallel_start(struct parallel_engine *g, uint64_t seed, bool hot) {
    for (int64_t r = 0; r < g->blocks.ranges; r++) {
        const struct parallel_block *b = &g->blocks.block[r];
        model_params_init(&g->params, &g->plan->shape.part, seed, hot, g->team.threads, b->start + b->first, b->own,
                          parallel_master(g, r));
    }
    parallel_restart(g);
}

/* All ranks get the weights that this one's blocks have now. */
static void share_weights(struct parallel_engine *g) {
    parallel_zero_renew(&g->zero);
    parallel_tied_renew(&g->tied);
    for (int64_t r = 0; r < g->blocks.ranges; r++) parallel_zero_gather(&g->zero, r);
    parallel_zero_gathered(&g->zero);
}

void parallel_share_table(struct parallel_engine *g) {
    if (!g->tied.comm || g->tied.fresh || g->tied.silent) return;
    if (g->tied.lends) parallel_zero_hold(&g->zero, 0);
    parallel_tied_share(&g->tied, g->tied.lends ? model_weight(&g->model, MODEL_TOKEN_TABLE, 0) : NULL);
}

void parallel_restart(struct parallel_engine *g) {
    if (g->updates) { /* else they are zeros still, of the arena */
        g->team.ops->zero(&g->team, g->blocks.owned, g->moment1);
        g->team.ops->zero(&g->team, g->blocks.owned, g->moment2);
    }
    parallel_resume(g, 0);
}

void parallel_resume(struct parallel_engine *g, int64_t updates) {
    for (int64_t r = 0; g->half && r < g->blocks.ranges; r++)
        g->team.ops->to_bf16(&g->team, g->blocks.block[r].own, parallel_master(g, r), parallel_copy(g, r));
    share_weights(g);
    g->updates = updates;
}

/* Hashes `bytes` bytes, of which the last ones that fill no word are left out. Blocks have a fixed length, so that the
 * hash does not depend on the number of threads. */
uint64_t parallel_mix(const void *data, int64_t bytes, int threads) {
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

uint64_t parallel_weights_mix(struct parallel_engine *g, bool experts) {
    const int64_t first = experts ? g->params.expert0 : 0, end = experts ? g->params.total : g->params.expert0;
    uint64_t all = 0;
    if (!g->zero.stage) return parallel_mix(g->master + first, 4 * (end - first), g->team.threads);
    parallel_zero_forward(&g->zero, 0, g->blocks.layers + 1);
    for (int64_t r = 0; r < g->blocks.ranges; r++) {
        const struct parallel_block *b = &g->blocks.block[r];
        if (parallel_blocks_experts(&g->blocks, r) != experts) continue;
        parallel_zero_need(&g->zero, r);
        const char *weights = g->zero.stage < 3 ? g->zero.weights + b->start * g->zero.size : g->zero.kept[r];
        all = 3 * all + parallel_mix(weights, b->count * g->zero.size, g->team.threads);
    }
    parallel_zero_renew(&g->zero);
    return all;
}

uint64_t parallel_common_mix(const struct parallel_engine *g) {
    uint64_t all = 0;
    for (int i = 0; i < g->params.count; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        const struct parallel_part x = parallel_blocks_part(&g->blocks, &g->params, t);
        if (model_part_splits(&g->plan->shape.part, t->kind) || x.low >= x.high) continue;
        all = 3 * all + parallel_mix(parallel_master(g, x.range) + x.low, 4 * (x.high - x.low), g->team.threads);
    }
    return all;
}

uint64_t parallel_gradients_mix(const struct parallel_engine *g) {
    uint64_t all = 0;
    for (int64_t r = 0; r < g->blocks.ranges; r++)
        all = 3 * all + parallel_mix(parallel_gradient(g, r), 4 * g->blocks.block[r].own, g->team.threads);
    return all;
}

bool parallel_counts(const struct parallel_engine *g, int tensor) {
    const struct model_part *p = &g->plan->shape.part;
    const struct model_parameter *kind = g->params.tensors[tensor].kind;
    if (!model_part_splits(p, kind)) return p->rank == 0;
    return kind->rows != MODEL_KV || p->rank % model_part_sharing(p) == 0;
}
