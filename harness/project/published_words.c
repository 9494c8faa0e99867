/* SPDX-License-Identifier: Apache-2.0
 *
 * What a published run says in words: hardware, framework, and what it did that no number tells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "project/published.h"

static bool says(const char *text, const char *what) {
    return strstr(text, what) != NULL;
}

/* Data sheets; links: achieved by calibration (V100 124e9 of 150e9 bytes/s at 4 GB, A100 229e9 of 300e9 at 1 GiB), else
 * 0.8 (H100) and 0.72 (GB200) of nominal, to which fits are insensitive. `usual` fabric: where none is stated. */
static const struct sheet {
    const char *name;
    enum project_device device;
    double peak, fp32, tf32, memory, units, link, nominal;
    const char *usual;
} sheets[] = {
    {"V100", PROJECT_V100, 125e12, 15.7e12, 0.125, 0.900e12, 80, 124e9, 150e9, "800 Gb/s per node"},
    {"A100", PROJECT_A100, 312e12, 19.5e12, 0.5, 2.039e12, 108, 229e9, 300e9, "HDR"},
    {"H100", PROJECT_H100, 989e12, 67e12, 0.5, 3.350e12, 132, 360e9, 450e9, "NDR"},
    {"GB200", PROJECT_GB200, 2500e12, 80e12, 0.5, 8.000e12, 148, 650e9, 900e9, "NVL72"},
};

/* Fabrics by a word of their description, the first that occurs: bytes/s of a node, accelerators of an NVLink domain
 * (0: a node). */
static const struct fabric {
    const char *word;
    enum project_fabric fabric;
    double node_bytes_per_s, domain;
} fabrics[] = {
    {"Omni-Path", PROJECT_OMNIPATH, 50e9, 0},
    {"HDR", PROJECT_INFINIBAND, 200e9, 0},
    {"800 Gb/s per node", PROJECT_INFINIBAND, 100e9, 0},
    {"RoCE 1600", PROJECT_ROCE, 200e9, 0},
    {"RoCE 100 Gb/s x4", PROJECT_ROCE, 50e9, 0},
    {"NVL72", PROJECT_INFINIBAND, 200e9, 64},
    {"NDR 400 Gb/s x4", PROJECT_INFINIBAND, 200e9, 0},
    {"NDR", PROJECT_INFINIBAND, 400e9, 0},
};

static const struct fabric *fabric_of(const char *interconnect) {
    for (size_t i = 0; i < sizeof fabrics / sizeof *fabrics; i++)
        if (says(interconnect, fabrics[i].word)) return &fabrics[i];
    return NULL;
}

static const struct sheet *sheet_of(const char *accelerator) {
    for (size_t i = 0; i < sizeof sheets / sizeof *sheets; i++)
        if (!strncmp(accelerator, sheets[i].name, strlen(sheets[i].name))) return &sheets[i];
    return NULL;
}

const char *project_words_platform(const struct project_words *w, double node_accelerators,
                                   struct project_platform *platform) {
    const struct sheet *s = sheet_of(w->accelerator);
    if (!s) return "the accelerator's data sheet is not among those fitted";
    const struct fabric *f = fabric_of(w->interconnect);
    if (!f) f = fabric_of(s->usual);
    *platform = (struct project_platform){
        .device = s->device,
        .fabric = f->fabric,
        .peak_flop_per_s = s->peak,
        .fp32_flop_per_s = s->fp32,
        .tf32_share = s->tf32,
        .memory_bytes_per_s = says(w->accelerator, "40GB") ? 1.555e12 : s->memory,
        .units = s->units,
        .link_bytes_per_s = s->link,
        .link_nominal_bytes_per_s = s->nominal,
        .pairwise = f->fabric == PROJECT_OMNIPATH && s->device == PROJECT_V100,
        .node_accelerators = node_accelerators,
        .domain = f->domain > 0 ? f->domain : node_accelerators,
        .node_bytes_per_s = f->node_bytes_per_s,
    };
    return NULL;
}

