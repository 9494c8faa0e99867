/* SPDX-License-Identifier: Apache-2.0
 *
 * Seconds of a layer and the head, at the rates that a device achieves. */
#include "costmodel/device.h"

#include <math.h>

/* What prices one layer: dense, or with experts. */
struct layer {
    const struct cost_job *job;
    const struct cost_parameters *p;
    const struct cost_ablation *ablation;
    const struct cost_rates *r;
    bool routed;
    struct cost_layer *l;
};

/* Adds linear layers of n outputs and k inputs, one or a group. Backward has the gradients of input and weights. A
 * group loses `lost` elements of each size, as its matmuls start and end one by one. Returns the forward seconds. */
static double linear(const struct layer *x, struct cost_part *part, double m, double n, double k, double groups,
                     double lost) {
    const struct cost_rates *r = x->r;
    const double longer = 1 + lost * (1 / m + 1 / n + 1 / k);
    const double forward = longer * cost_linear_s(r, m, n, k, groups) + r->quantise * m * k * groups;
    const double weights = x->job->traits.frozen ? 0 : longer * cost_linear_s(r, k, n, m, groups);
    part->forward += forward;
    part->backward += longer * cost_linear_s(r, m, k, n, groups) + weights + r->quantise * m * n * groups;
    return forward;
}

/* Fused: only the causal half, at its own rate. Backward has five matmuls instead of two, at 0.9 of the rate (Dao
 * 2023). Unfused: the whole square, and passes over the scores in memory. */
static struct cost_part attention(const struct layer *x) {
    const struct cost_job *job = x->job;
    const struct cost_rates *r = x->r;
    const struct model_config *c = &job->model;
    const double s = (double)job->batch.seq, b = (double)job->layout.micro_batch,
                 heads = b * (double)c->heads / job->layout.tp;
    const double head = c->latent.kv ? (double)(c->head_dim + c->latent.value) / 2 : (double)c->head_dim;
    struct cost_part part = {0};
    if (job->traits.flash) {
        part.forward = 4 * cost_job_attended(job) * s * s / job->layout.cp * heads * head / r->flash;
        part.backward = 2.5 / 0.9 * part.forward;
        return part;
    }
    const bool slow = job->traits.framework == COST_HUGGINGFACE && !x->ablation->passes;
    const double scores = r->word * heads * s * s * (slow ? x->p->value[COST_P_pass_hf] : 1) / r->memory;
    const double wide = cost_matmul_s(r, s, s, head, heads), tall = cost_matmul_s(r, s, head, s, heads);
    part.forward = wide + tall + 6.5 * scores;
    part.backward = wide + 3 * tall + 9.5 * scores;
    return part;
}

/* Seconds of elementwise passes over `elements` a token. */
static double pass_s(const struct layer *x, double elements) {
    const struct cost_traits *t = &x->job->traits;
    const enum cost_parameter factor = t->framework == COST_HUGGINGFACE ? COST_P_pass_hf
                                       : t->eager                       ? COST_P_pass_eager
                                                                        : COST_P_pass_fused;
    return (x->ablation->passes ? 1 : x->p->value[factor]) * x->r->word * cost_job_tokens(x->job) * elements /
           x->r->memory;
}

/* Elements that a layer's passes move, a token. Norms, biases, dropouts and residuals are over hidden, and only
 * sequence parallelism shards them. The others are the MLP's activation function, for each active and shared expert,
 * and the queries, keys and values. */
static double layer_elements(const struct layer *x) {
    const struct model_config *c = &x->job->model;
    const double tp = x->job->layout.tp, norm = x->job->layout.sequence_parallel ? tp : 1;
    const double each = (double)(model_config_dim(c, MODEL_FFN_UP) + c->ffn);
    const double mlp = x->routed         ? each * (double)(c->active + c->shared)
                       : c->dense_layers ? (double)(model_config_dim(c, MODEL_DENSE_UP) + c->dense_ffn)
                                         : each;
    const double biases =
        x->routed && c->biased
            ? 2 * x->p->value[COST_P_biased] * (double)(c->active * (model_config_dim(c, MODEL_FFN_UP) + c->width))
            : 0;
    const double latent = c->latent.kv ? 2 * (double)(c->latent.query + c->latent.kv) : 0;
    return 11 * (double)c->width / norm + (mlp + biases) / tp + 2 * cost_job_qkv(x->job) + latent;
}

