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