/* The first framework that the row names; Megatron's is the one that nobody names. */
static enum project_era era_of(const struct project_words *w) {
    static const struct {
        const char *word;
        bool of_model;
        enum project_era era;
    } rules[] = {
        {"HF Transformers", false, PROJECT_HUGGINGFACE},
        {"JAX", false, PROJECT_XLA},
        {"Pax", true, PROJECT_XLA},
        {"MaxText", true, PROJECT_XLA},
        {"overlap-grad-reduce", false, PROJECT_MEGATRON_CORE},
        {"Megatron-Core", false, PROJECT_MEGATRON_CORE},
        {"NeMo", false, PROJECT_MEGATRON_CORE},
        {"dgxc", false, PROJECT_MEGATRON_CORE},
        {"FSDP", false, PROJECT_FSDP},
        {"HSDP", false, PROJECT_FSDP},
        {"InternLM", true, PROJECT_INTERNEVO},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].of_model ? says(w->model, rules[i].word)
                              : says(w->notes, rules[i].word) || says(w->source, rules[i].word))
            return rules[i].era;
    }
    return PROJECT_MEGATRON;
}

static const char *unrepresentable(const char *notes) {
    static const char *const rules[][2] = {
        {"offload=Y", "parameters or optimizer offloaded to the CPU"},
        {"full CPU offload", "parameters or optimizer offloaded to the CPU"},
        {"partition-activations CPU=Y", "activations offloaded to the CPU"},
        {"ALL-IN", "hours of a whole campaign, not a step"},
        {"use with care", "the source doubts its own configuration"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (says(notes, rules[i][0])) return rules[i][1];
    return NULL;
}

/* JAX's remat policies are not stated: none while activations fit, by 18 bytes an element of a layer. */
static enum plan_recompute recompute_of(const struct project_words *w, const struct project_job *job,
                                        enum project_era era) {
    enum plan_recompute r = PLAN_RECOMPUTE_NONE;
    if (plan_recompute_find(w->recompute, &r) || era != PROJECT_XLA) return r;
    const double bytes =
        18.0 * (double)job->batch.seq * (double)job->batch.micro_batch * job->shape.hidden * job->shape.layers;
    return bytes <= 20e9 ? PLAN_RECOMPUTE_NONE : says(w->model, "Pax") ? PLAN_RECOMPUTE_FULL : PLAN_RECOMPUTE_SELECTIVE;
}

const char *project_words_practice(const struct project_words *w, struct project_job *job) {
    const enum project_era era = era_of(w);
    struct project_practice *x = &job->practice;
    const char *why = unrepresentable(w->notes), *group = strstr(w->notes, "FSDP=");
    if (why) return why;
    job->layout.recompute = recompute_of(w, job, era);
    project_practice_default(job, era, x);
    const bool old_pax =
        says(w->model, "Pax") && job->platform.device == PROJECT_A100 && !says(w->notes, "Transformer Engine");
    x->flash = !strcmp(w->flash, "True") || (x->flash && !old_pax);
    x->blocking = says(w->notes, "CUDA_LAUNCH_BLOCKING=1");
    x->slots = says(w->notes, "pipeline slots") || says(w->notes, "PP split");
    x->fp32 = era == PROJECT_HUGGINGFACE && (!*w->precision || !strcmp(w->precision, "fp32"));
    x->eager = x->eager && !says(w->notes, "torch.compile");
    x->local_shard =
        says(w->notes, "zero1=8") || says(w->notes, "sharding over 8 GPUs") || says(w->notes, "sharding over 4 GPUs");
    x->overlap_dp = x->overlap_dp && !x->blocking;
    x->weight_bytes = x->fp32 ? 4 : 2;
    x->grad_bytes = x->fp32 || says(w->notes, "fp32 grad") || says(w->notes, "mode DEFAULT") ? 4 : 2;
    if (group && atof(group + 5) >= 1) x->zero_group = fmin(job->layout.dp, atof(group + 5));
    return NULL;
}
