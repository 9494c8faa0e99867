/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise project` as data. Included by project.c only. */
#ifndef TOISE_CLI_PROJECT_OPTIONS_H
#define TOISE_CLI_PROJECT_OPTIONS_H

#include "cli/cli.h"
#include "costmodel/job.h"
#include "projection/cost.h"

/* Not given: NULL or 0; -1 for zero and for choices. */
struct flags {
    const char *model, *machines, *set, *parameters, *trace; /* machines: "a,b,c"; set: "key=value,..." */
    int precision, framework, attention, recompute, schedule;
    int64_t seq, global_batch, accelerators, micro_batch, tp, pp, cp, ep, vp, zero;
    double tokens, hours, deadline; /* hours: accelerator-hours; deadline: days */
    double grad_bytes, slow_node;
    struct projection_assumptions assumptions;
    bool sp, no_sp, blocking, slots, search, explain, list;
    struct cli_output output;
};

static const enum machine_dtype PRECISIONS[] = {MACHINE_BF16, MACHINE_FP16, MACHINE_TF32, MACHINE_FP32};

static const char *precision(int i) {
    return i < 4 ? machine_dtype_name(PRECISIONS[i]) : NULL;
}

static const char *framework(int i) {
    return i < COST_FRAMEWORKS ? cost_framework_name((enum cost_framework)i) : NULL;
}

static const char *attention(int fused) {
    static const char *const names[] = {"unfused", "fused", NULL};
    return names[fused];
}

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct flags, model), .file = CLI_READ, .hint = "NAME",
     .help = "a preset, or the path of a Hugging Face config.json"},
    {.name = "--machine", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, machines), .file = CLI_READ_LIST,
     .hint = "LIST",
     .help = "a machine of the catalogue (--list), or the path of a machine's or a Calculon system's JSON file; "
             "several are compared: a,b,c"},
    {.name = "--accelerators", .alias = "--ranks", .kind = CLI_INTEGER, .at = offsetof(struct flags, accelerators),
     .min = 1, .max = 1e7, .hint = "N", .help = "accelerators of each machine; default the most in 2^i or 3 x 2^i "
             "nodes"},
    {.name = "--set", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, set), .hint = "KEY=X,...",
     .help = "change facts of the machines: nodes=64, node.rail_bytes_per_s=50e9, facility.pue=1.2"},
    {.name = "--list", .kind = CLI_ALONE, .at = offsetof(struct flags, list), .help = "list the catalogue's machines"},
    {.name = "--precision", .kind = CLI_CHOICE, .at = offsetof(struct flags, precision), .word = precision, .hint = "P",
     .help = "; default the machine's BF16, else its FP16"},
    {.name = "--seq", .alias = "--seq-length", .kind = CLI_INTEGER, .at = offsetof(struct flags, seq), .min = 1,
     .max = CLI_SIZE_MOST, .hint = "N", .help = "tokens of a sequence; default the model's positions, at most 8,192"},
    {.name = "--gbs", .alias = "--global-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, global_batch),
     .min = 1, .max = CLI_SIZE_MOST, .hint = "N", .help = "sequences per step; default 4,194,304 tokens"},
    {.name = "--tp", .alias = "--tensor-model-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, tp),
     .min = 1, .max = 4096, .hint = "N",
     .help = "tensor parallel ranks; layout flags that are not given are searched: the fastest layout that fits"},
    {.name = "--pp", .alias = "--pipeline-model-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, pp),
     .min = 1, .max = 4096, .hint = "N", .help = "pipeline parallel ranks"},
    {.name = "--cp", .alias = "--context-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, cp),
     .min = 1, .max = 4096, .hint = "N", .help = "context parallel ranks"},
    {.name = "--ep", .alias = "--expert-model-parallel-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, ep),
     .min = 1, .max = 4096, .hint = "N",
     .help = "expert parallel ranks, a part of the data parallel ones; default 1, with --search the fastest"},
    {.name = "--vp", .kind = CLI_INTEGER, .at = offsetof(struct flags, vp), .min = 1, .max = 4096, .hint = "N",
     .help = "virtual stages: chunks of layers per pipeline rank (interleaved)"},
    {.name = "--mbs", .alias = "--micro-batch-size", .kind = CLI_INTEGER, .at = offsetof(struct flags, micro_batch),
     .min = 1, .max = 32767, .hint = "N", .help = "sequences computed at once"},
    {.name = "--zero", .kind = CLI_INTEGER, .at = offsetof(struct flags, zero), .min = 0, .max = 3, .hint = "STAGE",
     .help = "ZeRO stage: what data parallel ranks shard"},
    {.name = "--sp", .alias = "--sequence-parallel", .kind = CLI_FLAG, .at = offsetof(struct flags, sp),
     .help = "sequence parallelism"},
    {.name = "--no-sp", .kind = CLI_FLAG, .at = offsetof(struct flags, no_sp), .help = "no sequence parallelism"},
    {.name = "--recompute", .kind = CLI_CHOICE, .at = offsetof(struct flags, recompute), .word = cli_recompute,
     .hint = "MODE", .help = ": which activations are recomputed"},
    {.name = "--schedule", .kind = CLI_CHOICE, .at = offsetof(struct flags, schedule), .word = plan_schedule_word, .hint = "NAME",
     .help = "; default 1f1b, with --search the fastest"},
    {.name = "--framework", .kind = CLI_CHOICE, .at = offsetof(struct flags, framework), .word = framework,
     .fallback = "megatron-core", .hint = "NAME", .help = ": what it overlaps and fuses"},
    {.name = "--attention", .kind = CLI_CHOICE, .at = offsetof(struct flags, attention), .word = attention,
     .hint = "KIND", .help = "; default the framework's"},
    {.name = "--blocking", .kind = CLI_FLAG, .at = offsetof(struct flags, blocking),
     .help = "run with CUDA_LAUNCH_BLOCKING=1, as BLOOM did"},
    {.name = "--slots", .kind = CLI_FLAG, .at = offsetof(struct flags, slots),
     .help = "embedding and head each take the place of a layer in the pipeline"},
    {.name = "--grad-bytes", .kind = CLI_NUMBER, .at = offsetof(struct flags, grad_bytes), .min = 1, .max = 8,
     .hint = "N", .help = "bytes of a gradient in its reduction; default 2"},
    {.name = "--slow-node", .kind = CLI_NUMBER, .at = offsetof(struct flags, slow_node), .min = 1e-3, .max = 100,
     .hint = "X", .help = "show the step when one node takes 1 + X times as long (0.1: slowed by 10%)"},
    {.name = "--search", .kind = CLI_FLAG, .at = offsetof(struct flags, search),
     .help = "list the ten fastest layouts that fit, including zero-bubble schedules"},
    {.name = "--tokens", .kind = CLI_NUMBER, .at = offsetof(struct flags, tokens), .min = 1, .max = 1e18, .hint = "T",
     .help = "cost of training on T tokens: days, hours, energy, goodput"},
    {.name = "--deadline", .kind = CLI_NUMBER, .at = offsetof(struct flags, deadline), .min = 1e-3, .max = 1e6,
     .hint = "DAYS", .help = "with --tokens, the fewest accelerators that finish in time; else the tokens trained in "
             "time"},
    {.name = "--hours", .kind = CLI_NUMBER, .at = offsetof(struct flags, hours), .min = 1, .max = 1e15, .hint = "H",
     .help = "the tokens that H accelerator-hours allow"},
    {.name = "--ramp-batch", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.ramp_batch), .min = 1,
     .max = CLI_SIZE_MOST, .hint = "N", .help = "sequences of the first step; the batch then grows to --gbs"},
    {.name = "--ramp-tokens", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.ramp_tokens), .min = 1,
     .max = 1e18, .hint = "T", .help = "tokens over which the batch grows from --ramp-batch to --gbs"},
    {.name = "--mtbf", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.mtbf_hours), .min = 1, .max = 1e12,
     .hint = "HOURS", .help = "mean time between failures of one accelerator with its share of the rest; default "
             "50,000"},
    {.name = "--restart", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.restart_s), .min = 0, .max = 1e6,
     .hint = "S", .help = "seconds from a failure to the next step; default 1800"},
    {.name = "--straggling", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.straggling), .min = 0,
     .max = 10,
     .hint = "X", .help = "share of a step that stragglers add; default 0.02"},
    {.name = "--checkpoint-every", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.checkpoint_every_s),
     .min = 1,
     .max = 1e9, .hint = "S", .help = "seconds between checkpoints; default the interval that loses the least time"},
    {.name = "--storage", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.checkpoint_bytes_per_s),
     .min = 1e6,
     .max = 1e15, .hint = "B/S", .help = "bandwidth of checkpoint writes, bytes/s; default the site's, else 20e9"},
    {.name = "--wall", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.wall_s), .min = 0, .max = 1e9,
     .hint = "S", .help = "time limit of a job in seconds; 0: none; default the limit of the machine's longest queue"},
    {.name = "--load", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.load), .min = 0.01, .max = 1.5,
     .hint = "X", .help = "mean power of an accelerator relative to its rated power; default 1"},
    {.name = "--eur-per-mwh", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.eur_per_mwh), .min = 0,
     .max = 1e6,
     .hint = "X", .help = "price of electricity; default unknown"},
    {.name = "--eur-per-hour", .kind = CLI_NUMBER, .at = offsetof(struct flags, assumptions.eur_per_hour), .min = 0,
     .max = 1e6, .hint = "X", .help = "price of an accelerator-hour; default unknown"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, parameters), .shared = cli_parameters_option},
    {.name = "--explain", .kind = CLI_FLAG, .at = offsetof(struct flags, explain),
     .help = "show every term with its formula and inputs, and every fact with its source"},
    {.name = "--trace", .kind = CLI_TEXT, .at = offsetof(struct flags, trace), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "write the step as a Chrome trace: the pipeline, or FSDP's layers with their messages"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.needs = "--model", .text = "--model is missing; give a preset, or the path of a config.json"},
    {.needs = "--machine", .text = "--machine is missing; toise project --list lists the catalogue's machines"},
    {.given = "--sp", .excludes = "--no-sp", .text = "contradict each other"},
    {.given = "--ramp-batch", .needs = "--ramp-tokens", .text = "and --ramp-tokens go together; give both or none"},
    {.given = "--ramp-tokens", .needs = "--ramp-batch", .text = "and --ramp-batch go together; give both or none"},
    {.given = "--ramp-batch --mtbf --restart --straggling --checkpoint-every --storage --wall --load --eur-per-mwh "
              "--eur-per-hour",
     .needs = "--tokens --hours --deadline",
     .text = "applies to a whole training; give also --tokens, --hours or --deadline"},
    {.given = "--tokens", .excludes = "--hours", .text = "ask opposite questions"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "project",
    .options = OPTIONS,
    .rules = RULES,
    .usage =
        "toise project --model NAME --machine LIST [flags]\n\nHow fast does a machine train a model, in which "
        "layout, and what does a whole training cost? Prices a step from the\nmodel's operations, the machine's facts "
        "and parameters fitted on published runs. A projection labelled interpolated has\na 90% interval; toise "
        "validate shows how often it held.",
    .notes = "Exit codes: 0 it fits, 1 it does not fit or misses the deadline, 2 bad input.\n",
};

#endif
