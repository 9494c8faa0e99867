/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of frameworks and fabrics, and how each framework's software behaves. */
#include "costmodel/job.h"

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
        .tied = deepspeed && !job->model.family->gated,
        .eager = framework == COST_FSDP || framework == COST_INTERNEVO,
        .deepspeed = deepspeed,
        .overlap_dp = !deepspeed,
        .overlap_tp = framework == COST_MEGATRON_CORE && job->layout.sequence_parallel,
        .zero_group = job->layout.dp,
        .weight_bytes = 2,
        .grad_bytes = 2,
    };
}

double cost_job_tokens(const struct cost_job *job) {
    return (double)job->layout.micro_batch * (double)job->batch.seq / job->layout.cp;
}

double cost_job_attention(const struct cost_job *job) {
    return (double)model_config_dim(&job->model, MODEL_ATTENTION) / job->layout.tp;
}

double cost_job_attended(const struct cost_job *job) {
    const double share = (double)job->model.window / (double)job->batch.seq;
    return share > 0 && share < 1 ? share - share * share / 2 : 0.5;
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
        if (matrix) sum += plan_layout_share(&job->layout, &job->model, p);
    }
    return sum;
}

double cost_job_expert_parameters(const struct cost_job *job) {
    return plan_layout_experts(&job->layout, &job->model);
}

double cost_job_experts_held(const struct cost_job *job) {
    return job->model.experts > 0 ? (double)job->model.experts / plan_layout_expert_ranks(&job->layout) : 1;
}

double cost_job_expert_rows(const struct cost_job *job) {
    return cost_job_tokens(job) * (double)job->model.active / cost_job_experts_held(job);
}

double cost_job_routed_rows(const struct cost_job *job) {
    return cost_job_tokens(job) * (double)job->model.active / (job->layout.sequence_parallel ? job->layout.tp : 1);
}

double cost_job_table_parameters(const struct cost_job *job) {
    return (double)job->model.vocab * (double)job->model.width / job->layout.tp;
}
