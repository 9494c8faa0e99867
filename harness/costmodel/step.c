/* SPDX-License-Identifier: Apache-2.0
 *
 * Prices a step: layers into stages, stages into a pipeline, then gradients, embedding and optimizer. */
#include "costmodel/step.h"

#include <math.h>
#include <stddef.h>

#include "costmodel/device.h"
#include "costmodel/network.h"

/* Bytes that an update moves for each parameter. FP32 weights and two moments are read and written, the gradient is
 * read, 16-bit weights are written. Not fitted: a few per mille of a step. */
static const double OPTIMIZER_BYTES = 36;
/* Bytes to clear, norm and scale a gradient that is not sharded. Not fitted either. */
static const double GRADIENT_BYTES = 6;
/* Messages of a layer in DeepSpeed's all-gathers: one a tensor. */
static const double TENSORS = 7;

struct pricing {
    const struct cost_job *job;
    const struct cost_parameters *p;
    const struct cost_ablation *ablation;
    struct cost_rates rates;
    struct cost_links links;
    struct cost_layer layer;
    double layer_parameters, table_parameters, stage_parameters; /* on a tensor parallel rank; the largest stage's */
    double layer_experts, stage_experts;                         /* the experts' part; DP / EP ranks hold copies */
    double layers_most;                                          /* layers of the largest stage */
    double all_reduce;                                           /* seconds for a micro-batch's activations */
};

/* All-reduce of a micro-batch's activations among tensor parallel ranks, with `rows` rows a token. */
static double all_reduce(const struct pricing *x, double rows) {
    const struct cost_job *job = x->job;
    const struct cost_group group = cost_group_tensor(job, &x->links);
    if (job->layout.tp == 1) return 0;
    return cost_collective_s(&x->links, &group, COST_ALL_REDUCE,
                             job->traits.weight_bytes * cost_job_tokens(job) * (double)job->model.width * rows, 1);
}

/* The all-reduce after the experts. With sequence and expert parallelism, an expert's rows are gathered before it and
 * scattered after it: k rows a token. Otherwise the experts' outputs are combined first: one row. Whole experts need
 * none. */
static double routed_all_reduce(const struct pricing *x) {
    const struct plan_layout *y = &x->job->layout;
    if (plan_layout_expert_slices(y) == 1) return 0;
    return all_reduce(x, y->sequence_parallel && y->ep > 1 ? (double)x->job->model.active : 1);
}

/* Two all-reduces in each pass of a layer. Each overlaps its own matmuls, but those of experts do not overlap. */
static void tensor_parallel(const struct pricing *x, struct cost_step *s) {
    const struct cost_traits *a = &x->job->traits;
    const double one = x->all_reduce;
    const bool routed = x->job->model.experts > 0;
    const double hides = routed ? 1 : 2, mlp = routed_all_reduce(x);
    const double forward = a->overlap_tp ? cost_exposed_s(&x->links, one, x->layer.linear.forward / hides) : one;
    const double backward = a->async_tp     ? cost_exposed_s(&x->links, one, x->layer.linear.backward / (2 * hides))
                            : a->overlap_tp ? cost_exposed_s(&x->links, one, x->layer.linear.backward / hides)
                                            : one;
    const double both_forward = forward + (routed ? mlp : forward),
                 both_backward = backward + (routed ? mlp : backward);
    const double recompute = x->job->layout.recompute == PLAN_RECOMPUTE_FULL ? both_forward : 0;
    s->layer_forward += both_forward;
    s->layer_backward += both_backward + recompute;
    s->tensor_parallel = both_forward + both_backward + recompute;
}

/* Two all-to-alls in each pass of a layer, to the experts and back. They do not overlap. */
static void expert_parallel(const struct pricing *x, struct cost_step *s) {
    const struct cost_job *job = x->job;
    const struct model_config *c = &job->model;
    const struct cost_group g = cost_group_expert(job, &x->links);
    const double bytes = job->traits.weight_bytes * cost_job_routed_tokens(job) * (double)c->width;
    const double layers = (double)(c->layers - c->dense_layers) / (double)c->layers;
    if (job->layout.ep <= 1) return;
    double both = 2 * layers * cost_dispatch_s(&x->links, &g, cost_job_dispatcher(job), (double)c->active, bytes);
    if (job->traits.overlap_ep)
        both = fmax(both - s->layer_forward, 0) + x->p->value[COST_P_hidden] * fmin(both, s->layer_forward);
    else if (c->shared > 0)
        both = fmax(0, both - x->layer.shared) + x->links.interference * fmin(both, x->layer.shared);
    const double recompute = job->layout.recompute == PLAN_RECOMPUTE_FULL ? both : 0;
    s->layer_forward += both;
    s->layer_backward += both + recompute;
    s->all_to_all = 2 * both + recompute;
}

