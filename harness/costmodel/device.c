/* SPDX-License-Identifier: Apache-2.0
 *
 * Seconds of a matmul, a layer and the head, at the rates that a device achieves. */
#include "costmodel/device.h"

#include <math.h>

/* Not fitted: published steps do not separate these from their neighbours. So each keeps its common value. */
static const double K0_ATTENTION = 32; /* elements of k; an attention head's matmuls have k of 64 to 256 */
/* CPU seconds to launch a layer's pass, about 25 kernels of 10 us. A pass takes no less. */
static const double LAYER_LAUNCH = 250e-6;
/* The same for the kernels that route, sort and send (assumed). */
static const double EXPERTS_LAUNCH = 250e-6;
/* Fused attention over the rate of large matmuls, for classes without a figure. Other classes are near it. */
static const double FLASH_SHARE = 0.6;

/* Usual tiles of cuBLAS, and their rates relative to the largest. Smaller tiles reuse an element less (NVIDIA, Matrix
 * Multiplication Background User's Guide, 2023). */
static const struct {
    double m, n, rate;
} tiles[] = {{256, 128, 1},   {128, 256, 1},   {128, 128, 0.93}, {256, 64, 0.85},
             {64, 256, 0.85}, {128, 64, 0.80}, {64, 64, 0.65}};

static double matmul_share(const struct cost_platform *x, const struct cost_parameters *p) {
    if (!machine_class_has(x->class, MACHINE_MATMUL_SHARE)) return x->matmul_share;
    return cost_parameters_trait(p, x->class, MACHINE_MATMUL_SHARE);
}

static double flash_share(const struct cost_job *job, const struct cost_parameters *p) {
    const struct machine_class *class = job->platform.class;
    if (job->traits.framework == COST_FSDP && machine_class_has(class, MACHINE_OLDER_FLASH_SHARE))
        return cost_parameters_trait(p, class, MACHINE_OLDER_FLASH_SHARE);
    if (machine_class_has(class, MACHINE_FLASH_SHARE)) return cost_parameters_trait(p, class, MACHINE_FLASH_SHARE);
    return FLASH_SHARE * matmul_share(&job->platform, p);
}

void cost_rates_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     struct cost_rates *r) {
    const struct cost_platform *x = &job->platform;
    const double align = ablation->alignment ? 1 : p->value[COST_P_align];
    *r = (struct cost_rates){
        .units = x->units,
        .matmul = x->peak_flop_per_s * (job->traits.fp32 ? x->tf32_share : 1) * matmul_share(x, p),
        .slow = ablation->alignment ? 0 : x->fp32_flop_per_s * p->value[COST_P_tc8],
        .flash = x->peak_flop_per_s * flash_share(job, p),
        .memory = x->memory_bytes_per_s * p->value[COST_P_memory],
        .k0 = p->value[COST_P_k0],
        .k0_attention = K0_ATTENTION,
        .misaligned = {1},
        .word = job->traits.weight_bytes,
        .quantised = !ablation->quantisation && x->units > 0,
    };
    for (int i = 1; i < (int)(sizeof r->misaligned / sizeof *r->misaligned); i++)
        r->misaligned[i] = r->misaligned[i - 1] / align;
}

/* Factors of two that x lacks to a multiple of 64: 0 to 6. A shard's size may not be whole: 6. */
static int lacks(double x) {
    const double whole = rint(x);
    int factors = 0;
    if (fabs(whole - x) >= 1e-6) return 6;
    for (long long n = (long long)whole; factors < 6 && !(n & 1); n >>= 1) factors++;
    return 6 - factors;
}

/* Elements of the output, padded to whole tiles and waves, by the best tile. */
static double padded_area(const struct cost_rates *r, double m, double n, double batch) {
    double best = INFINITY;
    if (!r->quantised) return m * n * batch;
    for (unsigned i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        const double count = ceil(m / tiles[i].m) * ceil(n / tiles[i].n) * batch;
        best = fmin(best, ceil(count / r->units) * r->units * tiles[i].m * tiles[i].n / tiles[i].rate);
    }
    return best;
}

static double products(const struct cost_rates *r, double m, double n, double k, double count, double k0, bool slow) {
    const double bytes = r->word * count * (m * k + k * n + m * n);
    const int lacks_k = lacks(k), lacks_n = lacks(n);
    double arithmetic =
        2 * padded_area(r, m, n, count) * k / r->matmul * (1 + k0 / k) * r->misaligned[lacks_k + lacks_n];
    if (slow && r->slow > 0 && (lacks_k > 3 || lacks_n > 3)) arithmetic = 2 * m * n * k * count / r->slow;
    return fmax(arithmetic, bytes / r->memory);
}

