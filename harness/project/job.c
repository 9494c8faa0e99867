/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of eras, devices and fabrics, and how each era's software behaves. */
#include "project/job.h"

#include "base/text.h"

static const char *const eras[PROJECT_ERAS] = {
    [PROJECT_MEGATRON] = "megatron", [PROJECT_MEGATRON_CORE] = "megatron-core", [PROJECT_FSDP] = "fsdp",
    [PROJECT_XLA] = "xla",           [PROJECT_HUGGINGFACE] = "huggingface",     [PROJECT_INTERNEVO] = "internevo"};

const char *project_era_name(enum project_era era) {
    return eras[era];
}

bool project_era_find(const char *name, enum project_era *era) {
    const int i = base_text_find(name, eras, PROJECT_ERAS);
    if (i >= 0) *era = (enum project_era)i;
    return i >= 0;
}

const char *project_device_name(enum project_device device) {
    static const char *const names[] = {"V100", "A100", "H100", "GB200", "other"};
    return names[device];
}

const char *project_fabric_name(enum project_fabric fabric) {
    static const char *const names[] = {"InfiniBand", "RoCE", "Omni-Path"};
    return names[fabric];
}

void project_practice_default(const struct project_job *job, enum project_era era, struct project_practice *practice) {
    const bool deepspeed = era == PROJECT_MEGATRON || era == PROJECT_HUGGINGFACE;
    *practice = (struct project_practice){
        .era = era,
        .flash = era == PROJECT_MEGATRON_CORE || era == PROJECT_XLA,
        .early_stop = era == PROJECT_FSDP,
        .tied = deepspeed && !job->shape.gated,
        .eager = era == PROJECT_FSDP || era == PROJECT_INTERNEVO,
        .deepspeed = deepspeed,
        .overlap_dp = !deepspeed,
        .overlap_tp = era == PROJECT_MEGATRON_CORE && job->layout.sequence_parallel,
        .zero_group = job->layout.dp,
        .weight_bytes = 2,
        .grad_bytes = 2,
    };
}

double project_job_tokens(const struct project_job *job) {
    return (double)job->batch.micro_batch * (double)job->batch.seq / job->layout.cp;
}

double project_job_head_dim(const struct project_job *job) {
    const struct project_shape *s = &job->shape;
    return s->head_dim > 0 ? s->head_dim : s->hidden / s->heads;
}

double project_job_attention(const struct project_job *job) {
    return job->shape.heads * project_job_head_dim(job) / job->layout.tp;
}

double project_job_attended(const struct project_job *job) {
    const double share = job->shape.window / (double)job->batch.seq;
    return share > 0 && share < 1 ? share - share * share / 2 : 0.5;
}

double project_job_qkv(const struct project_job *job) {
    const struct project_shape *s = &job->shape;
    return (s->heads + 2 * s->kv_heads) * project_job_head_dim(job) / job->layout.tp;
}

/* With so many MLPs, and a router of so many rows. */
static double layer(const struct project_job *job, double mlps, double router) {
    const struct project_shape *s = &job->shape;
    return s->hidden * (project_job_qkv(job) + project_job_attention(job) +
                        (2 + s->gated) * s->ffn / job->layout.tp * mlps + router);
}

double project_job_layer_parameters(const struct project_job *job) {
    return layer(job, project_job_experts_held(job), job->shape.experts);
}

double project_job_layer_active(const struct project_job *job) {
    return layer(job, job->shape.experts > 0 ? job->shape.active : 1, job->shape.experts / job->layout.tp);
}

double project_job_layer_whole(const struct project_job *job) {
    return layer(job, job->shape.experts > 0 ? job->shape.experts : 1, job->shape.experts / job->layout.tp);
}

double project_job_expert_parameters(const struct project_job *job) {
    const struct project_shape *s = &job->shape;
    if (s->experts == 0) return 0;
    return s->hidden * (2 + s->gated) * s->ffn / job->layout.tp * project_job_experts_held(job);
}

double project_job_experts_held(const struct project_job *job) {
    return job->shape.experts > 0 ? job->shape.experts / plan_layout_expert_ranks(&job->layout) : 1;
}

double project_job_expert_rows(const struct project_job *job) {
    return project_job_tokens(job) * job->shape.active / project_job_experts_held(job);
}

double project_job_routed_rows(const struct project_job *job) {
    return project_job_tokens(job) * job->shape.active / (job->layout.sequence_parallel ? job->layout.tp : 1);
}

double project_job_table_parameters(const struct project_job *job) {
    return job->shape.vocab * job->shape.hidden / job->layout.tp;
}