/* Keys and values pass round a ring, in four messages a step, and overlap attention: once in forward, twice in
 * backward. */
static void context_parallel(const struct pricing *x, struct cost_step *s) {
    const struct cost_job *job = x->job;
    const double cp = job->layout.cp, kv = (double)model_config_dim(&job->model, MODEL_KV) / job->layout.tp;
    const struct cost_group g = cost_group_context(job, &x->links);
    if (job->layout.cp == 1) return;
    const double bytes = 2 * job->traits.weight_bytes * cost_job_tokens(job) * kv * cp;
    const double ring = cost_collective_s(&x->links, &g, COST_SCATTER, bytes, 4);
    const double exposed = cost_exposed_s(&x->links, ring, x->layer.attention.forward);
    s->layer_forward += exposed;
    s->layer_backward += 2 * exposed;
}

bool cost_step_gathers_ahead(const struct cost_job *job) {
    return !job->traits.deepspeed && !job->traits.blocking;
}

/* An all-gather or reduce-scatter: `plain` bytes among the ranks of `g`, `experts` bytes among those of `h`. */
static double sharded_s(const struct pricing *x, const struct cost_group *g, const struct cost_group *h, double plain,
                        double experts, double pieces) {
    const double one = cost_collective_s(&x->links, g, COST_SCATTER, plain, pieces);
    return experts > 0 ? one + cost_collective_s(&x->links, h, COST_SCATTER, experts, pieces) : one;
}

/* Weights are gathered before each pass of a layer. Gradients are reduce-scattered after its backward. */
static void zero3(const struct pricing *x, struct cost_step *s) {
    const struct cost_traits *a = &x->job->traits;
    const struct cost_group g = cost_group_zero3(x->job, &x->links);
    const struct cost_group h = cost_group_expert_zero3(x->job, &x->links);
    const double pieces = a->deepspeed ? TENSORS : 1, cap = x->p->value[COST_P_zero3_cap];
    const double weights = x->layer_parameters * a->weight_bytes, gradients = x->layer_parameters * a->grad_bytes;
    const double own = x->layer_parameters - x->layer_experts, of_experts = x->layer_experts;
    if (x->job->layout.zero < 3) return;
    double gather = sharded_s(x, &g, &h, own * a->gather_bytes, of_experts * a->gather_bytes, pieces);
    double scatter = sharded_s(x, &g, &h, own * a->grad_bytes, of_experts * a->grad_bytes, pieces);
    if (a->deepspeed && g.nodes > 1) gather = fmax(gather, weights / cap), scatter = fmax(scatter, gradients / cap);
    if (a->frozen) scatter = 0;
    double forward = gather, backward = scatter + gather;
    s->layer_gather = gather, s->layer_scatter = scatter;
    if (cost_step_gathers_ahead(x->job)) {
        forward = cost_exposed_s(&x->links, forward, s->layer_forward);
        backward = cost_exposed_s(&x->links, backward, s->layer_backward);
    }
    s->layer_forward += forward;
    s->layer_backward += backward;
    s->exposed_forward = forward, s->exposed_backward = backward;
    s->zero3 = forward + backward;
}

/* The last stage has the head and fewer layers, the first one the embedding: as many as make the slowest fastest. */
static void even_stages(struct pricing *x, struct cost_step *s, double layer, double head, double embedding) {
    const double layers = (double)x->job->model.layers, pp = x->job->layout.pp;
    double best = INFINITY;
    for (double last = 0; last <= ceil(layers / pp); last++) {
        const double others = ceil((layers - last) / (pp - 1)), spare = others * (pp - 1) - (layers - last);
        const double first = (spare > 0 ? others - 1 : others) * layer + embedding;
        const double most = fmax(fmax(last * layer + head, first), others * layer);
        if (most >= best) continue;
        best = most, x->layers_most = others;
        s->stage_last = last * layer + head, s->stage_first = first, s->stage_max = most;
    }
}

/* Seconds of the stages. The last stage has the head, so spare layers go to others. With slots, embedding and head each
 * take a layer's place. */
