/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: a shrunken model with a hot start. One global batch runs through the real path on all ranks, and
 * in serial FP64 on rank 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/count.h"
#include "gate/collectives.h"
#include "gate/gate.h"
#include "gate/ranks.h"
#include "parallel/collect.h"

/* What rounding explains, in multiples of the rounding unit (check_unit) relative to norms; fixed once. A gradient
 * passes about twenty operations in each layer. FP32: each operation sums hundreds of terms, rounded one by one. BF16:
 * the reference rounds where the path stores, but a value near a midpoint sometimes rounds the other way, and what
 * follows differs by part of a rounding. AdamW: a step's change is off by a few roundings. */
#define LOSS_UNITS 1.0
#define LAYER_UNITS(dtype) ((dtype) == KERNEL_F32 ? 8.0 : 0.25)
#define OPTIMIZER_UNITS 3.0

enum { SERIAL = 256 }; /* sequences times layers of the shrunken model, if a micro-batch has one sequence */

/* Heads of the shrunken model: as many to a key/value head as the model has, divisible over tensor parallel ranks, and
 * a power of two if the model's are (ALiBi has another rule else). If ranks share key/value heads, the model's own. */
static int64_t shrunken_heads(const struct model_config *c, int tp) {
    const int64_t group = c->heads / c->kv_heads, least = c->kv_heads > 1 ? 2 * group : group;
    const bool ragged = (c->heads & (c->heads - 1)) != 0;
    int64_t heads = least > 4 ? least : ragged && group == 1 ? 6 : 4;
    if (c->kv_heads < tp) return c->heads;
    while (heads % tp || heads / group % tp) heads += ragged ? least : heads;
    return heads;
}

/* A vocabulary that does not divide, of which each rank has a part. */
static int64_t shrunken_vocab(int tp) {
    int64_t vocab = 389;
    while (vocab <= (vocab + tp - 1) / tp * (tp - 1)) vocab++;
    return vocab;
}

/* Layers of the shrunken model, one more than stages share out equally: so they hold different numbers, as the model's
 * may. One stage has two layers. Under ZeRO 3, where weights of two layers stay between passes, a rank has three. */
static int64_t shrunken_layers(struct plan_layout *l) {
    const int stages = l->pp * l->vp;
    const int64_t each = l->zero == 3 ? (3 + l->vp - 1) / l->vp : stages == 1 ? 2 : 1;
    memset(l->stage_layers, 0, sizeof l->stage_layers);
    return stages * each + (stages > 1);
}

/* Micro-batches of a rank: enough for each chunk to use its memory for a second one. Rank 0 computes all of them in
 * serial FP64, so large worlds have fewer. */
static int64_t shrunken_accumulation(const struct plan_request *request, int64_t layers) {
    const struct plan_layout *l = &request->layout;
    const int64_t accumulation = request->global_batch / l->dp / l->micro_batch;
    const int64_t least = l->vp > 1 ? l->pp : 1, wanted = l->pp == 1 ? 2 : l->vp == 1 ? l->pp + 1 : 2 * l->pp;
    if (l->dp * wanted * layers > SERIAL) return least;
    return accumulation < wanted ? accumulation : wanted;
}

/* So many or a few more, of which each leaf of the tree has as many. */
static int64_t rounded_accumulation(const struct plan_layout *l, int64_t accumulation) {
    if (!l->reproducible || l->zero > 1) return accumulation;
    while (accumulation % (l->reproducible / l->dp) || (l->vp > 1 && accumulation % l->pp)) accumulation++;
    return accumulation;
}

/* The fewest leaves that the layout's ranks can share, but two if the model's sums have several. */
static int shrunken_leaves(const struct plan_layout *l) {
    const int least = l->dp > l->tp ? l->dp : l->tp;
    return least == 1 && l->reproducible > 1 ? 2 : least;
}

/* An odd number of tokens, unless ranks share them: no multiple of a kernel's block. */
static int64_t shrunken_seq(const struct plan_layout *l) {
    const int64_t parts = l->cp > 1         ? 2 * l->cp
                          : l->reproducible ? l->reproducible
                                            : 1,
                  shares = l->sequence_parallel ? l->tp : 1;
    int64_t seq = 37;
    while (seq % parts || seq / l->cp % shares) seq++;
    return seq;
}

/* Experts of the shrunken model, of which each rank has as many. */
static void shrink_experts(struct plan_request *r) {
    struct model_config *c = &r->config;
    const int64_t ranks = plan_layout_expert_ranks(&r->layout);
    if (c->experts == 0) return;
    while (c->experts > 16 && c->experts / 2 % ranks == 0 && c->experts / 2 >= 2 * c->active) c->experts /= 2;
    c->full_experts = c->own_experts = c->experts;
    if (c->balance > 0) c->balance = 0.15; /* so that its gradient counts beside the loss's */
    r->route.skew = fmin(r->route.skew, (double)c->experts / (double)c->active);
}

