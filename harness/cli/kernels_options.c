/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `toise kernels`' flags; lists of words; and what they choose. */
#include "cli/kernels_options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/catalog.h"
#include "cli/options.h"

enum { ROWS = 18 };

static struct cli_kernels_flags defaults(void) {
    return (struct cli_kernels_flags){.model = "gpt2-124m", .micro_batch = 4, .seconds = 0.25, .width = 0.1, .seed = 1};
}

static int table(struct cli_kernels_flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"--op", NULL, CLI_TEXT, &f->ops, 0, 0, "LIST",
         "gemm, attention, rows (all operations on rows), vectors, or single ones by name; default all", NULL},
        {"--model", NULL, CLI_TEXT, &f->model, 0, 0, "NAME",
         "the shapes of one step of a preset, or of a Hugging Face config.json; default gpt2-124m", &f->model_given},
        {"--seq", "--seq-length", CLI_INTEGER, &f->seq, 1, 1 << 24, "N", "tokens of a sequence; default 256",
         &f->seq_given},
        {"--mbs", "--micro-batch-size", CLI_INTEGER, &f->micro_batch, 1, 1 << 24, "N",
         "sequences computed at once; default 4", &f->batch_given},
        {"--shapes", NULL, CLI_TEXT, &f->shapes, 0, 0, "FILE", "these shapes instead, one a line (below)", NULL},
        {"--dtype", NULL, CLI_TEXT, &f->dtypes, 0, 0, "LIST", "f32, bf16; default both", NULL},
        {"--isa", "--variant", CLI_TEXT, &f->variants, 0, 0, "LIST",
         "ref, avx2, avx512, avx512bf16, with +packed for matmuls whose B was packed ahead, openblas; default the best "
         "that "
         "this host can run but ref, plain C",
         NULL},
        {"--threads", NULL, CLI_INTEGER, &f->threads, 1, BASE_CPUS_MAX, "N",
         "OpenMP threads; default the least that its CPUs, a quota, Slurm and OMP_NUM_THREADS allow", NULL},
        {"--seconds", NULL, CLI_NUMBER, &f->seconds, 0.01, 3600, "S",
         "of each variant of each shape, its roofs included; default 0.25; under a CPU quota three windows at least",
         NULL},
        {"--width", NULL, CLI_NUMBER, &f->width, 0.001, 1, "X",
         "half-width of the median's 95% interval beyond which a rate is inconclusive, relative; default 0.1", NULL},
        {"--seed", NULL, CLI_INTEGER, &f->seed, 0, 9e15, "N", "of the operands; default 1", NULL},
        {"--explain", NULL, CLI_FLAG, &f->explain, 0, 0, NULL, "how matmuls are cut for this machine's caches", NULL},
        {"--dry-run", NULL, CLI_FLAG, &f->dry_run, 0, 0, NULL, "list the shapes with their FLOP and bytes", NULL},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the records on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the records to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
        {"--openblas-probe", NULL, CLI_FLAG, &f->probe, 0, 0, NULL, NULL, NULL}, /* what the command starts itself as */
    };
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    memcpy(rows, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

int cli_kernels_flags_parse(struct cli_kernels_flags *flags, int argc, char *const *argv, struct base_error *e) {
    struct cli_option rows[ROWS];
    *flags = defaults();
    int count = table(flags, rows);
    return cli_options_parse(rows, count, argc, argv, "kernels", e);
}

void cli_kernels_flags_help(FILE *out) {
    struct cli_kernels_flags flags = defaults();
    struct cli_option rows[ROWS];
    fputs("usage: toise kernels [flags]\n\nHow near the machine's limit are matmul, attention and the rest? Each "
          "result is "
          "checked, then timed in turns\nwith the roofs: the register-only peak in its dtype, and the bandwidth of "
          "passes "
          "over memory.\n\n",
          out);
    cli_options_help(out, rows, table(&flags, rows));
    fputs("\nA line of a file of shapes; # begins a comment (tests/shapes/*.txt are such files):\n"
          "  NT M N K              matmul; how A and B are stored: N as used, T transposed\n"
          "  attention BATCH HEADS KV_HEADS SEQ HEAD_DIM [window N] [alibi]\n"
          "  rows ROWS COLS        norms, activation functions, cross-entropy, column sums\n"
          "  elements N            AdamW, sums of squares, conversions, copies\n"
          "TOISE_ISA (ref, avx2, avx512, avx512bf16) caps the instruction set.\n",
          out);
}

int cli_kernels_words(const char *list, char text[CLI_KERNELS_LIST], const char *words[], int most) {
    int count = 0;
    char *rest = NULL;
    if (snprintf(text, CLI_KERNELS_LIST, "%s", list) >= CLI_KERNELS_LIST) return -1;
    for (char *word = strtok_r(text, ", ", &rest); word; word = strtok_r(NULL, ", ", &rest)) {
        if (count == most) return -1;
        words[count++] = word;
    }
    return count;
}

/* Whether `word` chooses an operation: by name, by group, or as the first part of the name. */
static bool chooses(const char *word, const struct bench_kernel_op *op) {
    static const struct {
        const char *name;
        enum bench_shape_kind kind;
    } groups[] = {{"attention", BENCH_SHAPE_ATTENTION}, {"rows", BENCH_SHAPE_ROWS}, {"vectors", BENCH_SHAPE_VECTOR}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        if (!strcmp(word, groups[i].name)) return op->kind == groups[i].kind;
    return !strcmp(word, op->name);
}

static int unknown_op(const char *word, struct base_error *e) {
    char known[640] = "gemm, attention, rows, vectors";
    for (int i = 0; i < bench_kernel_op_count; i++) {
        const size_t used = strlen(known);
        if (strcmp(bench_kernel_ops[i].name, "gemm") != 0)
            snprintf(known + used, sizeof known - used, ", %s", bench_kernel_ops[i].name);
    }
    return base_fail(e, BASE_USAGE, "--op: unknown \"%.64s\"; known: %s", word, known);
}

/* Leaves the cases of the operations that were asked for. */
static int keep_ops(const char *list, struct bench_kernel_cases *cases, struct base_error *e) {
    const char *words[32];
    char text[CLI_KERNELS_LIST];
    const int count = cli_kernels_words(list, text, words, 32);
    int kept = 0;
    if (count < 1)
        return base_fail(e, BASE_USAGE, "--op: %s; give names with commas between", count ? "too many names" : "none");
    for (int w = 0; w < count; w++) {
        bool any = false;
        for (int i = 0; i < bench_kernel_op_count; i++) any = any || chooses(words[w], &bench_kernel_ops[i]);
        if (!any) return unknown_op(words[w], e);
    }
    for (int i = 0; i < cases->count; i++) {
        bool wanted = false;
        for (int w = 0; w < count; w++) wanted = wanted || chooses(words[w], cases->at[i].op);
        if (wanted) cases->at[kept++] = cases->at[i];
    }
    cases->count = kept;
    return BASE_OK;
}

static int resolve_dtypes(const char *list, bool wanted[KERNEL_DTYPE_COUNT], struct base_error *e) {
    const char *words[8];
    char text[CLI_KERNELS_LIST];
    const int count = cli_kernels_words(list ? list : "f32,bf16", text, words, 8);
    if (count < 1) return base_fail(e, BASE_USAGE, "--dtype: \"%.64s\"; take f32, bf16 or f32,bf16", list);
    for (int w = 0; w < count; w++) {
        const bool f32 = !strcmp(words[w], "f32") || !strcmp(words[w], "fp32"), bf16 = !strcmp(words[w], "bf16");
        if (!f32 && !bf16)
            return base_fail(e, BASE_USAGE, "--dtype: unknown \"%.64s\"; take f32, bf16 or f32,bf16", words[w]);
        wanted[f32 ? KERNEL_F32 : KERNEL_BF16] = true;
    }
    return BASE_OK;
}

static int model_cases(const struct cli_kernels_flags *f, enum kernel_dtype dtype, struct cli_kernels_setup *s,
                       struct base_error *e) {
    struct plan_request r = {.dtype = dtype,
                             .layout = plan_layout_data_parallel(1, f->micro_batch),
                             .global_batch = f->micro_batch,
                             .threads = 1};
    struct plan plan;
    int code = cli_catalog_model(f->model, &r.config, e);
    if (code) return code;
    r.seq = f->seq_given ? f->seq : r.config.positions < 256 ? r.config.positions : 256;
    if ((code = plan_make(&plan, &r, e))) return code;
    snprintf(s->model, sizeof s->model, "%s", r.config.name);
    s->seq = r.seq;
    s->micro_batch = r.layout.micro_batch;
    return bench_kernel_cases_plan(&s->cases, &plan, e);
}

/* Drops the cases that none of the variants has. */
static void keep_runnable(struct cli_kernels_setup *s) {
    struct bench_kernel_variant own[BENCH_VARIANTS_MAX];
    int kept = 0;
    for (int i = 0; i < s->cases.count; i++)
        if (cli_kernels_variants(s, &s->cases.at[i], own)) s->cases.at[kept++] = s->cases.at[i];
    s->cases.count = kept;
}

int cli_kernels_resolve(const struct cli_kernels_flags *f, struct cli_kernels_setup *s, struct base_error *e) {
    bool wanted[KERNEL_DTYPE_COUNT] = {false};
    int code;
    *s = (struct cli_kernels_setup){.options = {f->seconds, f->width, (uint64_t)f->seed}};
    const char *beside = f->model_given ? "--model" : f->seq_given ? "--seq" : f->batch_given ? "--mbs" : NULL;
    if (f->shapes && beside)
        return base_fail(e, BASE_USAGE, "--shapes gives the sizes that %s would; leave out one of the two", beside);
    if ((code = resolve_dtypes(f->dtypes, wanted, e)) || (code = cli_kernels_variants_resolve(f->variants, s, e)))
        return code;
    for (int t = 0; t < KERNEL_DTYPE_COUNT && !code; t++)
        if (wanted[t])
            code = f->shapes ? cli_kernels_shapes(f->shapes, (enum kernel_dtype)t, &s->cases, e)
                             : model_cases(f, (enum kernel_dtype)t, s, e);
    if (!code && f->ops) code = keep_ops(f->ops, &s->cases, e);
    if (code) return code;
    keep_runnable(s);
    if (!s->cases.count)
        return base_fail(e, BASE_USAGE,
                         "nothing to time: %s has no shape of these operations, dtypes and instruction sets; leave out "
                         "--op, --dtype or --isa",
                         f->shapes ? f->shapes : s->model);
    return BASE_OK;
}
