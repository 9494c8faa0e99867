/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds a published run's framework and other traits from its words. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fit/published.h"

static bool says(const char *text, const char *what) {
    return strstr(text, what) != NULL;
}

/* The framework of the column, else the first that the row names, else Megatron. */
static enum cost_framework framework_of(const struct fit_words *w) {
    enum cost_framework framework;
    static const struct {
        const char *word;
        bool of_model;
        enum cost_framework framework;
    } rules[] = {
        {"HF Transformers", false, COST_HUGGINGFACE},
        {"JAX", false, COST_XLA},
        {"Pax", true, COST_XLA},
        {"MaxText", true, COST_XLA},
        {"overlap-grad-reduce", false, COST_MEGATRON_CORE},
        {"Megatron-Core", false, COST_MEGATRON_CORE},
        {"NeMo", false, COST_MEGATRON_CORE},
        {"dgxc", false, COST_MEGATRON_CORE},
        {"MLPerf Training", false, COST_MEGATRON_CORE},
        {"Megatron-LM guide", false, COST_MEGATRON_CORE},
        {"Primus", false, COST_MEGATRON_CORE},
        {"FSDP", false, COST_FSDP},
        {"HSDP", false, COST_FSDP},
        {"InternLM", true, COST_INTERNEVO},
        {"torchtitan", false, COST_FSDP},
        {"MaxText", false, COST_XLA},
    };
    if (cost_framework_find(w->framework, &framework)) return framework;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].of_model ? says(w->model, rules[i].word)
                              : says(w->notes, rules[i].word) || says(w->source, rules[i].word))
            return rules[i].framework;
    }
    return COST_MEGATRON;
}

static int check_representable(const struct fit_words *w, struct base_error *e) {
    static const char *const rules[][2] = {
        {"offload=Y", "parameters or optimizer offloaded to the CPU"},
        {"full CPU offload", "parameters or optimizer offloaded to the CPU"},
        {"partition-activations CPU=Y", "activations offloaded to the CPU"},
        {"ALL-IN", "hours of a whole campaign, not a step"},
        {"use with care", "the source doubts its own configuration"},
    };
    static const char *const precisions[] = {"", "bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4", "fp4"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (says(w->notes, rules[i][0])) return base_fail(e, BASE_USAGE, "%s", rules[i][1]);
    for (size_t i = 0; i < sizeof precisions / sizeof *precisions; i++)
        if (!strcmp(w->precision, precisions[i])) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "precision \"%.40s\" is unknown; take bf16, fp16, fp32, fp8, mxfp8, nvfp4, or leave it blank",
                     w->precision);
}

/* JAX runs do not state their remat policy. Assume none while activations fit, at 18 bytes per element of a layer. */
static enum plan_recompute recompute_of(const struct fit_words *w, const struct cost_job *job,
                                        enum cost_framework framework) {
    enum plan_recompute r = PLAN_RECOMPUTE_NONE;
    if (plan_recompute_find(w->recompute, &r) || framework != COST_XLA) return r;
    const double bytes = 18.0 * (double)job->batch.seq * (double)job->layout.micro_batch *
                         (double)(job->model.width * job->model.layers);
    return bytes <= 20e9 ? PLAN_RECOMPUTE_NONE : says(w->model, "Pax") ? PLAN_RECOMPUTE_FULL : PLAN_RECOMPUTE_SELECTIVE;
}

static enum cost_precision precision_of(const struct fit_words *w) {
    if (says(w->precision, "fp4")) return COST_FP4;
    if (!says(w->precision, "fp8")) return COST_16BIT;
    if (!strcmp(w->precision, "mxfp8") || says(w->recipe, "block") || says(w->recipe, "row") || says(w->recipe, "mx"))
        return COST_FP8_BLOCK;
    return COST_FP8;
}

static enum cost_dispatcher dispatcher_of(const struct fit_words *w) {
    return !strcmp(w->dispatcher, "alltoall")   ? COST_DISPATCH_PLAIN
           : !strcmp(w->dispatcher, "deepep")   ? COST_DISPATCH_ONCE
           : !strcmp(w->dispatcher, "hybridep") ? COST_DISPATCH_FUSED
                                                : COST_DISPATCH_UNKNOWN;
}

/* The share of a layer's launches in graphs, by the parts that Megatron-Core lists. */
static double graphs_of(const struct fit_words *w, const struct cost_traits *x) {
    double share = 0;
    if (!*w->graphs) return x->graphs > 0 ? x->graphs : NAN;
    if (!strcmp(w->graphs, "yes")) return 1;
    if (!strcmp(w->graphs, "partial")) return 0.5;
    share += says(w->graphs, "attn") ? 0.4 : 0;
    share += says(w->graphs, "moe_router") ? 0.2 : 0;
    return share + (says(w->graphs, "moe_preprocess") ? 0.2 : 0);
}

int fit_words_traits(const struct fit_words *w, struct cost_job *job, struct base_error *e) {
    const enum cost_framework framework = framework_of(w);
    struct cost_traits *x = &job->traits;
    const char *group = strstr(w->notes, "FSDP=");
    const int code = check_representable(w, e);
    if (code) return code;
    job->layout.recompute = recompute_of(w, job, framework);
    cost_traits_default(job, framework, x);
    const bool old_pax = says(w->model, "Pax") && !says(w->notes, "Transformer Engine");
    x->flash = !strcmp(w->flash, "True") || (x->flash && !old_pax);
    x->blocking = says(w->notes, "CUDA_LAUNCH_BLOCKING=1");
    x->slots = says(w->notes, "pipeline slots") || says(w->notes, "PP split");
    x->fp32 = framework == COST_HUGGINGFACE && (!*w->precision || !strcmp(w->precision, "fp32"));
    x->older_flash = x->older_flash && !says(w->source, "torchtitan");
    x->eager = x->eager && !says(w->notes, "torch.compile");
    x->local_shard =
        says(w->notes, "zero1=8") || says(w->notes, "sharding over 8 GPUs") || says(w->notes, "sharding over 4 GPUs");
    x->overlap_dp = x->overlap_dp && !x->blocking;
    x->weight_bytes = x->fp32 ? 4 : 2;
    x->precision = precision_of(w);
    x->dispatcher = dispatcher_of(w);
    x->graphs = graphs_of(w, x);
    x->capacity = says(w->notes, "tokens dropped") || says(w->notes, "over capacity factor");
    x->overlap_ep = says(w->notes, "all-to-all overlapped");
    x->keeps_attention = says(w->notes, "recompute modules") || says(w->notes, "per-op selective");
    x->even_stages =
        framework == COST_MEGATRON_CORE && job->model.experts > 0 && job->model.layers % job->layout.pp != 0;
    x->frozen = says(w->notes, "base weights frozen");
    x->busiest = !strcmp(w->balanced, "real") ? 1.1 : 1;
    x->gather_bytes = x->precision == COST_16BIT ? x->weight_bytes : 1;
    x->grad_bytes = x->fp32 || says(w->notes, "fp32 grad") || says(w->notes, "mode DEFAULT") ? 4 : 2;
    x->sum_bytes = x->deepspeed && !strcmp(w->precision, "bf16") ? 4 : 0;
    if (group && atof(group + 5) >= 1) x->zero_group = fmin(job->layout.dp, atof(group + 5));
    return BASE_OK;
}