struct plan_request gate_shrink(const struct plan_request *request) {
    struct plan_request r = *request;
    struct model_config *c = &r.config;
    const int64_t group = c->heads / c->kv_heads;
    if (r.layout.reproducible) r.layout.reproducible = shrunken_leaves(&r.layout);
    const int tp = r.layout.reproducible ? r.layout.reproducible : r.layout.tp; /* what the model must divide over */
    const double ffn = (double)c->ffn / (double)c->width;
    c->full_layers = c->layers = shrunken_layers(&r.layout);
    c->heads = shrunken_heads(c, tp);
    c->kv_heads = c->heads / group;
    c->head_dim = 16;
    c->width = 16 * c->heads;
    if (c->window) c->window = 11; /* both of its edges are within the sequence */
    c->ffn = (int64_t)ceil(ffn * (double)c->width / tp) * tp;
    c->vocab = shrunken_vocab(tp);
    r.seq = shrunken_seq(&r.layout);
    c->positions = r.seq + 3;
    shrink_experts(&r);
    c->rotary.original = 64; /* wavelengths on both sides of Llama 3.1's thresholds */
    c->parameters = model_params_count(c);
    const int64_t accumulation = rounded_accumulation(&r.layout, shrunken_accumulation(request, c->layers));
    r.layout.micro_batch =
        request->layout.micro_batch > 1 && 2 * r.layout.dp * accumulation * c->layers <= 2 * SERIAL ? 2 : 1;
    if (r.layout.reproducible && r.layout.zero > 1) r.layout.micro_batch = r.layout.reproducible / r.layout.dp;
    r.global_batch = r.layout.dp * r.layout.micro_batch * accumulation;
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

/* Of all gradients; numbers of rows are none. */
static double whole_norm(const struct model_params *params, const double *truth) {
    double sum = 0;
    for (int i = 0; i < params->count; i++) {
        const struct model_tensor *t = &params->tensors[i];
        const double one = model_tensor_counts_rows(t) ? 0 : norm(truth + t->offset, t->count);
        sum += one * one;
    }
    return sqrt(sum);
}

/* Checks every tensor's relative error. The gradient of a gain or bias is a sum over tokens. Its terms cancel but their
 * rounding does not. So its scale is the root of the sum of their squares, as for sums of random signs. Cancelling is
 * no accident: a hot model with tied embeddings predicts the token it is given. The target is the next token given, so
 * the last bias's gradient telescopes to the ends of the sequence. A gradient near zero is scaled by its share of the
 * whole norm, as a mathematically zero one has no norm. */
static void compare_gradients(struct gate *gate, const struct parallel_engine *g, const float *mine,
                              const double *truth, const double *squares) {
    const double whole = whole_norm(&g->whole, truth), unit = check_unit(g->plan->shape.dtype) *
                                                              LAYER_UNITS(g->plan->shape.dtype) *
                                                              (double)g->plan->request.config.layers;
    for (int i = 0; i < g->whole.count; i++) {
        const struct model_tensor *t = &g->whole.tensors[i];
        const double share = 0.01 * whole * sqrt((double)t->count / (double)g->whole.total);
        double error = 0, terms = 0;
        for (int64_t j = t->offset; j < t->offset + t->count; j++) {
            double d = mine[j] - truth[j];
            error += d * d;
            terms += squares[j];
        }
        const double size = fmax(norm(truth + t->offset, t->count), fmax(sqrt(terms), share));
        gate_note(gate, CHECK_GRADIENTS, sqrt(error) / (unit * size), t->name);
    }
}

/* What the ranks have together: [params.total] of each. */
struct whole {
    float *of[4];    /* enum parallel_what */
    int32_t *choice; /* of experts: [layers][global batch * seq][active] */
    const struct parallel_engine *engine;
};

static void collect(struct parallel_engine *g, enum parallel_what what, float *whole) {
    for (int i = 0; i < g->whole.count; i++) parallel_collect(g, what, i, whole + g->whole.tensors[i].offset);
}

/* Reads the collected weights as the path stores them. */
static void read_weights(void *context, int64_t offset, int64_t count, double *out) {
    const struct whole *all = context;
    parallel_stored(all->engine, all->of[PARALLEL_MASTER] + offset, count, out);
}

/* Rank 0's truth, [params.total] of each, and the weights before the update. balance and surprise: as the reference's.
 */
struct truth {
    double loss, balance, surprise, *grads, *squares;
    float *before;
};

/* Runs the global batch serially in FP64: the loss, the gradients, and the squares of the terms of gains and biases. */
static int reference(const struct parallel_engine *g, const struct data_source *source, struct whole *all,
                     struct truth *truth, struct base_error *e) {
    const struct plan_request *q = &g->plan->request;
    const int64_t tokens = q->global_batch * q->seq;
    struct model_reference r = {.params = &g->whole,
                                .shape = g->plan->shape,
                                .weights = kernel_attention_weights(&g->ops, g->plan->shape.dtype),
                                .read = read_weights,
                                .context = all,
                                .squares = truth->squares,
                                .choice = all->choice,
                                .surprise = &truth->surprise,
                                .balance = &truth->balance};
    r.shape.config = &q->config;
    r.shape.batch = q->global_batch, r.shape.seq = q->seq;
    int32_t *inputs = malloc((size_t)tokens * sizeof *inputs), *targets = malloc((size_t)tokens * sizeof *targets);
    double *losses = malloc((size_t)tokens * sizeof *losses);
    int code = BASE_BROKEN;
    if (inputs && targets && losses) {
        data_fill(source, 0, q->global_batch, 0, q->global_batch, inputs, targets);
        code = model_reference_step(&r, inputs, targets, 1 / (double)tokens, losses, truth->grads, e);
        for (int64_t i = 0; i < tokens; i++) truth->loss += losses[i] / (double)tokens;
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

/* Of a router's bias, where `rows` went to its expert and `mean` to each on average. */
static struct update exact_bias(double w, double rows, double mean) {
    const double up = rows < mean ? 1 : rows > mean ? -1 : 0;
    return (struct update){.w = w + UPDATES * up * (float)PARALLEL_BIAS_RATE};
}

static double rounding(double x, double truth, double size) {
    double error = fabs(x - truth) / (0x1p-24 * OPTIMIZER_UNITS * size);
    return isnan(error) ? INFINITY : error;
}

static void compare_update(struct gate *gate, const struct parallel_engine *g, const float *before,
                           const struct whole *all, const struct parallel_optimizer *o) {
    double square = 0, worst = -1;
    const char *where = "";
    const float *grads = all->of[PARALLEL_GRADIENTS];
    const struct plan_request *q = &g->plan->request;
    const double mean = (double)(q->global_batch * q->seq * q->config.active) / fmax((double)q->config.experts, 1);
    for (int i = 0; i < g->whole.count; i++) {
        const struct model_tensor *t = &g->whole.tensors[i];
        for (int64_t j = t->offset; j < t->offset + t->count && !model_tensor_counts_rows(t); j++)
            square += (double)grads[j] * grads[j];
    }
    const double scale = parallel_optimizer_scale(o, sqrt(square)),
                 tiny = 1e-30; /* near the smallest squares of FP32 */
    for (int i = 0; i < g->whole.count; i++) {
        const struct model_tensor *t = &g->whole.tensors[i];
        for (int64_t j = t->offset; j < t->offset + t->count; j++) {
            const struct update u = model_tensor_counts_rows(t)
                                        ? exact_bias(before[j], grads[j], mean)
                                        : exact_update(o, before[j], grads[j] * scale, t->kind->decay);
            double error = rounding(all->of[PARALLEL_MASTER][j], u.w, fabs(u.w) + 4 * UPDATES * o->lr);
            error = fmax(error, rounding(all->of[PARALLEL_MOMENT1][j], u.m, fabs(u.m) + tiny));
            error = fmax(error, rounding(all->of[PARALLEL_MOMENT2][j], u.v, fabs(u.v) + tiny));
            if (error <= worst) continue;
            worst = error;
            where = t->name;
        }
    }
    gate_note(gate, CHECK_OPTIMIZER, worst, where);
}

/* Elements of struct whole's choice. */
static int64_t choices_of(const struct parallel_engine *g) {
    const struct plan_request *q = &g->plan->request;
    return q->config.layers * q->global_batch * q->seq * q->config.active;
}

static int open_truth(struct truth *t, struct whole *all, const struct parallel_engine *g, struct base_error *e) {
    const size_t n = (size_t)g->whole.total;
    bool done = true;
    for (int i = 0; i < 4; i++) done = (all->of[i] = calloc(n, sizeof(float))) && done;
    if (g->plan->request.config.experts > 0)
        done = (all->choice = calloc((size_t)choices_of(g), sizeof *all->choice)) && done;
    if (g->world->rank == 0) {
        t->grads = calloc(n, sizeof *t->grads), t->squares = calloc(n, sizeof *t->squares);
        t->before = malloc(n * sizeof *t->before);
        done = done && t->grads && t->squares && t->before;
    }
    return done ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for the gate's reference");
}

/* The load-balancing loss, and that no choice of experts is one that rounding does not explain. */
static void compare_experts(struct gate *gate, const struct parallel_engine *g, const struct truth *t, double balance) {
    const enum kernel_dtype dtype = g->plan->shape.dtype;
    const double layers = (double)g->plan->request.config.layers, unit = check_unit(dtype);
    if (t->balance > 0)
        gate_note(gate, CHECK_LOSS, fabs(balance - t->balance) / (unit * LOSS_UNITS * t->balance), "load balancing");
    gate_note(gate, CHECK_GRADIENTS, t->surprise / (unit * LAYER_UNITS(dtype) * layers), "the experts chosen");
}

/* Gradients first, then the update, then what ranks must agree on. */
static int check_step(struct gate *gate, struct parallel_engine *g, const struct data_source *source, struct truth *t,
                      struct whole *all, struct base_error *e) {
    const bool judge = g->world->rank == 0;
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
    struct gate_count count = {0};
    gate_collectives(gate, g);
    gate_count_begin(g);
    g->chosen = all->choice, g->chosen_first = 0;
    g->chosen_samples = g->plan->request.global_batch, g->chosen_seq = g->plan->request.seq;
    parallel_gradients(g, source, 0, &result);
    g->chosen = NULL;
    gate_count_end(&count, g);
    const int64_t choices = choices_of(g);
    if (all->choice && g->plan->place.at[PLAN_TP]) /* of equal ones one counts */
        memset(all->choice, 0, (size_t)choices * sizeof *all->choice);
    int code = all->choice ? parallel_sum_choices(g->world, all->choice, choices, e) : BASE_OK;
    if (code) return code;
    collect(g, PARALLEL_MASTER, all->of[PARALLEL_MASTER]);
    collect(g, PARALLEL_GRADIENTS, all->of[PARALLEL_GRADIENTS]);
    code = judge ? reference(g, source, all, t, e) : BASE_OK;
    if ((code = comm_agree(g->world, code, e))) return code;
    if (judge) {
        const double unit = check_unit(g->plan->shape.dtype) * LOSS_UNITS;
        gate_note(gate, CHECK_LOSS, fabs(result.loss - t->loss) / (unit * fabs(t->loss)), "");
        if (all->choice) compare_experts(gate, g, t, result.balance);
        compare_gradients(gate, g, all->of[PARALLEL_GRADIENTS], t->grads, t->squares);
        memcpy(t->before, all->of[PARALLEL_MASTER], (size_t)g->whole.total * sizeof *t->before);
    }
    gate_count_begin(g);
    parallel_update(g, &o, &result);
    gate_count_end(&count, g);
    gate_count_check(gate, &count, g);
    for (int i = 1; i < UPDATES; i++) parallel_update(g, &o, &result);
    collect(g, PARALLEL_MASTER, all->of[PARALLEL_MASTER]);
    collect(g, PARALLEL_MOMENT1, all->of[PARALLEL_MOMENT1]);
    collect(g, PARALLEL_MOMENT2, all->of[PARALLEL_MOMENT2]);
    if (judge) compare_update(gate, g, t->before, all, &o);
    gate_ranks(gate, g);
    return BASE_OK;
}

int gate_path_on(struct gate *gate, struct parallel_engine *g, uint64_t seed, struct base_error *e) {
    struct data_source *source;
    const struct data_options options = {
        .vocab = g->plan->request.config.vocab, .seq = g->plan->request.seq, .seed = seed, .shares = 1};
    int code = comm_agree(g->world, data_open(&source, &options, e), e);
    if (code) return code;
    struct whole all = {.engine = g};
    struct truth truth = {0};
    parallel_start(g, seed, true);
    code = comm_agree(g->world, open_truth(&truth, &all, g, e), e);
    if (!code) code = check_step(gate, g, source, &truth, &all, e);
    for (int i = 0; i < 4; i++) free(all.of[i]);
    free(all.choice);
    free(truth.grads), free(truth.squares), free(truth.before);
    data_close(source);
    gate_agree(gate, g->world);
    return code;
}

int gate_path(struct gate *gate, const struct plan_request *request, struct comm *world, const struct kernel_ops *ops,
              uint64_t seed, struct base_error *e) {
    const struct plan_request small = gate_shrink(request);
    struct plan plan;
    struct parallel_engine g = {0}; /* may be closed without being opened */
    struct comm counted;
    struct comm_counter counter;
    comm_count_wrap(&counted, &counter, world, COMM_FORWARD);
    int code = plan_make(&plan, &small, e);
    if (!code) code = parallel_open(&g, &plan, &counted, ops, e);
    code = comm_agree(world, code, e);
    if (!code) code = gate_path_on(gate, &g, seed, e);
    parallel_close(&g);
    return code;
}