static void stages(struct pricing *x, struct cost_step *s) {
    const struct plan_layout *y = &x->job->layout;
    const double layers = (double)x->job->model.layers, pp = y->pp, layer = s->layer_forward + s->layer_backward;
    const bool slots = x->job->traits.slots;
    const double most = slots ? ceil((layers + 2) / pp) : ceil(layers / pp);
    const double embedding = cost_lookup_s(x->job, &x->rates) + x->all_reduce;
    const double head = cost_head_s(x->job, &x->rates);
    const double further = (double)x->job->model.predicted * (layer + head);
    x->layers_most = most;
    s->stage_sum = layers * layer + embedding + head + further;
    s->stage_first = (slots ? most - 1 : most) * layer + embedding;
    s->stage_last = (slots ? most - 1 : floor(layers / pp)) * layer + head + further;
    s->stage_max = fmax(fmax(s->stage_first, s->stage_last), y->pp > 2 ? most * layer : 0);
    if (x->job->traits.even_stages && y->pp > 1) even_stages(x, s, layer, head + further, embedding);
    if (y->pp == 1) {
        const double all = (slots ? most - 1 : most) * layer + embedding + head + further;
        s->stage_sum = all, s->stage_first = s->stage_last = s->stage_max = all;
    }
    s->head = s->stage_head = head;
    s->stage_table = embedding;
    s->layer_weight = (x->layer.linear.backward + x->layer.experts.backward) / 2;
}

/* Share of 1F1B's bubble that remains with zero-bubble. The weight gradient leaves the critical path and also fills the
 * bubble, so it counts twice (Qi et al. 2024, table 2, ZB-H1). The first micro-batch's has nothing to fill, so with
 * fewer micro-batches than stages it counts for less. */
static double bubble_left(const struct pricing *x, const struct cost_step *s) {
    const double all = s->layer_forward + s->layer_backward;
    const double fills = fmin(1, (s->micro_batches - 1) / (x->job->layout.pp - 1));
    return x->job->layout.schedule == PLAN_ZERO_BUBBLE ? fmax(0, 1 - (1 + fills) * s->layer_weight / all) : 1;
}

/* 1F1B, plain or interleaved: all micro-batches at the slowest stage's pace, plus one through the other stages. */
static void pipeline(const struct pricing *x, struct cost_step *s) {
    const struct cost_job *job = x->job;
    const double m = s->micro_batches, pp = job->layout.pp, chunks = job->layout.vp;
    s->work = m * s->stage_sum / pp;
    if (job->layout.pp == 1) return;
    if (!x->ablation->schedule) {
        s->imbalance = m * (s->stage_max - s->stage_sum / pp);
        s->bubble = (s->stage_sum - s->stage_max) / chunks * bubble_left(x, s);
    }
    s->hop = cost_hop_s(job, &x->links);
    s->p2p = 2 * (m * chunks + pp - 1) * s->hop;
    if (job->traits.framework == COST_MEGATRON_CORE)
        s->p2p =
            2 * (pp - 1) * s->hop + 2 * m * chunks * cost_exposed_s(&x->links, s->hop, s->stage_max / (2 * chunks));
}

struct exchange {
    double reduce, gather;
};

/* Reduction of gradients and all-gather of weights, for parameters that all ranks of a group hold. */
static struct exchange exchange(const struct pricing *x, const struct cost_group *g, double parameters) {
    const struct cost_traits *a = &x->job->traits;
    const int zero = x->job->layout.zero;
    double reduce = cost_collective_s(&x->links, g, COST_SCATTER, parameters * a->grad_bytes, 1);
    double gather = cost_collective_s(&x->links, g, COST_SCATTER, parameters * a->gather_bytes, 1);
    if (zero == 0) reduce *= 2, gather = 0;
    if (zero > 0 && a->local_shard)
        reduce *= 2, gather = parameters * a->weight_bytes * (g->ranks - 1) / g->ranks / x->links.inside;
    return (struct exchange){reduce, gather};
}

/* Experts' gradients are reduced after the others, over the ranks that hold the same experts. */
static void data_parallel(const struct pricing *x, struct cost_step *s) {
    const struct cost_job *job = x->job;
    const struct cost_traits *a = &job->traits;
    const struct cost_group g = cost_group_data(job, &x->links), h = cost_group_expert_data(job, &x->links);
    const double chunks = job->layout.vp, dp = job->layout.dp;
    if (plan_layout_replicas(&job->layout) == 1 || job->layout.zero >= 3 || a->frozen) return;
    struct exchange sum = exchange(x, &g, x->stage_parameters - x->stage_experts);
    if (x->stage_experts > 0) {
        const struct exchange experts = exchange(x, &h, x->stage_experts);
        sum.reduce += experts.reduce, sum.gather += experts.gather;
        s->data_parallel_experts = experts.reduce + experts.gather;
    }
    s->data_parallel = sum.reduce + sum.gather;
    if (a->overlap_dp)
        s->data_parallel = cost_exposed_s(&x->links, sum.reduce, x->layers_most * s->layer_backward / chunks) +
                           cost_exposed_s(&x->links, sum.gather, x->layers_most * s->layer_forward / chunks);
    if (a->framework == COST_INTERNEVO && job->layout.zero > 0 && !a->local_shard) /* a message for each tensor */
        s->data_parallel += TENSORS * (double)job->model.layers * x->links.alpha * (dp - 1);
}

