/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `toise project`'s flags, and the question they make. */
#define _GNU_SOURCE
#include "cli/project_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/options.h"
#include "cli/paths.h"

enum { ROWS = 48 };
static const double MOST = 1 << 24;

static struct cli_project_flags defaults(void) {
    struct cli_project_flags f = {.zero = PLAN_FREE, .framework = "megatron-core"};
    projection_terms_default(&f.terms);
    return f;
}

static int table(struct cli_project_flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"--model", NULL, CLI_TEXT, &f->model, 0, 0, "NAME", "a preset, or the path of a Hugging Face config.json",
         NULL},
        {"--machine", NULL, CLI_TEXT, &f->machines, 0, 0, "LIST",
         "of the catalogue (--list), the path of such a file or of one of Calculon's systems; several side by side: "
         "a,b,c",
         NULL},
        {"--accelerators", "--ranks", CLI_INTEGER, &f->accelerators, 1, 1e7, "N",
         "of each machine; default as many as 2^i or 3 x 2^i nodes have", NULL},
        {"--set", NULL, CLI_TEXT, &f->set, 0, 0, "KEY=X,...",
         "facts of the machines otherwise: nodes=64, node.rail_bytes_per_s=50e9, facility.pue=1.2", NULL},
        {"--list", NULL, CLI_FLAG, &f->list, 0, 0, NULL, "the machines of the catalogue", NULL},
        {"--precision", NULL, CLI_TEXT, &f->precision, 0, 0, "P",
         "bf16, fp16, tf32 or fp32; default the machine's BF16, else its FP16", NULL},
        {"--seq", "--seq-length", CLI_INTEGER, &f->seq, 1, MOST, "N",
         "tokens of a sequence; default the model's positions, 8,192 at most", NULL},
        {"--gbs", "--global-batch-size", CLI_INTEGER, &f->global_batch, 1, MOST, "N",
         "sequences of a step; default 4,194,304 tokens", NULL},
        {"--tp", "--tensor-model-parallel-size", CLI_INTEGER, &f->tp, 1, 4096, "N",
         "tensor parallel ranks. Of a layout, what is not given is searched for the fastest that fits", NULL},
        {"--pp", "--pipeline-model-parallel-size", CLI_INTEGER, &f->pp, 1, 4096, "N", "pipeline parallel ranks", NULL},
        {"--cp", "--context-parallel-size", CLI_INTEGER, &f->cp, 1, 4096, "N", "context parallel ranks", NULL},
        {"--ep", "--expert-model-parallel-size", CLI_INTEGER, &f->ep, 1, 4096, "N",
         "expert parallel ranks, of the data parallel ones; default 1, and with --search what is fastest", NULL},
        {"--vp", NULL, CLI_INTEGER, &f->vp, 1, 4096, "N", "chunks of layers of a pipeline rank (interleaved)", NULL},
        {"--mbs", "--micro-batch-size", CLI_INTEGER, &f->micro_batch, 1, 32767, "N", "sequences computed at once",
         NULL},
        {"--zero", NULL, CLI_INTEGER, &f->zero, 0, 3, "STAGE", "what data parallel ranks share out", NULL},
        {"--sp", "--sequence-parallel", CLI_FLAG, &f->sp, 0, 0, NULL, "sequence parallelism", NULL},
        {"--no-sp", NULL, CLI_FLAG, &f->no_sp, 0, 0, NULL, "none", NULL},
        {"--recompute", NULL, CLI_TEXT, &f->recompute, 0, 0, "MODE", "none, selective or full", NULL},
        {"--schedule", NULL, CLI_TEXT, &f->schedule, 0, 0, "NAME", "gpipe, 1f1b (default) or zero-bubble", NULL},
        {"--framework", NULL, CLI_TEXT, &f->framework, 0, 0, "NAME",
         "megatron, megatron-core (default), fsdp, xla, huggingface or internevo: how it overlaps and fuses", NULL},
        {"--attention", NULL, CLI_TEXT, &f->attention, 0, 0, "KIND",
         "fused or unfused; default as the framework has it", NULL},
        {"--blocking", NULL, CLI_FLAG, &f->blocking, 0, 0, NULL, "CUDA_LAUNCH_BLOCKING=1, as BLOOM ran", NULL},
        {"--slots", NULL, CLI_FLAG, &f->slots, 0, 0, NULL,
         "embedding and head take a layer's place each in the pipeline", NULL},
        {"--grad-bytes", NULL, CLI_NUMBER, &f->grad_bytes, 1, 8, "N", "of a reduced gradient; default 2", NULL},
        {"--slow-node", NULL, CLI_NUMBER, &f->slow_node, 1e-3, 100, "X",
         "one node takes 1 + X times as long: what becomes of the step (0.1: a tenth slower)", NULL},
        {"--search", NULL, CLI_FLAG, &f->search, 0, 0, NULL,
         "list the ten fastest layouts that fit, zero-bubble's among them", NULL},
        {"--tokens", NULL, CLI_NUMBER, &f->tokens, 1, 1e18, "T", "train so many: days, hours, energy, goodput", NULL},
        {"--deadline", NULL, CLI_NUMBER, &f->deadline, 1e-3, 1e6, "DAYS",
         "with --tokens, the fewest accelerators that meet it; else the tokens that it allows", NULL},
        {"--hours", NULL, CLI_NUMBER, &f->hours, 1, 1e15, "H", "the tokens that so many accelerator-hours allow", NULL},
        {"--ramp-batch", NULL, CLI_NUMBER, &f->terms.ramp_batch, 1, MOST, "N", "sequences of the first step...", NULL},
        {"--ramp-tokens", NULL, CLI_NUMBER, &f->terms.ramp_tokens, 1, 1e18, "T", "...which grow to --gbs over so many",
         NULL},
        {"--mtbf", NULL, CLI_NUMBER, &f->terms.mtbf_hours, 1, 1e12, "HOURS",
         "of an accelerator and its share of all else between failures; default 50,000", NULL},
        {"--restart", NULL, CLI_NUMBER, &f->terms.restart_s, 0, 1e6, "S",
         "from a failure to the next step; default 1800", NULL},
        {"--straggling", NULL, CLI_NUMBER, &f->terms.straggling, 0, 10, "X",
         "share of a step that slow nodes add; default 0.02", NULL},
        {"--checkpoint-every", NULL, CLI_NUMBER, &f->terms.checkpoint_every_s, 1, 1e9, "S",
         "default the interval that loses least", NULL},
        {"--storage", NULL, CLI_NUMBER, &f->terms.checkpoint_bytes_per_s, 1e6, 1e15, "B/S",
         "bytes/s that a checkpoint is written at; default the site's, else 20e9", NULL},
        {"--wall", NULL, CLI_NUMBER, &f->terms.wall_s, 0, 1e9, "S",
         "limit of one job; 0 none; default the machine's longest queue", NULL},
        {"--load", NULL, CLI_NUMBER, &f->terms.load, 0.01, 1.5, "X",
         "mean draw of an accelerator over its rated power; default 1", NULL},
        {"--eur-per-mwh", NULL, CLI_NUMBER, &f->terms.eur_per_mwh, 0, 1e6, "X", "price of electricity; default unknown",
         NULL},
        {"--eur-per-hour", NULL, CLI_NUMBER, &f->terms.eur_per_hour, 0, 1e6, "X",
         "price of an accelerator; default unknown", NULL},
        {"--parameters", NULL, CLI_TEXT, &f->parameters, 0, 0, "FILE",
         "fitted by toise validate --fit; default the catalogue's", NULL},
        {"--explain", NULL, CLI_FLAG, &f->explain, 0, 0, NULL,
         "every term with formula and inputs, every fact with source", NULL},
        {"--trace", NULL, CLI_TEXT, &f->trace, 0, 0, "FILE",
         "the step as a Chrome trace: the pipeline, or FSDP's layers with their messages", NULL},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the records on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the records to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
    };
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    memcpy(rows, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

/* No file that is read may be written, each machine's among them. */
static int check_files(const struct cli_project_flags *f, struct base_error *e) {
    struct cli_path files[] = {{"--trace", f->trace, true},
                               {"--out", f->out, true},
                               {"--model", f->model, false},
                               {"--parameters", f->parameters, false},
                               {"--machine", NULL, false}};
    char *list = strdup(f->machines), *rest = list;
    int code = list ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory");
    while (!code && (files[4].path = strsep(&rest, ",")))
        code = cli_paths_apart(files, sizeof files / sizeof *files, e);
    free(list);
    return code;
}

static int check(const struct cli_project_flags *f, struct base_error *e) {
    if (f->help || f->list) return BASE_OK;
    if (!f->model) return base_fail(e, BASE_USAGE, "--model is missing: a preset, or the path of a config.json");
    if (!f->machines) return base_fail(e, BASE_USAGE, "--machine is missing; --list lists the catalogue's");
    if (f->sp && f->no_sp) return base_fail(e, BASE_USAGE, "--sp and --no-sp contradict each other; leave out one");
    if ((f->terms.ramp_batch > 0) != (f->terms.ramp_tokens > 0))
        return base_fail(e, BASE_USAGE, "--ramp-batch and --ramp-tokens go together; give both or none");
    if (f->terms.ramp_tokens > 0 && f->tokens > 0 && f->terms.ramp_tokens > f->tokens)
        return base_fail(e, BASE_USAGE, "--ramp-tokens %g are more than --tokens %g; take fewer", f->terms.ramp_tokens,
                         f->tokens);
    if (f->trace && strchr(f->machines, ','))
        return base_fail(e, BASE_USAGE, "--trace %s is one machine's; leave one in --machine", f->trace);
    const int code = check_files(f, e);
    if (code) return code;
    struct projection_terms usual;
    projection_terms_default(&usual);
    if (f->tokens == 0 && f->hours == 0 && f->deadline == 0 && memcmp(&usual, &f->terms, sizeof usual) != 0)
        return base_fail(e, BASE_USAGE,
                         "flags of a whole training (--mtbf, --restart, --ramp-batch, --eur-per-mwh, ...) without one; "
                         "give --tokens, --hours or --deadline");
    if (f->tokens > 0 && f->hours > 0)
        return base_fail(e, BASE_USAGE, "--tokens and --hours answer opposite questions; leave out one");
    if (f->tokens > 0 && f->deadline > 0 && f->accelerators > 0)
        return base_fail(e, BASE_USAGE,
                         "--tokens with --deadline asks how many accelerators; leave out --accelerators");
    return BASE_OK;
}

int cli_project_flags_parse(struct cli_project_flags *flags, int argc, char *const *argv, struct base_error *e) {
    struct cli_option rows[ROWS];
    *flags = defaults();
    int code = cli_options_parse(rows, table(flags, rows), argc, argv, "project", e);
    return code ? code : check(flags, e);
}

void cli_project_flags_help(FILE *out) {
    struct cli_project_flags flags = defaults();
    struct cli_option rows[ROWS];
    fputs("usage: toise project --model NAME --machine LIST [flags]\n\nHow fast does a machine train a model, in which "
          "layout, and what does a whole training cost? Prices a step from the\nmodel's operations and the machine's "
          "facts by parameters fitted on published runs, with an interval that holds\nnine times in ten where it is "
          "labelled interpolated (toise validate shows how often it held).\n\n",
          out);
    cli_options_help(out, rows, table(&flags, rows));
    fputs("\nExit codes: 0 it fits, 1 it does not, or a deadline is not met, 2 bad input.\n", out);
}

/* Which of `names` a flag's word is, or *index is left alone where it was not given. */
static int word(const char *flag, const char *given, const char *const *names, int count, int *index,
                struct base_error *e) {
    char known[256] = "";
    if (!given) return BASE_OK;
    *index = base_text_find(given, names, count);
    if (*index >= 0) return BASE_OK;
    for (int i = 0; i < count; i++) base_text_append(known, sizeof known, names[i]);
    return base_fail(e, BASE_USAGE, "%s: unknown \"%s\"; known: %s", flag, given, known);
}

static int words(const struct cli_project_flags *f, struct projection_question *q, struct base_error *e) {
    static const char *const precisions[] = {"bf16", "fp16", "tf32", "fp32"}, *const kinds[] = {"unfused", "fused"};
    static const enum machine_dtype dtypes[] = {MACHINE_BF16, MACHINE_FP16, MACHINE_TF32, MACHINE_FP32};
    const char *eras[COST_ERAS], *recomputes[PLAN_RECOMPUTES], *schedules[PLAN_SCHEDULES];
    int precision = -1, era = 0;
    for (int i = 0; i < COST_ERAS; i++) eras[i] = cost_era_name((enum cost_era)i);
    for (int i = 0; i < PLAN_RECOMPUTES; i++) recomputes[i] = plan_recompute_name((enum plan_recompute)i);
    for (int i = 0; i < PLAN_SCHEDULES; i++) schedules[i] = plan_schedule_name((enum plan_schedule)i);
    int code = word("--precision", f->precision, precisions, 4, &precision, e);
    if (!code) code = word("--framework", f->framework, eras, COST_ERAS, &era, e);
    if (!code) code = word("--attention", f->attention, kinds, 2, &q->fused, e);
    if (!code) code = word("--recompute", f->recompute, recomputes, PLAN_RECOMPUTES, &q->choice.recompute, e);
    if (!code) code = word("--schedule", f->schedule, schedules, PLAN_SCHEDULES, &q->choice.schedule, e);
    if (!code && precision >= 0) q->dtype = dtypes[precision];
    if (!code) q->era = (enum cost_era)era;
    return code;
}

static int given(int64_t x) {
    return x > 0 ? (int)x : PLAN_FREE;
}

int cli_project_question(const struct cli_project_flags *f, const struct model_config *config,
                         struct projection_question *q, struct base_error *e) {
    projection_question_default(config, q);
    int code = f->seq > 0 ? projection_question_sequence(q, f->seq, e) : BASE_OK;
    if (code) return code;
    if (f->global_batch > 0) q->global_batch = f->global_batch;
    if (f->terms.ramp_batch > (double)q->global_batch)
        return base_fail(e, BASE_USAGE, "--ramp-batch %g is above the batch of %lld; take less", f->terms.ramp_batch,
                         (long long)q->global_batch);
    q->accelerators = (double)f->accelerators;
    q->blocking = f->blocking, q->slots = f->slots, q->grad_bytes = f->grad_bytes;
    q->choice = (struct plan_layout){
        .tp = given(f->tp),
        .pp = given(f->pp),
        .cp = given(f->cp),
        .vp = given(f->vp),
        .ep = f->ep > 0   ? (int)f->ep
              : f->search ? PLAN_FREE
                          : 1,
        .zero = (int)f->zero,
        .sequence_parallel = f->sp      ? 1
                             : f->no_sp ? 0
                                        : PLAN_FREE,
        .recompute = PLAN_FREE,
        .schedule = f->search ? PLAN_FREE : PLAN_1F1B,
        .micro_batch = f->micro_batch > 0 ? f->micro_batch : PLAN_FREE,
    };
    return words(f, q, e);
}
