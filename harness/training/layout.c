/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of a layout as data, and what they resolve to. */
#include "training/layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const struct cli_option training_layout_options[] = {
    {.name = "--mbs", .alias = "--micro-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, micro_batch),
     .min = 1, .max = CLI_SIZE_MOST, .hint = "N",
     .help = "sequences that a rank computes at once; default as many as fit, up to 8,192 tokens, and so few that each "
             "stage of --pp has four times"},
    {.name = "--tp", .alias = "--tensor-model-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, tp),
     .min = 1, .max = 1 << 20, .fallback = "1", .hint = "N",
     .help = "ranks that share a model: they split heads, the MLP's columns and the vocabulary; ranks that no flag "
             "takes are data parallel"},
    {.name = "--sp", .alias = "--sequence-parallel", .kind = CLI_FLAG, .at = offsetof(struct training_layout, sp),
     .help = "tensor parallel ranks also split tokens, where each would compute and keep the same"},
    {.name = "--cp", .alias = "--context-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, cp),
     .min = 1, .max = 1 << 20, .fallback = "1", .hint = "N",
     .help = "ranks that share each sequence: keys and values go round among them (ring attention)"},
    {.name = "--pp", .alias = "--pipeline-model-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, pp),
     .min = 1, .max = 1 << 20, .fallback = "1", .hint = "N",
     .help = "pipeline stages: each has some of the layers, and micro-batches pass them in turn; the default --gbs has "
             "four for each stage"},
    {.name = "--vp", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, vp), .min = 1, .max = MODEL_CHUNKS,
     .fallback = "1", .hint = "N",
     .help = "chunks of layers of a pipeline stage (interleaved, 1f1b): a smaller bubble, more messages"},
    {.name = "--schedule", .kind = CLI_CHOICE, .at = offsetof(struct training_layout, schedule), .word = plan_schedule_word,
     .fallback = "1f1b", .hint = "NAME",
     .help = ": the order of a stage's micro-batches; 1f1b keeps activations of few, gpipe of all; zero-bubble "
             "computes weight gradients where 1f1b would wait"},
    {.name = "--stage-layers", .kind = CLI_TEXT, .at = offsetof(struct training_layout, stage_layers), .hint = "LIST",
     .help = "layers of each stage, in order, as in 5,6,6,5; with --vp of all first chunks, then all second ones; or "
             "slots: embedding and head count as a layer each; default alike, with more in late stages but the last"},
    {.name = "--ep", .alias = "--expert-model-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, ep),
     .min = 1, .max = 1 << 20, .fallback = "1", .hint = "N",
     .help = "of data and context parallel ranks so many share out the experts of each layer, and send each other rows"},
    {.name = "--route", .kind = CLI_TEXT, .at = offsetof(struct training_layout, route), .hint = "R",
     .help = "measured: the router chooses experts, as in training; balanced: all get as many rows; skew=X: one of each "
             "layer gets X times the mean; default measured"},
    {.name = "--zero", .alias = "--zero-stage", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, zero), .min = 0,
     .max = 3, .fallback = "0", .hint = "STAGE",
     .help = "what data and context parallel ranks share out (ZeRO): 1 optimizer state, 2 also gradients, 3 also weights"},
    {.name = "--reproducible", .kind = CLI_INTEGER, .at = offsetof(struct training_layout, reproducible), .min = 0,
     .max = MODEL_LEAVES, .fallback = "0", .hint = "R",
     .help = "sums in a fixed order, so that loss, gradients and weights have the same bits in every layout of up to R data "
             "and R tensor parallel ranks, R being a power of two up to 64; 0: sums follow the layout"},
    {.name = "--recompute", .alias = "--recompute-granularity", .kind = CLI_CHOICE,
     .at = offsetof(struct training_layout, recompute), .word = cli_recompute, .fallback = "none", .hint = "R",
     .help = ": what backward computes again, to save memory; selective: attention, norms and the activation function; "
             "full: all but each layer's input"},
    {.name = NULL},
};
/* clang-format on */

int training_layout_resolve(const struct training_layout *f, int world, struct plan_layout *l, struct base_error *e) {
    *l = plan_layout_data_parallel(1, f->micro_batch);
    l->tp = (int)f->tp, l->sequence_parallel = f->sp, l->zero = (int)f->zero, l->recompute = f->recompute;
    l->cp = (int)f->cp, l->pp = (int)f->pp, l->vp = (int)f->vp, l->schedule = plan_schedule_of(f->schedule);
    l->ep = (int)f->ep, l->reproducible = (int)f->reproducible;
    return plan_grid_fill(l, world, e);
}

int training_layout_stages(const struct training_layout *f, struct plan_request *r, struct base_error *e) {
    return f->stage_layers ? plan_layout_list(&r->layout, f->stage_layers, r->config.layers, e) : BASE_OK;
}

int training_layout_route(const struct training_layout *f, uint64_t seed, struct model_route *route,
                          struct base_error *e) {
    const char *const text = f->route ? f->route : "measured";
    char *end = NULL;
    *route = (struct model_route){.forced = true, .skew = 1, .seed = seed};
    if (!strcmp(text, "balanced")) return BASE_OK;
    if (!strncmp(text, "skew=", 5)) route->skew = strtod(text + 5, &end);
    if (end && end > text + 5 && !*end && route->skew >= 1 && isfinite(route->skew)) return BASE_OK;
    *route = (struct model_route){.seed = seed};
    if (!strcmp(text, "measured")) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--route \"%.40s\": give measured, balanced, or skew=X with X of at least 1, as in skew=2", text);
}

int64_t training_layout_batch(const struct plan_layout *l) {
    const int64_t dp = l->dp, all = l->pp > 1 ? 4 * l->pp * dp : dp;
    return all > 4 ? all : 4 % dp ? dp : 4;
}

void training_layout_micro_batch(struct plan_request *r, int local, double available) {
    if (!r->layout.micro_batch && r->global_batch % r->layout.dp == 0)
        plan_choose_micro_batch(r, r->global_batch / r->layout.dp, local, available);
    if (!r->layout.micro_batch) r->layout.micro_batch = 1; /* the plan says what is wrong with the batch */
}