/* First and last stage all-reduce the gradient of the table that they share. */
static void embedding(const struct pricing *x, struct cost_step *s) {
    const struct cost_group ends = {1, 2, x->links.domain, 1};
    if (x->job->layout.pp == 1 || !x->job->traits.tied) return;
    s->embedding =
        cost_collective_s(&x->links, &ends, COST_ALL_REDUCE, x->table_parameters * x->job->traits.grad_bytes, 1);
}

static void optimizer(const struct pricing *x, struct cost_step *s) {
    const struct cost_job *job = x->job;
    const struct plan_layout *y = &job->layout;
    const double same = fmax(1, plan_layout_expert_replicas(y));
    double plain = x->stage_parameters - x->stage_experts, experts = x->stage_experts;
    if (job->traits.frozen) return;
    if (y->zero >= 3) {
        plain = ((double)job->model.layers * (x->layer_parameters - x->layer_experts) + x->table_parameters) / y->dp;
        experts = (double)job->model.layers * x->layer_experts / same;
    } else if (y->zero > 0) {
        const bool local = job->traits.local_shard;
        plain /= local ? cost_group_data(job, &x->links).ranks : y->dp;
        experts /= local ? cost_group_expert_data(job, &x->links).ranks : same;
    }
    s->optimizer = (OPTIMIZER_BYTES * (plain + experts) + (y->zero < 3 ? GRADIENT_BYTES * x->stage_parameters : 0)) /
                   x->rates.memory;
}

static double part_total(const struct cost_part *part) {
    return part->forward + part->backward + part->recompute;
}

/* Splits the work into its terms. */
static void break_down(const struct pricing *x, struct cost_step *s) {
    const double times = s->micro_batches * (double)x->job->model.layers / x->job->layout.pp;
    s->linear = times * part_total(&x->layer.linear);
    s->attention = times * part_total(&x->layer.attention);
    s->passes = times * part_total(&x->layer.passes);
    s->launch = times * (x->layer.launch_forward + x->layer.launch_backward);
    s->experts = times * part_total(&x->layer.experts);
    s->router = times * part_total(&x->layer.router);
    s->tensor_parallel *= times;
    s->all_to_all *= times;
    s->zero3 *= times;
    s->head *= s->micro_batches / x->job->layout.pp;
}

double cost_step_seconds(const struct cost_step *s, enum cost_term term) {
    static const size_t at[COST_TERMS] = {
#define T(name, part) offsetof(struct cost_step, name),
        COST_TERM_LIST(T)
#undef T
    };
    return *(const double *)(const void *)((const char *)s + at[term]);
}

void cost_step(const struct cost_job *job, const struct cost_parameters *p, const struct cost_ablation *ablation,
               struct cost_step *s) {
    struct pricing x = {.job = job, .p = p, .ablation = ablation};
    const double replica = (double)job->layout.dp * (double)job->layout.micro_batch;
    cost_rates_fill(job, p, ablation, &x.rates);
    cost_links_fill(job, p, ablation, &x.links);
    cost_layer_fill(job, p, ablation, &x.rates, &x.layer);
    x.layer_parameters = cost_job_layer_parameters(job);
    x.layer_experts = cost_job_expert_parameters(job);
    x.table_parameters = cost_job_table_parameters(job);
    *s = (struct cost_step){.micro_batches = fmax(1, rint((double)job->batch.global_batch / replica)),
                            .layer_forward = cost_layer_forward(&x.layer),
                            .layer_backward = cost_layer_backward(&x.layer),
                            .iteration = p->value[COST_P_iteration]};
    x.all_reduce = all_reduce(&x, 1);
    tensor_parallel(&x, s);
    context_parallel(&x, s);
    expert_parallel(&x, s);
    zero3(&x, s);
    stages(&x, s);
    x.stage_parameters = x.layers_most * x.layer_parameters + x.table_parameters;
    x.stage_experts = x.layers_most * x.layer_experts;
    pipeline(&x, s);
    data_parallel(&x, s);
    embedding(&x, s);
    optimizer(&x, s);
    break_down(&x, s);
    s->total = s->work;
    for (enum cost_term t = 0; t < COST_TERMS; t++)
        if (cost_term_part(t) == COST_PART_STEP) s->total += cost_step_seconds(s, t);
}
