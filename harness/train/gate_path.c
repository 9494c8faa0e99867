/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: a shrunken model with a hot start. One global batch runs through the real path on all ranks, and
 * in serial FP64 on rank 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "train/gate.h"
#include "train/gate_kernels.h"

/* What rounding explains, in multiples of the rounding unit (check_unit) relative to norms; fixed once. A gradient
 * passes about forty operations in two layers. FP32: each operation sums hundreds of terms, rounded one by one. BF16:
 * the reference rounds where the path stores, but a value near a midpoint sometimes rounds the other way, and what
 * follows differs by part of a rounding. AdamW: a step's change is off by a few roundings. */
#define LOSS_UNITS 1.0
#define GRADIENT_UNITS(dtype) ((dtype) == KERNEL_F32 ? 16.0 : 0.5)
#define OPTIMIZER_UNITS 3.0

struct plan_request train_gate_shrink(const struct plan_request *request) {
    struct plan_request r = *request;
    struct model_config *c = &r.config;
    const int64_t group = c->heads / c->kv_heads, least = c->kv_heads > 1 ? 2 * group : group;
    const bool ragged = (c->heads & (c->heads - 1)) != 0; /* not a power of two: ALiBi has another rule there */
    const double ffn = (double)c->ffn / (double)c->width;
    c->full_layers = c->layers = 2;
    c->heads = least > 4 ? least : ragged && group == 1 ? 6 : 4;
    c->kv_heads = c->heads / group;
    c->head_dim = 16;
    c->width = 16 * c->heads;
    if (c->window) c->window = 11; /* both of its edges are within the sequence */
    c->ffn = (int64_t)ceil(ffn * (double)c->width);
    c->vocab = 389;
    c->positions = 40;
    c->rotary.original = 64; /* wavelengths on both sides of Llama 3.1's thresholds */
    c->parameters = model_params_count(c);
    r.seq = 37;
    r.layout.micro_batch = request->layout.micro_batch > 1 && r.layout.dp <= 64 ? 2 : 1;
    int64_t accumulation = request->global_batch / request->layout.dp / request->layout.micro_batch;
    r.global_batch = r.layout.dp * r.layout.micro_batch * (accumulation > 1 && r.layout.dp <= 64 ? 2 : 1);
    r.head_rows = 23;
    r.bucket = c->parameters / 5;
    r.rows = plan_rows_apart(request) ? PLAN_ROWS_APART : PLAN_ROWS_TOGETHER;
    return r;
}

static double norm(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
    return sqrt(sum);
}

/* Checks every tensor's relative error. The gradient of a gain or bias is a sum over tokens. Its terms cancel but their
 * rounding does not. So its scale is the root of the sum of their squares, as for sums of random signs. Cancelling is
 * no accident: a hot model with tied embeddings predicts the token it is given. The target is the next token given, so
 * the last bias's gradient telescopes to the ends of the sequence. A gradient near zero is scaled by its share of the
 * whole norm, as a mathematically zero one has no norm. */
static void compare_gradients(struct train_gate *gate, const struct parallel_engine *g, const double *truth,
                              const double *squares) {
    const double whole = norm(truth, g->params.total),
                 unit = check_unit(g->plan->shape.dtype) * GRADIENT_UNITS(g->plan->shape.dtype);
    for (int i = 0; i < g->params.count; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        const double share = 0.01 * whole * sqrt((double)t->count / (double)g->params.total);
        double error = 0, terms = 0;
        for (int64_t j = t->offset; j < t->offset + t->count; j++) {
            double d = g->grads[j] - truth[j];
            error += d * d;
            terms += squares[j];
        }
        const double size = fmax(norm(truth + t->offset, t->count), fmax(sqrt(terms), share));
        train_gate_note(gate, CHECK_GRADIENTS, sqrt(error) / (unit * size), t->name);
    }
}

