/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of each tensor, pipeline rank by pipeline rank. */
#include "costmodel/memory.h"

#include <math.h>

/* Elements a token that one layer keeps on every tensor parallel rank: inputs of norms, attention and MLP. */
static double replicated(const struct model_config *c) {
    return 4.0 * (double)c->width;
}
/* The same of what tensor parallel ranks shard. */
static double sharded(const struct model_config *c) {
    const double qkv = (double)model_config_dim(c, MODEL_QKV), att = (double)model_config_dim(c, MODEL_ATTENTION);
    return qkv + att +
           (double)(model_config_mlps(c) + c->shared) * ((double)model_config_dim(c, MODEL_FFN_UP) + (double)c->ffn);
}
/* The same for routing. `spread`: tensor parallel ranks with sequence parallelism, else 1. */
static double routed(const struct model_config *c, double spread) {
    const double rows = (double)c->active * (double)c->width;
    return rows + rows / spread + (double)c->experts / spread;
}

double cost_memory_layer(const struct model_config *c, const struct plan_layout *l, const struct plan_batch *b,
                         const struct cost_numerics *n) {
    const double tokens = (double)(l->micro_batch * b->seq) / l->cp, tp = l->tp, spread = l->sequence_parallel ? tp : 1;
    const double scores = (double)c->heads * (double)b->seq;
    double bytes = replicated(c) / spread * n->activation_bytes + sharded(c) / tp * n->activation_bytes;
    bytes += routed(c, spread) * n->activation_bytes;
    if (l->recompute == PLAN_RECOMPUTE_FULL) return tokens * (double)c->width * n->activation_bytes;
    if (n->dropout) bytes += 2 * (double)c->width / spread;
    if (n->fused_attention)
        bytes += 4 * (double)c->heads / tp; /* log-sum-exp */
    else if (l->recompute == PLAN_RECOMPUTE_NONE)
        bytes += scores / tp * (n->dropout ? 2 * n->activation_bytes + 1 : n->activation_bytes);
    return tokens * bytes;
}

static double device_layers(const struct model_config *c, const struct plan_layout *l, int device) {
    int64_t layers = 0;
    for (int chunk = 0; chunk < l->vp; chunk++) layers += plan_layout_layers(l, c->layers, chunk * l->pp + device);
    return (double)layers;
}

double cost_memory_parameters(const struct model_config *c, const struct plan_layout *l, int device) {
    const double layers = device_layers(c, l, device);
    double sum = 0;
    for (int i = 0; i < c->family->parameter_count; i++) {
        const struct model_parameter *p = &c->family->parameters[i];
        const double size = plan_layout_share(l, c, p);
        const bool table = p->role == MODEL_TOKEN_TABLE;
        if (p->role == MODEL_HEAD_WEIGHT && c->tied) continue;
        if (p->role < MODEL_NORM1_GAIN)
            sum += device == 0 || (table && c->tied && device == l->pp - 1) ? size : 0;
        else if (p->role >= MODEL_FINAL_GAIN)
            sum += device == l->pp - 1 ? size : 0;
        else
            sum += layers * size * (double)model_config_layers(c, p) / (double)c->layers;
    }
    return sum;
}

double cost_memory_experts(const struct model_config *c, const struct plan_layout *l, int device) {
    return device_layers(c, l, device) * plan_layout_experts(l, c) * (double)(c->layers - c->dense_layers) /
           (double)c->layers;
}

/* Parameters of a pipeline rank, and the numbers of ranks among which ZeRO shards them. */
struct parameter_shards {
    double plain, experts, plain_ranks, expert_ranks;
};

/* Bytes of the parameters at `bytes` each, sharded by ZeRO or not. */
static double bytes_of(const struct parameter_shards *h, double bytes, bool shard) {
    return h->plain * bytes / (shard ? h->plain_ranks : 1) + h->experts * bytes / (shard ? h->expert_ranks : 1);
}

/* Logits in FP32 of one micro-batch: the last stage holds those of one at a time. */
static double logits(const struct model_config *c, const struct plan_layout *l, const struct plan_batch *b) {
    return 4.0 * (double)(l->micro_batch * b->seq) / l->cp * (double)c->vocab / l->tp;
}

static struct cost_memory device_memory(const struct model_config *c, const struct plan_layout *l,
                                        const struct plan_batch *b, const struct cost_numerics *n, int device) {
    const double parameters = cost_memory_parameters(c, l, device), share = (double)l->dp * l->cp;
    const double experts = cost_memory_experts(c, l, device);
    const struct parameter_shards shards = {parameters - experts, experts, share,
                                            fmax(1, plan_layout_expert_replicas(l))};
    struct cost_memory m = {.framework = n->framework_bytes, .device = device};
    struct plan_pipeline pipeline;
    plan_layout_pipeline(l, b, &pipeline);
    m.weights = bytes_of(&shards, n->weight_bytes, l->zero >= 3);
    if (l->zero >= 3) /* two gathered layers: the current one and the next */
        m.weights += 2 * n->weight_bytes * parameters / device_layers(c, l, device);
    m.gradients = bytes_of(&shards, n->gradient_bytes, l->zero >= 2);
    m.optimizer = bytes_of(&shards, n->optimizer_bytes, l->zero >= 1);
    m.activations = (double)plan_pipeline_in_flight(&pipeline, device) * device_layers(c, l, device) / l->vp *
                    cost_memory_layer(c, l, b, n);
    if (l->recompute == PLAN_RECOMPUTE_FULL) { /* plus the layer being recomputed */
        struct plan_layout kept = *l;
        kept.recompute = PLAN_RECOMPUTE_NONE;
        m.activations += cost_memory_layer(c, &kept, b, n);
    }
    if (device == l->pp - 1) m.logits = logits(c, l, b) * 2;
    m.total = m.weights + m.gradients + m.optimizer + m.activations + m.logits;
    return m;
}

struct cost_memory cost_memory(const struct model_config *c, const struct plan_layout *l, const struct plan_batch *b,
                               const struct cost_numerics *n) {
    struct cost_memory most = device_memory(c, l, b, n, 0);
    for (int device = 1; device < l->pp; device++) {
        const struct cost_memory m = device_memory(c, l, b, n, device);
        if (m.total > most.total) most = m;
    }
    return most;
}

double cost_memory_needed(const struct cost_memory *m) {
    return 1.05 * m->total + m->framework;
}