double cost_matmul_s(const struct cost_rates *r, double m, double n, double k, double batch) {
    return products(r, m, n, k, batch > 0 ? batch : 1, batch > 0 ? r->k0_attention : r->k0, batch > 1);
}

double cost_grouped_s(const struct cost_rates *r, double m, double n, double k, double groups) {
    return products(r, m, n, k, groups, r->k0, false);
}

/* Adds linear layers of n outputs and k inputs, one or a group. Backward has the gradients of input and weights.
 * Returns the forward seconds. */
static double linear(const struct cost_rates *r, struct cost_part *part, double m, double n, double k, double groups) {
    const double forward = cost_grouped_s(r, m, n, k, groups);
    part->forward += forward;
    part->backward += cost_grouped_s(r, m, k, n, groups) + cost_grouped_s(r, k, n, m, groups);
    return forward;
}

/* Fused: only the causal half, at its own rate. Backward has five matmuls instead of two, at 0.9 of the rate (Dao
 * 2023). Unfused: the whole square, and passes over the scores in memory. */
static struct cost_part attention(const struct cost_job *job, const struct cost_parameters *p,
                                  const struct cost_ablation *ablation, const struct cost_rates *r) {
    const double s = (double)job->batch.seq, b = (double)job->layout.micro_batch, width = cost_job_attention(job);
    const double head = (double)job->model.head_dim, heads = b * (double)job->model.heads / job->layout.tp;
    struct cost_part part = {0};
    if (job->traits.flash) {
        part.forward = 4 * cost_job_attended(job) * b * s * s / job->layout.cp * width / r->flash;
        part.backward = 2.5 / 0.9 * part.forward;
        return part;
    }
    const bool slow = job->traits.framework == COST_HUGGINGFACE && !ablation->passes;
    const double scores = r->word * heads * s * s * (slow ? p->value[COST_P_pass_hf] : 1) / r->memory;
    const double wide = cost_matmul_s(r, s, s, head, heads), tall = cost_matmul_s(r, s, head, s, heads);
    part.forward = wide + tall + 6.5 * scores;
    part.backward = wide + 3 * tall + 9.5 * scores;
    return part;
}

/* Seconds of elementwise passes over `elements` a token. */
static double pass_s(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     const struct cost_rates *r, double elements) {
    const struct cost_traits *x = &job->traits;
    const enum cost_parameter factor = x->framework == COST_HUGGINGFACE ? COST_P_pass_hf
                                       : x->eager                       ? COST_P_pass_eager
                                                                        : COST_P_pass_fused;
    return (ablation->passes ? 1 : p->value[factor]) * r->word * cost_job_tokens(job) * elements / r->memory;
}

/* Elements that a layer's passes move, a token. Norms, biases, dropouts and residuals are over hidden, and only
 * sequence parallelism shards them. The others are the MLP's activation function, for each active and shared expert,
 * and the queries, keys and values. */
static double layer_elements(const struct cost_job *job) {
    const struct model_config *c = &job->model;
    const double tp = job->layout.tp, norm = job->layout.sequence_parallel ? tp : 1;
    const double mlp = (double)(model_config_dim(c, MODEL_FFN_UP) + c->ffn) / tp;
    return 11 * (double)c->width / norm + mlp * (double)(model_config_mlps(c) + c->shared) + 2 * cost_job_qkv(job);
}

/* Elements that routing moves, a token. Scores, softmax and top k: 4 passes over E. Copying rows for their experts and
 * summing them afterwards: 2 + 2 passes over k hidden. Sorting received rows by local expert, and back: 4 more passes
 * if a rank holds several experts. */
static double routing_elements(const struct cost_job *job) {
    const struct model_config *c = &job->model;
    const double norm = job->layout.sequence_parallel ? job->layout.tp : 1;
    const bool sorted = job->layout.ep > 1 && cost_job_experts_held(job) > 1;
    return 4 * (double)c->experts / norm + 4 * (double)(c->active * c->width) * (1 / norm + sorted);
}

