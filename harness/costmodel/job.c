/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of frameworks and fabrics, and how each framework's software behaves. */
#include "costmodel/job.h"

#include <math.h>

#include "base/text.h"

static const char *const frameworks[COST_FRAMEWORKS] = {
    [COST_MEGATRON] = "megatron", [COST_MEGATRON_CORE] = "megatron-core", [COST_FSDP] = "fsdp",
    [COST_XLA] = "xla",           [COST_HUGGINGFACE] = "huggingface",     [COST_INTERNEVO] = "internevo"};

const char *cost_framework_name(enum cost_framework framework) {
    return frameworks[framework];
}

bool cost_framework_find(const char *name, enum cost_framework *framework) {
    const int i = base_text_find(name, frameworks, COST_FRAMEWORKS);
    if (i >= 0) *framework = (enum cost_framework)i;
    return i >= 0;
}

enum cost_kind cost_job_kind(const struct cost_job *job) {
    const bool routed = job->model.experts > 0;
    if (job->traits.precision == COST_FP4) return COST_4;
    if (job->traits.precision == COST_16BIT) return routed ? COST_EXPERTS_16 : COST_DENSE_16;
    return routed ? COST_EXPERTS_8 : COST_DENSE_8;
}

const char *cost_kind_name(enum cost_kind kind) {
    static const char *const names[COST_KINDS] = {[COST_DENSE_16] = "dense-bf16",
                                                  [COST_EXPERTS_16] = "moe-bf16",
                                                  [COST_DENSE_8] = "dense-fp8",
                                                  [COST_EXPERTS_8] = "moe-fp8",
                                                  [COST_4] = "fp4"};
    return names[kind];
}

const char *cost_fabric_name(enum cost_fabric fabric) {
    static const char *const names[] = {"InfiniBand", "RoCE", "Omni-Path"};
    return names[fabric];
}

void cost_traits_default(const struct cost_job *job, enum cost_framework framework, struct cost_traits *traits) {
    const bool deepspeed = framework == COST_MEGATRON || framework == COST_HUGGINGFACE;
    *traits = (struct cost_traits){
        .framework = framework,
        .flash = framework == COST_MEGATRON_CORE || framework == COST_XLA,
        .early_stop = framework == COST_FSDP,
        .older_flash = framework == COST_FSDP,
        .tied = deepspeed && !job->model.family->gated,
        .eager = framework == COST_FSDP || framework == COST_INTERNEVO,
        .deepspeed = deepspeed,
        .overlap_dp = !deepspeed,
        .overlap_tp = framework == COST_MEGATRON_CORE && job->layout.sequence_parallel,
        .zero_group = job->layout.dp,
        .graphs = framework == COST_XLA ? 1 : 0,
        .busiest = 1,
        .weight_bytes = 2,
        .gather_bytes = 2,
        .grad_bytes = 2,
    };
}

double cost_job_peak(const struct cost_job *job) {
    const struct cost_platform *x = &job->platform;
    switch (job->traits.precision) {
    case COST_FP8:
    case COST_FP8_BLOCK:
        return x->peak_fp8_flop_per_s;
    case COST_FP4:
        return x->peak_fp4_flop_per_s;
    default:
        return x->peak_flop_per_s;
    }
}

double cost_job_tokens(const struct cost_job *job) {
    return (double)job->layout.micro_batch * (double)job->batch.seq / job->layout.cp;
}

double cost_job_attention(const struct cost_job *job) {
    return (double)model_config_dim(&job->model, MODEL_ATTENTION) / job->layout.tp;
}

double cost_job_attended(const struct cost_job *job) {
    const double share = (double)job->model.window / (double)job->batch.seq,
                 every = fmax(1, (double)job->model.window_every);
    const double windowed = share > 0 && share < 1 ? share - share * share / 2 : 0.5;
    return windowed / every + 0.5 * (1 - 1 / every);
}

double cost_job_qkv(const struct cost_job *job) {
    return (double)model_config_dim(&job->model, MODEL_QKV) / job->layout.tp;
}

/* Only of matrices: gains and biases are about 0.01%. */
double cost_job_layer_parameters(const struct cost_job *job) {
    const struct model_family *f = job->model.family;
    double sum = 0;
    for (int i = 0; i < f->parameter_count; i++) {
        const struct model_parameter *p = &f->parameters[i];
        const bool matrix = p->role >= MODEL_NORM1_GAIN && p->role < MODEL_FINAL_GAIN && p->rows != MODEL_ONE;
        if (matrix)
            sum += plan_layout_share(&job->layout, &job->model, p) * (double)model_config_layers(&job->model, p);
    }
    return sum / (double)job->model.layers;
}

double cost_job_expert_parameters(const struct cost_job *job) {
    const struct model_config *c = &job->model;
    return plan_layout_experts(&job->layout, c) * (double)(c->layers - c->dense_layers) / (double)c->layers;
}

enum cost_dispatcher cost_job_dispatcher(const struct cost_job *job) {
    const struct cost_platform *x = &job->platform;
    if (job->traits.dispatcher != COST_DISPATCH_UNKNOWN) return job->traits.dispatcher;
    if (x->domain >= 4 * x->node_accelerators) return COST_DISPATCH_FUSED;
    return job->layout.ep > x->domain ? COST_DISPATCH_ONCE : COST_DISPATCH_PLAIN;
}

double cost_job_experts_held(const struct cost_job *job) {
    return job->model.experts > 0 ? (double)job->model.experts / plan_layout_expert_ranks(&job->layout) : 1;
}

double cost_job_expert_rows(const struct cost_job *job) {
    const struct plan_layout *l = &job->layout;
    return cost_job_tokens(job) * (double)job->model.active * plan_layout_expert_slices(l) / l->tp /
           cost_job_experts_held(job);
}

double cost_job_routed_tokens(const struct cost_job *job) {
    return cost_job_tokens(job) / (job->layout.sequence_parallel ? job->layout.tp : 1);
}

double cost_job_table_parameters(const struct cost_job *job) {
    return (double)job->model.vocab * (double)job->model.width / job->layout.tp;
}