/* Elements that routing moves, a token. Scores, softmax and top k: 4 passes over E. Copying rows for their experts and
 * summing them afterwards: 2 + 2 passes over k hidden. Sorting received rows by local expert, and back: 4 more passes
 * if a rank holds several experts and the dispatcher does not sort. */
static double routing_elements(const struct cost_job *job) {
    const struct model_config *c = &job->model;
    const double norm = job->layout.sequence_parallel ? job->layout.tp : 1;
    const bool sorted = job->layout.ep > 1 && cost_job_experts_held(job) > 1;
    const double rows = (double)(c->active * c->width), scores = 4 * (double)c->experts / norm;
    if (cost_job_dispatcher(job) == COST_DISPATCH_FUSED) return scores + 2 * rows / norm;
    return scores + 4 * rows * (1 / norm + sorted);
}

/* Forward work that backward recomputes. Early stopping skips the layer's last matmul and some passes. */
static void recompute(const struct layer *x, double down) {
    const struct cost_traits *t = &x->job->traits;
    struct cost_layer *l = x->l;
    switch (x->job->layout.recompute) {
    case PLAN_RECOMPUTE_SELECTIVE:
        if (!t->keeps_attention) l->attention.recompute = l->attention.forward;
        if (t->framework == COST_XLA || !x->job->layout.sequence_parallel) l->passes.recompute = l->passes.forward;
        break;
    case PLAN_RECOMPUTE_FULL:
        l->attention.recompute = l->attention.forward;
        l->linear.recompute = l->linear.forward - (t->early_stop && !x->routed ? down : 0);
        l->experts.recompute = l->experts.forward - (t->early_stop && x->routed ? down : 0);
        l->router.recompute = l->router.forward;
        l->passes.recompute = l->passes.forward * (t->early_stop ? 0.85 : 1);
        break;
    default:
        break;
    }
}

/* Router, experts, and shared experts, which are an MLP. Returns the forward seconds of the last matmul. */
static double experts(const struct layer *x) {
    const struct cost_job *job = x->job;
    const struct model_config *c = &job->model;
    const double t = cost_job_tokens(job), h = (double)c->width, tp = job->layout.tp;
    const double slices = plan_layout_expert_slices(&job->layout), lost = x->p->value[COST_P_grouped];
    const double rows = cost_job_expert_rows(job) * job->traits.busiest, held = cost_job_experts_held(job);
    const double passes = x->p->value[COST_P_routing] * pass_s(x, routing_elements(job));
    struct cost_layer *l = x->l;
    if (c->shared > 0) {
        l->shared = linear(x, &l->linear, t, (double)model_config_dim(c, MODEL_SHARED_UP) / tp, h, 1, 0);
        l->shared += linear(x, &l->linear, t, h, (double)model_config_dim(c, MODEL_SHARED) / tp, 1, 0);
    }
    const double scores = cost_matmul_s(x->r, t / (job->layout.sequence_parallel ? tp : 1), (double)c->experts, h, 0);
    l->router.forward += scores + passes, l->router.backward += 2 * scores + passes;
    linear(x, &l->experts, rows, (double)model_config_dim(c, MODEL_FFN_UP) / slices, h, held, lost);
    return linear(x, &l->experts, rows, h, (double)c->ffn / slices, held, lost);
}

static double mlp(const struct layer *x) {
    const struct model_config *c = &x->job->model;
    const double t = cost_job_tokens(x->job), h = (double)c->width, tp = x->job->layout.tp;
    const bool first = c->dense_layers > 0;
    const double up = (double)model_config_dim(c, first ? MODEL_DENSE_UP : MODEL_FFN_UP) / tp;
    linear(x, &x->l->linear, t, up, h, 1, 0);
    return linear(x, &x->l->linear, t, h, (double)(first ? c->dense_ffn : c->ffn) / tp, 1, 0);
}

