/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a rank. */
#include "plan/plan.h"

#include "base/arena.h"
#include "plan/leaves.h"
#include "plan/memory.h"
#include "plan/writers.h"

/* Adds up what model_open allocates. */
static double activation_bytes(const struct model_shape *shape) {
    double sum = 0;
    for (int b = 0; b < MODEL_BUFFERS; b++) {
        struct model_buffer_row row = model_buffer_describe(shape, (enum model_buffer)b);
        size_t one = base_arena_piece((size_t)row.elements * kernel_dtype_bytes(row.dtype));
        sum += (double)one * (double)row.copies;
    }
    return sum;
}

/* A tied head whose token table is on another rank. */
static int64_t borrowed(const struct plan *p) {
    return model_part_borrows(&p->part) ? p->part.vocab * p->part.width : 0;
}

/* Micro-batches whose inputs are kept until backward ends with the embedding. */
static int64_t inputs_kept(const struct plan *p) {
    return p->part.lacks_embedding ? 1 : model_chunk_of(&p->shape, 0).slots;
}

int64_t plan_layers_again(const struct plan *p) {
    int64_t sum = 0;
    for (int i = 0; i < model_chunks(&p->shape); i++) sum += model_again(&p->shape, i);
    return sum;
}

/* Tokens and rows of all ranks. */
static double gathered_bytes(const struct plan *p) {
    const struct plan_request *r = &p->request;
    const size_t rows = (size_t)plan_rows_count(r), row = (size_t)r->config.width * kernel_dtype_bytes(r->dtype);
    if (!p->rows_apart) return 0;
    return (double)base_arena_piece(rows * sizeof(int32_t)) + (double)base_arena_piece(rows * row);
}

int plan_range_replicas(const struct plan_layout *l, const struct model_params *params, int64_t range) {
    return model_params_is_experts(params, range) ? plan_layout_expert_replicas(l) : plan_layout_replicas(l);
}

int64_t plan_owned(const struct plan_layout *l, const struct model_params *params) {
    int64_t sum = 0;
    for (int64_t range = 0; range < model_params_ranges(params); range++) {
        const int64_t ranks = l->zero ? plan_range_replicas(l, params, range) : 1;
        sum += (model_params_start(params, range + 1) - model_params_start(params, range) + ranks - 1) / ranks;
    }
    return sum;
}

int64_t plan_passing(const struct model_params *params) {
    const int64_t layers = params->layers < 2 ? params->layers : 2;
    return params->total - (params->layers - layers) * (params->layer_size + params->expert_size);
}

/* A piece of the arena for each kind of parameter state. */
static double piece(int64_t elements, int bytes) {
    return (double)base_arena_piece((size_t)elements * (size_t)bytes);
}

/* Of a tied head apart from its table's: sums of leaves, or on the first stage what the last one sends. */
static int64_t head_gradient(const struct plan *p) {
    const int64_t table = p->part.vocab * p->part.width;
    if (!p->shape.tree.leaves) return borrowed(p);
    return !p->part.tied              ? 0
           : !p->part.lacks_head      ? plan_leaves_levels(p) * table
           : !p->part.lacks_embedding ? table
                                      : 0;
}

void plan_memory_fill(struct plan *p, const struct model_params *params) {
    const struct plan_request *r = &p->request;
    const int64_t n = params->total, own = plan_owned(&r->layout, params), passing = plan_passing(params);
    const int zero = r->layout.zero, size = (int)kernel_dtype_bytes(r->dtype);
    const bool half = r->dtype == KERNEL_BF16;
    const int64_t tokens = p->shape.batch * p->shape.seq, shared = model_context_shares(p->shape.context) ? r->seq : 0;
    const int64_t lent = borrowed(p), levels = plan_leaves_levels(p);
    const double weights = zero == 3 ? piece(half ? own : 0, 2) + piece(passing, size) : half ? piece(n, 2) : 0;
    const char *const name = half        ? "weights (BF16)"
                             : zero == 3 ? "gathered weights (FP32)"
                             : lent > 0  ? "table of another stage (FP32)"
                                         : "weights (BF16)";
    const struct plan_arena arenas[PLAN_ARENAS] = {
        [PLAN_WEIGHTS] = {name, weights + piece(lent, size)},
        [PLAN_MASTER] = {half ? "master weights (FP32)" : "weights (FP32)", piece(half || zero == 3 ? own : n, 4)},
        [PLAN_GRADIENTS] = {"gradients (FP32)",
                            (zero < 2 ? piece(levels * n, 4) : piece(own, 4) + piece(levels * passing, 4)) +
                                piece(head_gradient(p), 4)},
        [PLAN_MOMENTS] = {"AdamW moments (FP32)", 2 * piece(own, 4)},
        [PLAN_ACTIVATIONS] = {"activations", activation_bytes(&p->shape)},
        [PLAN_BATCH] = {"batch", piece(tokens * inputs_kept(p), 4) + piece(tokens, 4) + piece(2 * shared, 4)},
        [PLAN_SCRATCH] = {"kernel scratch", (double)kernel_scratch_bytes(r->threads, p->shape.seq, r->config.head_dim)},
        [PLAN_GATHERED] = {"gathered rows", gathered_bytes(p)},
        [PLAN_COPY] = {"checkpoint copy (FP32)", plan_copy_bytes(r, r->rank)},
    };
    p->memory_bytes = 0;
    for (int i = 0; i < PLAN_ARENAS; i++) {
        p->arenas[i] = arenas[i];
        p->memory_bytes += arenas[i].bytes;
    }
}
