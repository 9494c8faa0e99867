/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `toise train`'s flags, and the defaults behind them. */
#include "cli/train_options.h"

#include <limits.h>
#include <string.h>

#include "cli/options.h"

enum { ROWS = 26 };
static const double MOST = 1 << 24;

static const char DEFAULT_WORKLOAD[] = "node-s", DEFAULT_MODEL[] = "gpt2-124m";

static struct cli_train_flags defaults(void) {
    return (struct cli_train_flags){
        .precision = "fp32", .backend = "toise", .warmup = 2, .seed = 1, .width = 0.05, .budget = 120};
}

/* The table, over one struct of values. */
static int table(struct cli_train_flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"--workload", NULL, CLI_TEXT, &f->workload, 0, 0, "NAME",
         "a catalogued model, sequence length, batch and optimizer; default node-s", NULL},
        {"--model", NULL, CLI_TEXT, &f->model, 0, 0, "NAME", "a preset, or the path of a Hugging Face config.json",
         &f->model_given},
        {"--layers", "--num-layers", CLI_INTEGER, &f->layers, 1, MOST, "N", "only the first N layers: a slice",
         &f->layers_given},
        {"--precision", NULL, CLI_TEXT, &f->precision, 0, 0, "P", "fp32 (default) or bf16", NULL},
        {"--seq", "--seq-length", CLI_INTEGER, &f->seq, 1, MOST, "N", "tokens of a sequence; default 256",
         &f->seq_given},
        {"--gbs", "--global-batch-size", CLI_INTEGER, &f->global_batch, 1, MOST, "N",
         "sequences of a step over all ranks; default 4, or one a rank", &f->batch_given},
        {"--mbs", "--micro-batch-size", CLI_INTEGER, &f->micro_batch, 1, MOST, "N",
         "sequences that a rank computes at once; default as many as fit, up to 8,192 tokens", NULL},
        {"--steps", "--train-iters", CLI_INTEGER, &f->steps, 1, 100000, "N",
         "timed steps; default until --width is reached or --budget spent; under a CPU quota five periods at least",
         NULL},
        {"--warmup", NULL, CLI_INTEGER, &f->warmup, 0, 100000, "N", "steps before timing; default 2", NULL},
        {"--width", NULL, CLI_NUMBER, &f->width, 0.001, 1, "X",
         "wanted half-width of the 95% interval of the median step, relative; default 0.05", NULL},
        {"--budget", NULL, CLI_NUMBER, &f->budget, 1, 1e6, "S", "seconds of timed steps at most; default 120", NULL},
        {"--threads", NULL, CLI_INTEGER, &f->threads, 1, BASE_CPUS_MAX, "N",
         "OpenMP threads of a rank; default the least that its share of the CPUs, a quota, Slurm and OMP_NUM_THREADS "
         "allow",
         NULL},
        {"--seed", NULL, CLI_INTEGER, &f->seed, 0, 9e15, "N", "of weights and data; default 1", NULL},
        {"--lr", NULL, CLI_NUMBER, &f->lr, 0, 10, "X", "highest learning rate; default 6e-4, ending at a tenth",
         &f->lr_given},
        {"--data", NULL, CLI_TEXT, &f->data, 0, 0, "PATH",
         "text (bytes are tokens), a token file or the prefix of .bin and .idx; default a built-in source of known "
         "entropy",
         NULL},
        {"--data-format", NULL, CLI_TEXT, &f->format, 0, 0, "F",
         "auto (default: told by the file or refused), " DATA_FORMATS, NULL},
        {"--init", "--load", CLI_TEXT, &f->init, 0, 0, "PATH",
         "weights to start from: Hugging Face's .safetensors, a file or a folder of shards, whose config.json is the "
         "model unless --model is given",
         NULL},
        {"--save", NULL, CLI_TEXT, &f->save, 0, 0, "DIR",
         "write the last weights, with config.json, to a new folder that transformers loads, unless the gate FAILED",
         NULL},
        {"--backend", NULL, CLI_TEXT, &f->backend, 0, 0, "B", "toise (default) or openblas: who multiplies FP32", NULL},
        {"--no-gate", NULL, CLI_FLAG, &f->no_gate, 0, 0, NULL, "skip the correctness checks: at best inconclusive",
         NULL},
        {"--dry-run", NULL, CLI_FLAG, &f->dry_run, 0, 0, NULL,
         "print the plan: memory, operations, messages; look at every path as the run would, make nothing", NULL},
        {"--world", NULL, CLI_INTEGER, &f->world, 1, 10000000, "N", "with --dry-run: plan for N ranks",
         &f->world_given},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the record on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the record to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
    };
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    memcpy(rows, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

int cli_train_flags_parse(struct cli_train_flags *flags, int argc, char *const *argv, struct base_error *e) {
    struct cli_option rows[ROWS];
    *flags = defaults();
    int count = table(flags, rows);
    return cli_options_parse(rows, count, argc, argv, "train", e);
}

void cli_train_flags_help(FILE *out) {
    struct cli_train_flags flags = defaults();
    struct cli_option rows[ROWS];
    fputs("usage: [mpirun -n P] toise train [flags]\n\nTrains a real transformer, checks that every step it timed was "
          "right, and reports the rate.\n\n",
          out);
    cli_options_help(out, rows, table(&flags, rows));
    fputs("\nTOISE_ISA (ref, avx2, avx512, avx512bf16) caps the instruction set.\n", out);
}

/* One of two words. */
static int choose(const char *flag, const char *word, const char *first, const char *second, int *index,
                  struct base_error *e) {
    *index = !strcmp(word, second);
    if (*index || !strcmp(word, first)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: unknown \"%s\"; known: %s, %s", flag, word, first, second);
}

/* A workload fixes the work, so that its figures compare: what it fixes cannot be changed beside it. */
static int check_workload(const struct cli_train_flags *f, struct base_error *e) {
    const char *flag = f->model_given    ? "--model"
                       : f->seq_given    ? "--seq"
                       : f->batch_given  ? "--gbs"
                       : f->layers_given ? "--layers"
                       : f->lr_given     ? "--lr"
                       : f->data         ? "--data"
                       : f->init         ? "--init"
                                         : NULL;
    if (!flag) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--workload %s fixes %s; leave out one of the two", f->workload, flag);
}

static int resolve_sizes(const struct cli_train_flags *f, int world, struct cli_train_setup *s, struct base_error *e) {
    struct plan_request *r = &s->request;
    const bool plain =
        !f->model_given && !f->seq_given && !f->batch_given && !f->layers_given && !f->data && !f->lr_given && !f->init;
    const char *workload = f->workload ? f->workload : plain ? DEFAULT_WORKLOAD : NULL, *model = f->model;
    char beside[PATH_MAX];
    int code = BASE_OK;
    if (f->workload && (code = check_workload(f, e))) return code;
    if (workload && (code = cli_catalog_workload(workload, &s->workload, e))) return code;
    if (workload) model = s->workload.model;
    if (f->init && !f->model_given && (code = cli_catalog_beside(f->init, beside, e))) return code;
    if (f->init && !f->model_given) model = beside;
    if ((code = cli_catalog_model(model ? model : DEFAULT_MODEL, &r->config, e))) return code;
    const int64_t layers = f->layers_given ? f->layers : workload ? s->workload.layers : 0;
    if (layers && (code = model_config_slice(&r->config, layers, e))) return code;
    const int64_t usual = r->config.positions < 256 ? r->config.positions : 256;
    r->seq = workload ? s->workload.seq : f->seq_given ? f->seq : usual;
    r->global_batch = workload ? s->workload.global_batch : f->batch_given ? f->global_batch : world > 4 ? world : 4;
    if (!workload && !f->batch_given && r->global_batch % world) r->global_batch = world;
    r->layout = plan_layout_data_parallel(world, f->micro_batch); /* 0: chosen when memory is known */
    return BASE_OK;
}

int cli_train_resolve(const struct cli_train_flags *f, int world, struct cli_train_setup *s, struct base_error *e) {
    int code, bf16, openblas;
    memset(s, 0, sizeof *s);
    if ((code = choose("--precision", f->precision, "fp32", "bf16", &bf16, e))) return code;
    if ((code = choose("--backend", f->backend, "toise", "openblas", &openblas, e))) return code;
    if (f->format && !f->data) return base_fail(e, BASE_USAGE, "--data-format needs --data");
    if (f->world_given && !f->dry_run)
        return base_fail(e, BASE_USAGE, "--world is for --dry-run; ranks come from mpirun");
    s->request.dtype = bf16 ? KERNEL_BF16 : KERNEL_F32;
    s->request.threads = (int)f->threads;
    s->request.gate = !f->no_gate;
    s->backend = openblas ? KERNEL_BACKEND_OPENBLAS : KERNEL_BACKEND_TOISE;
    s->workload.optimizer = parallel_optimizer_default();
    if ((code = resolve_sizes(f, world, s, e))) return code;
    struct train_options *o = &s->options;
    o->optimizer = s->workload.optimizer;
    if (f->lr_given) {
        o->optimizer.lr = f->lr;
        o->optimizer.lr_min = f->lr / 10;
    }
    o->data = (struct data_options){.path = f->data, .format = f->format};
    o->seed = (uint64_t)f->seed;
    o->steps = (int)f->steps;
    o->warmup = (int)f->warmup;
    o->width = f->width;
    o->budget_s = f->budget;
    o->gate = !f->no_gate;
    o->init = f->init;
    o->save = f->save;
    return BASE_OK;
}