/* Runs the global batch serially in FP64: the loss, the gradients, and the squares of the terms of gains and biases. */
static int reference(const struct parallel_engine *g, const struct data_source *source, double *loss, double *grads,
                     double *squares, struct base_error *e) {
    const struct plan_request *q = &g->plan->request;
    const int64_t tokens = q->global_batch * q->seq;
    struct model_reference r = {.params = &g->params,
                                .shape = g->plan->shape,
                                .weights = kernel_attention_weights(&g->ops, g->plan->shape.dtype),
                                .read = train_weights_read,
                                .context = (void *)(uintptr_t)g,
                                .squares = squares};
    r.shape.batch = q->global_batch;
    int32_t *inputs = malloc((size_t)tokens * sizeof *inputs), *targets = malloc((size_t)tokens * sizeof *targets);
    double *losses = malloc((size_t)tokens * sizeof *losses);
    int code = BASE_BROKEN;
    if (inputs && targets && losses) {
        data_fill(source, 0, q->global_batch, 0, q->global_batch, inputs, targets);
        code = model_reference_step(&r, inputs, targets, 1 / (double)tokens, losses, grads, e);
        *loss = 0;
        for (int64_t i = 0; i < tokens; i++) *loss += losses[i] / (double)tokens;
    } else {
        base_fail(e, BASE_BROKEN, "out of memory for the gate's batch");
    }
    free(inputs), free(targets), free(losses);
    return code;
}

/* FP64 AdamW fed the path's own gradients, with its clipping recomputed. It takes UPDATES steps in a row and checks the
 * moments too. A single step would not show a wrong scale of the gradient, or what is forgotten after it. The error's
 * scale is the step a weight can take plus the weight's own rounding. */
enum { UPDATES = 2 };

struct update {
    double w, m, v;
};

static struct update exact_update(const struct parallel_optimizer *o, double w, double grad, bool decay) {
    const double b1 = (float)o->beta1, b2 = (float)o->beta2; /* rounded as the kernels get them */
    struct update u = {.w = w};
    for (int k = 0; k < UPDATES; k++) {
        u.m = b1 * u.m + (1 - b1) * grad;
        u.v = b2 * u.v + (1 - b2) * grad * grad;
        double m = u.m / (1 - pow(o->beta1, k + 1)), v = u.v / (1 - pow(o->beta2, k + 1));
        u.w -= parallel_optimizer_lr(o, k) * (m / (sqrt(v) + o->eps) + (decay ? o->decay * u.w : 0));
    }
    return u;
}

static double rounding(double x, double truth, double size) {
    double error = fabs(x - truth) / (0x1p-24 * OPTIMIZER_UNITS * size);
    return isnan(error) ? INFINITY : error;
}

static void compare_update(struct train_gate *gate, const struct parallel_engine *g, const float *before,
                           const struct parallel_optimizer *o) {
    double square = 0, worst = -1;
    const char *where = "";
    for (int64_t i = 0; i < g->params.total; i++) square += (double)g->grads[i] * g->grads[i];
    const double scale = parallel_optimizer_scale(o, sqrt(square)),
                 tiny = 1e-30; /* near the smallest squares of FP32 */
    for (int i = 0; i < g->params.count; i++) {
        const struct model_tensor *t = &g->params.tensors[i];
        for (int64_t j = t->offset; j < t->offset + t->count; j++) {
            const struct update u = exact_update(o, before[j], g->grads[j] * scale, t->kind->decay);
            double error = rounding(g->master[j], u.w, fabs(u.w) + 4 * UPDATES * o->lr);
            error = fmax(error, rounding(g->moment1[j], u.m, fabs(u.m) + tiny));
            error = fmax(error, rounding(g->moment2[j], u.v, fabs(u.v) + tiny));
            if (error <= worst) continue;
            worst = error;
            where = t->name;
        }
    }
    train_gate_note(gate, CHECK_OPTIMIZER, worst, where);
}