/* Forward work that backward recomputes. Early stopping skips the layer's last matmul and some passes. */
static void recompute(const struct cost_job *job, struct cost_layer *l, double down) {
    const struct cost_traits *x = &job->traits;
    const bool experts = job->model.experts > 0;
    switch (job->layout.recompute) {
    case PLAN_RECOMPUTE_SELECTIVE:
        l->attention.recompute = l->attention.forward;
        if (x->framework == COST_XLA || !job->layout.sequence_parallel) l->passes.recompute = l->passes.forward;
        break;
    case PLAN_RECOMPUTE_FULL:
        l->attention.recompute = l->attention.forward;
        l->linear.recompute = l->linear.forward - (x->early_stop && !experts ? down : 0);
        l->experts.recompute = l->experts.forward - (x->early_stop && experts ? down : 0);
        l->router.recompute = l->router.forward;
        l->passes.recompute = l->passes.forward * (x->early_stop ? 0.85 : 1);
        break;
    default:
        break;
    }
}

/* Adds the MLP's matmuls, or those of router and experts; shared experts are an MLP. Returns the forward seconds of the
 * last matmul. */
static double mlp(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                  const struct cost_rates *r, struct cost_layer *l) {
    const struct model_config *c = &job->model;
    const double t = cost_job_tokens(job), h = (double)c->width, tp = job->layout.tp;
    const double up = (double)model_config_dim(c, MODEL_FFN_UP) / tp, ffn = (double)c->ffn / tp;
    if (c->experts == 0) {
        linear(r, &l->linear, t, up, h, 1);
        return linear(r, &l->linear, t, h, ffn, 1);
    }
    const double rows = cost_job_expert_rows(job), held = cost_job_experts_held(job);
    const double passes = pass_s(job, p, ablation, r, routing_elements(job));
    if (c->shared > 0) {
        linear(r, &l->linear, t, (double)model_config_dim(c, MODEL_SHARED_UP) / tp, h, 1);
        linear(r, &l->linear, t, h, (double)model_config_dim(c, MODEL_SHARED) / tp, 1);
    }
    linear(r, &l->router, t / (job->layout.sequence_parallel ? tp : 1), (double)c->experts, h, 1);
    l->router.forward += passes, l->router.backward += passes;
    linear(r, &l->experts, rows, up, h, held);
    return linear(r, &l->experts, rows, h, ffn, held);
}

void cost_layer_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     const struct cost_rates *r, struct cost_layer *l) {
    const double t = cost_job_tokens(job), h = (double)job->model.width;
    const double passes = job->layout.recompute == PLAN_RECOMPUTE_FULL ? 3 : 2;
    const double launch = LAYER_LAUNCH + (job->model.experts > 0 ? EXPERTS_LAUNCH : 0);
    *l = (struct cost_layer){0};
    linear(r, &l->linear, t, cost_job_qkv(job), h, 1);
    linear(r, &l->linear, t, h, cost_job_attention(job), 1);
    const double down = mlp(job, p, ablation, r, l);
    l->attention = attention(job, p, ablation, r);
    l->passes.forward = pass_s(job, p, ablation, r, layer_elements(job));
    l->passes.backward = 2 * l->passes.forward;
    recompute(job, l, down);
    if (job->traits.blocking) {
        const double each = ablation->blocking ? 0 : p->value[COST_P_blocking];
        l->launch_forward = each;
        l->launch_backward = passes * each;
    } else {
        l->launch_forward = fmax(0, launch - cost_layer_forward(l));
        l->launch_backward = fmax(0, passes * launch - cost_layer_backward(l));
    }
}

double cost_layer_forward(const struct cost_layer *l) {
    return l->linear.forward + l->attention.forward + l->passes.forward + l->experts.forward + l->router.forward +
           l->launch_forward;
}

static double backward(const struct cost_part *part) {
    return part->backward + part->recompute;
}

double cost_layer_backward(const struct cost_layer *l) {
    return backward(&l->linear) + backward(&l->attention) + backward(&l->passes) + backward(&l->experts) +
           backward(&l->router) + l->launch_backward;
}

double cost_head_s(const struct cost_job *job, const struct cost_rates *r) {
    const double t = cost_job_tokens(job), h = (double)job->model.width;
    const double v = ceil((double)job->model.vocab / (128 * job->layout.tp)) * 128; /* padded as in Megatron */
    return cost_matmul_s(r, t, v, h, 0) + cost_matmul_s(r, t, h, v, 0) + cost_matmul_s(r, h, v, t, 0) +
           32 * t * v / r->memory;
}

double cost_lookup_s(const struct cost_job *job, const struct cost_rates *r) {
    return 16 * cost_job_tokens(job) * (double)job->model.width / r->memory;
}