/* Queries, keys, values and the output's projection. */
static void projections(const struct layer *x) {
    const struct model_config *c = &x->job->model;
    const double t = cost_job_tokens(x->job), h = (double)c->width, tp = x->job->layout.tp;
    struct cost_part *part = &x->l->linear;
    if (c->latent.kv > 0) {
        const double queries = (double)model_config_dim(c, MODEL_QUERIES) / tp;
        if (c->latent.query > 0) linear(x, part, t, (double)c->latent.query, h, 1, 0);
        linear(x, part, t, queries, c->latent.query > 0 ? (double)c->latent.query : h, 1, 0);
        linear(x, part, t, (double)model_config_dim(c, MODEL_KV_RANK), h, 1, 0);
        linear(x, part, t, (double)model_config_dim(c, MODEL_KV_FROM_IT) / tp, (double)c->latent.kv, 1, 0);
    } else {
        linear(x, part, t, cost_job_qkv(x->job), h, 1, 0);
    }
    linear(x, part, t, h, cost_job_attention(x->job), 1, 0);
}

/* What the host's launches of a pass take beyond the pass itself. */
static void launches(const struct layer *x) {
    const struct cost_traits *t = &x->job->traits;
    const double *p = x->p->value, again = x->job->layout.recompute == PLAN_RECOMPUTE_FULL ? 1 : 0;
    struct cost_layer *l = x->l;
    if (t->blocking) {
        const double each = x->ablation->blocking ? 0 : p[COST_P_blocking];
        l->launch_forward = each, l->launch_backward = (2 + again) * each;
        return;
    }
    const enum cost_dispatcher d = cost_job_dispatcher(x->job);
    const enum cost_parameter routes = t->capacity                ? COST_P_host_capacity
                                       : d == COST_DISPATCH_FUSED ? COST_P_host_fused
                                       : d == COST_DISPATCH_ONCE  ? COST_P_host_once
                                                                  : COST_P_host_plain;
    const double left = 1 - (isnan(t->graphs) ? 0 : t->graphs);
    const double host = (p[COST_P_host] + (x->routed ? p[routes] : 0)) * left;
    l->launch_forward = fmax(0, host - cost_layer_forward(l));
    l->launch_backward = fmax(0, (2 + again) * host - cost_layer_backward(l));
}

static void fill(const struct layer *x) {
    *x->l = (struct cost_layer){0};
    projections(x);
    const double down = x->routed ? experts(x) : mlp(x);
    x->l->attention = attention(x);
    x->l->passes.forward = pass_s(x, layer_elements(x));
    x->l->passes.backward = 2 * x->l->passes.forward;
    recompute(x, down);
    launches(x);
}

static struct cost_part mean(const struct cost_part *a, const struct cost_part *b, double of_b) {
    return (struct cost_part){a->forward + of_b * (b->forward - a->forward),
                              a->backward + of_b * (b->backward - a->backward),
                              a->recompute + of_b * (b->recompute - a->recompute)};
}

void cost_layer_fill(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
                     const struct cost_rates *r, struct cost_layer *l) {
    const struct model_config *c = &job->model;
    struct layer x = {job, p, ablation, r, c->experts > 0, l};
    struct cost_layer routed;
    fill(&x);
    if (c->dense_layers == 0) return;
    const double dense = (double)c->dense_layers / (double)c->layers;
    routed = *l;
    x.routed = false;
    fill(&x);
    const struct cost_layer first = *l;
    *l = (struct cost_layer){
        .linear = mean(&routed.linear, &first.linear, dense),
        .attention = first.attention,
        .passes = mean(&routed.passes, &first.passes, dense),
        .shared = routed.shared * (1 - dense),
        .experts = mean(&routed.experts, &first.experts, dense),
        .router = mean(&routed.router, &first.router, dense),
        .launch_forward = routed.launch_forward + dense * (first.launch_forward - routed.launch_forward),
        .launch_backward = routed.launch_backward + dense * (first.launch_backward - routed.launch_backward),
    };
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
    const double weights = job->traits.frozen ? 0 : cost_matmul_s(r, h, v, t, 0);
    return cost_matmul_s(r, t, v, h, 0) + cost_matmul_s(r, t, h, v, 0) + weights + 32 * t * v / r->memory;
}

double cost_lookup_s(const struct cost_job *job, const struct cost_rates *r) {
    return 16 * cost_job_tokens(job) * (double)job->model.width / r->memory;
}