/* Checks that all ranks have the same weights, bit for bit. */
static void compare_replicas(struct train_gate *gate, const struct parallel_engine *g) {
    const uint64_t mine = parallel_weights_mix(g);
    uint64_t same[2];
    same[0] = mine;
    same[1] = mine;
    g->world->ops->broadcast(g->world, &same[1], sizeof same[1]);
    char where[64];
    snprintf(where, sizeof where, "rank %d", g->world->rank);
    train_gate_note(gate, CHECK_REPLICAS, same[0] == same[1] ? 0 : INFINITY, same[0] == same[1] ? "" : where);
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

/* Sends known numbers over the ranks, in the ranges that the model reports. In BF16 the mean gradient hides one missing
 * rank of many behind rounding. Here anything missing, doubled or scaled shows at any world size. */
static void check_sums(struct train_gate *gate, struct parallel_engine *g, bool overlap) {
    const struct model_params *p = &g->params;
    const struct model_config *config = &g->plan->request.config;
    const int64_t table = g->rows.count ? config->vocab * config->width : 0;
    double ranks = 0, residual = 0;
    const char *where = "";
    for (int64_t i = 0; i < p->total; i++) g->grads[i] = (float)known(i, g->world->rank);
    for (int rank = 0; rank < g->world->size; rank++) ranks += known(0, rank);
    g->buckets.deferred = !overlap;
    parallel_sum_begin(g);
    if (table) g->model.hooks.ready(g->model.hooks.context, 0, table);
    for (int64_t end = p->total, l = config->layers; l >= -1; l--) {
        const int64_t start = l < 0 ? table : p->layer0 + l * p->layer_size;
        g->model.hooks.ready(g->model.hooks.context, start, end - start);
        end = start;
    }
    if (table) send_rows(g);
    bool whole = parallel_sum_end(g);
    if (table) take_rows_away(g);
    for (int i = 0; i < p->count && whole; i++)
        for (int64_t j = p->tensors[i].offset; j < p->tensors[i].offset + p->tensors[i].count; j++) {
            if (g->grads[j] == ranks + g->world->size * (known(j, 0) - known(0, 0))) continue;
            residual = INFINITY;
            where = p->tensors[i].name;
        }
    train_gate_note(gate, CHECK_SUMS, whole ? residual : INFINITY, where);
}

static int check_step(struct train_gate *gate, struct parallel_engine *g, const struct data_source *source,
                      struct base_error *e) {
    const size_t n = (size_t)g->params.total;
    const struct parallel_optimizer o = {.lr = 1e-2,
                                         .lr_min = 1e-3,
                                         .warmup = 0,
                                         .total = 10,
                                         .beta1 = 0.9,
                                         .beta2 = 0.95,
                                         .eps = 1e-8,
                                         .decay = 0.1,
                                         .clip = 0.5};
    struct parallel_result result;
    double loss = 0, *grads = NULL, *squares = NULL;
    float *before = NULL;
    int code = BASE_OK;
    parallel_gradients(g, source, 0, &result);
    if (g->world->rank == 0) {
        grads = calloc(n, sizeof *grads);
        squares = calloc(n, sizeof *squares);
        before = malloc(n * sizeof *before);
        code = grads && squares && before ? reference(g, source, &loss, grads, squares, e)
                                          : base_fail(e, BASE_BROKEN, "out of memory for the gate's reference");
    }
    if (!(code = comm_agree(g->world, code, e)) && g->world->rank == 0) {
        const double unit = check_unit(g->plan->shape.dtype) * LOSS_UNITS;
        train_gate_note(gate, CHECK_LOSS, fabs(result.loss - loss) / (unit * fabs(loss)), "");
        compare_gradients(gate, g, grads, squares);
        memcpy(before, g->master, n * sizeof *before);
    }
    if (!code) {
        for (int i = 0; i < UPDATES; i++) parallel_update(g, &o, &result);
        if (g->world->rank == 0) compare_update(gate, g, before, &o);
        compare_replicas(gate, g);
        check_sums(gate, g, false);
        check_sums(gate, g, true);
    }
    free(grads), free(squares), free(before);
    return code;
}

int train_gate_path_on(struct train_gate *gate, struct parallel_engine *g, uint64_t seed, struct base_error *e) {
    struct data_source *source;
    const struct data_options options = {
        .vocab = g->plan->request.config.vocab, .seq = g->plan->request.seq, .seed = seed, .shares = 1};
    int code = comm_agree(g->world, data_open(&source, &options, e), e);
    if (code) return code;
    parallel_start(g, seed, true);
    code = check_step(gate, g, source, e);
    data_close(source);
    train_gate_agree(gate, g->world);
    return code;
}

int train_gate_path(struct train_gate *gate, const struct plan_request *request, struct comm *world,
                    const struct kernel_ops *ops, uint64_t seed, struct base_error *e) {
    const struct plan_request small = train_gate_shrink(request);
    struct plan plan;
    struct parallel_engine g = {0}; /* may be closed without being opened */
    int code = plan_make(&plan, &small, e);
    if (!code) code = parallel_open(&g, &plan, world, ops, e);
    code = comm_agree(world, code, e);
    if (!code) code = train_gate_path_on(gate, &g, seed, e);
    parallel_close(&g);
    return code;
}
