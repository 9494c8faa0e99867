/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of eras, devices and fabrics, and how each era's software behaves. */
#include "costmodel/job.h"

#include "base/text.h"

static const char *const eras[COST_ERAS] = {
    [COST_MEGATRON] = "megatron", [COST_MEGATRON_CORE] = "megatron-core", [COST_FSDP] = "fsdp",
    [COST_XLA] = "xla",           [COST_HUGGINGFACE] = "huggingface",     [COST_INTERNEVO] = "internevo"};

const char *cost_era_name(enum cost_era era) {
    return eras[era];
}

bool cost_era_find(const char *name, enum cost_era *era) {
    const int i = base_text_find(name, eras, COST_ERAS);
    if (i >= 0) *era = (enum cost_era)i;
    return i >= 0;
}

const char *cost_device_name(enum cost_device device) {
    static const char *const names[] = {"V100", "A100", "H100", "GB200", "other"};
    return names[device];
}

const char *cost_fabric_name(enum cost_fabric fabric) {
    static const char *const names[] = {"InfiniBand", "RoCE", "Omni-Path"};
    return names[fabric];
}

void cost_practice_default(const struct cost_job *job, enum cost_era era, struct cost_practice *practice) {
    const bool deepspeed = era == COST_MEGATRON || era == COST_HUGGINGFACE;
    *practice = (struct cost_practice){
        .era = era,
        .flash = era == COST_MEGATRON_CORE || era == COST_XLA,
        .early_stop = era == COST_FSDP,
        .tied = deepspeed && !job->shape.gated,
        .eager = era == COST_FSDP || era == COST_INTERNEVO,
        .deepspeed = deepspeed,
        .overlap_dp = !deepspeed,
        .overlap_tp = era == COST_MEGATRON_CORE && job->layout.sequence_parallel,
        .zero_group = job->layout.dp,
        .weight_bytes = 2,
        .grad_bytes = 2,
    };
}

double cost_job_tokens(const struct cost_job *job) {
    return (double)job->layout.micro_batch * (double)job->batch.seq / job->layout.cp;
}

double cost_job_head_dim(const struct cost_job *job) {
    const struct cost_shape *s = &job->shape;
    return s->head_dim > 0 ? s->head_dim : s->hidden / s->heads;
}

double cost_job_attention(const struct cost_job *job) {
    return job->shape.heads * cost_job_head_dim(job) / job->layout.tp;
}

double cost_job_attended(const struct cost_job *job) {
    const double share = job->shape.window / (double)job->batch.seq;
    return share > 0 && share < 1 ? share - share * share / 2 : 0.5;
}

double cost_job_qkv(const struct cost_job *job) {
    const struct cost_shape *s = &job->shape;
    return (s->heads + 2 * s->kv_heads) * cost_job_head_dim(job) / job->layout.tp;
}

/* With so many MLPs, and a router of so many rows. */
static double layer(const struct cost_job *job, double mlps, double router) {
    const struct cost_shape *s = &job->shape;
    return s->hidden *
           (cost_job_qkv(job) + cost_job_attention(job) + (2 + s->gated) * s->ffn / job->layout.tp * mlps + router);
}

double cost_job_layer_parameters(const struct cost_job *job) {
    return layer(job, cost_job_experts_held(job), job->shape.experts);
}

double cost_job_layer_active(const struct cost_job *job) {
    return layer(job, job->shape.experts > 0 ? job->shape.active : 1, job->shape.experts / job->layout.tp);
}

double cost_job_layer_whole(const struct cost_job *job) {
    return layer(job, job->shape.experts > 0 ? job->shape.experts : 1, job->shape.experts / job->layout.tp);
}

double cost_job_expert_parameters(const struct cost_job *job) {
    const struct cost_shape *s = &job->shape;
    if (s->experts == 0) return 0;
    return s->hidden * (2 + s->gated) * s->ffn / job->layout.tp * cost_job_experts_held(job);
}

double cost_job_experts_held(const struct cost_job *job) {
    return job->shape.experts > 0 ? job->shape.experts / plan_layout_expert_ranks(&job->layout) : 1;
}

double cost_job_expert_rows(const struct cost_job *job) {
    return cost_job_tokens(job) * job->shape.active / cost_job_experts_held(job);
}

double cost_job_routed_rows(const struct cost_job *job) {
    return cost_job_tokens(job) * job->shape.active / (job->layout.sequence_parallel ? job->layout.tp : 1);
}

double cost_job_table_parameters(const struct cost_job *job) {
    return job->shape.vocab * job->shape.hidden / job->layout.tp;
}
