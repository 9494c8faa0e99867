/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of `toise comm`'s flags; sizes in words. */
#include "cli/comm_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/catalog.h"
#include "cli/options.h"
#include "model/params.h"

enum { ROWS = 10, LEAST = 16 << 10, TEXT = 512 };
static const double MOST = 1ll << 40;

static struct cli_comm_flags defaults(void) {
    return (struct cli_comm_flags){.op = "all_reduce", .model = "gpt2-124m", .seconds = 1, .width = 0.2};
}

static int table(struct cli_comm_flags *f, struct cli_option rows[ROWS]) {
    const struct cli_option all[] = {
        {"--op", NULL, CLI_TEXT, &f->op, 0, 0, "OP", "all_reduce, which is all that data parallel training sends",
         NULL},
        {"--bytes", NULL, CLI_TEXT, &f->bytes, 0, 0, "LIST",
         "sizes of a rank's buffer, as in 65536,1MiB,32MiB; default 16 KiB, each four times larger, and the gradient",
         NULL},
        {"--model", NULL, CLI_TEXT, &f->model, 0, 0, "NAME",
         "whose gradient is the largest size: a preset, or a Hugging Face config.json; default gpt2-124m",
         &f->model_given},
        {"--threads", NULL, CLI_INTEGER, &f->threads, 1, BASE_CPUS_MAX, "N",
         "OpenMP threads of a rank; default the least that its share of the CPUs, a quota, Slurm and OMP_NUM_THREADS "
         "allow",
         NULL},
        {"--seconds", NULL, CLI_NUMBER, &f->seconds, 0.01, 3600, "S",
         "of each size, and again beside compute; default 1", NULL},
        {"--width", NULL, CLI_NUMBER, &f->width, 0.001, 1, "X",
         "half-width of the median's 95% interval beyond which a time is inconclusive, relative; default 0.2", NULL},
        {"--json", NULL, CLI_FLAG, &f->json, 0, 0, NULL, "the records on stdout, all else on stderr", NULL},
        {"--out", NULL, CLI_TEXT, &f->out, 0, 0, "FILE", "append the records to FILE", NULL},
        {"--help", "-h", CLI_FLAG, &f->help, 0, 0, NULL, "this text", NULL},
    };
    _Static_assert(sizeof all / sizeof *all <= ROWS, "the table is larger than ROWS");
    memcpy(rows, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

int cli_comm_flags_parse(struct cli_comm_flags *flags, int argc, char *const *argv, struct base_error *e) {
    struct cli_option rows[ROWS];
    *flags = defaults();
    const int count = table(flags, rows);
    return cli_options_parse(rows, count, argc, argv, "comm", e);
}

void cli_comm_flags_help(FILE *out) {
    struct cli_comm_flags flags = defaults();
    struct cli_option rows[ROWS];
    fputs(
        "usage: mpirun -n P toise comm [flags]\n\nHow fast do these ranks sum gradients, and what does that take from "
        "the compute beside it? By the calls that\ntraining makes; each size is checked first, and the slowest rank's "
        "time counts.\n\n",
        out);
    cli_options_help(out, rows, table(&flags, rows));
    fputs(
        "\nalgbw is bytes over time, busbw what a link of the ring carries: 2 (P - 1) / P of it, as nccl-tests derives "
        "them.\nTOISE_ISA (ref, avx2, avx512, avx512bf16) caps the instruction set.\n",
        out);
}

/* "65536", "64KiB", "1MiB", "2GiB" */
static int read_size(const char *word, int64_t *bytes, struct base_error *e) {
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    char *end;
    double value = strtod(word, &end);
    int unit = 0;
    while (unit < 4 && strcmp(end, units[unit]) != 0) unit++;
    value = ldexp(value, 10 * unit);
    if (end == word || unit == 4 || !(value >= 4 && value <= MOST) || value != floor(value))
        return base_fail(e, BASE_USAGE, "--bytes: \"%.32s\" is no size; give whole bytes from 4, or as in 64KiB, 1MiB",
                         word);
    *bytes = (int64_t)value;
    if (*bytes % 4 == 0) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--bytes: %.32s is no whole number of floats; give a multiple of 4", word);
}

static int read_sizes(const char *list, struct bench_comm_options *o, struct base_error *e) {
    char text[TEXT], *rest = NULL;
    int code = BASE_OK;
    if (strlen(list) >= sizeof text) return base_fail(e, BASE_USAGE, "--bytes: the list is too long");
    memcpy(text, list, strlen(list) + 1);
    for (char *word = strtok_r(text, ", ", &rest); word && !code; word = strtok_r(NULL, ", ", &rest)) {
        if (o->sizes == BENCH_COMM_SIZES)
            return base_fail(e, BASE_USAGE, "--bytes: more than %d sizes; give fewer", BENCH_COMM_SIZES);
        code = read_size(word, &o->bytes[o->sizes++], e);
    }
    if (!code && !o->sizes) code = base_fail(e, BASE_USAGE, "--bytes: no size; give one as in 1MiB");
    return code;
}

static int default_sizes(const char *model, struct bench_comm_options *o, struct base_error *e) {
    struct model_config config;
    struct model_params params;
    int code = cli_catalog_model(model, &config, e);
    if (!code) code = model_params_open(&params, &config, e);
    if (code) return code;
    const int64_t gradient = 4 * params.total;
    model_params_close(&params);
    for (int64_t bytes = LEAST; bytes < gradient && o->sizes < BENCH_COMM_SIZES - 1; bytes *= 4)
        o->bytes[o->sizes++] = bytes;
    o->bytes[o->sizes++] = gradient;
    return BASE_OK;
}

int cli_comm_resolve(const struct cli_comm_flags *f, struct bench_comm_options *o, struct base_error *e) {
    *o = (struct bench_comm_options){.seconds = f->seconds, .width = f->width};
    if (strcmp(f->op, "all_reduce") != 0)
        return base_fail(e, BASE_USAGE, "--op: unknown \"%.64s\"; known: all_reduce, which is all that training sends",
                         f->op);
    if (f->bytes && f->model_given)
        return base_fail(e, BASE_USAGE, "--bytes gives the sizes that --model would; leave out one of the two");
    return f->bytes ? read_sizes(f->bytes, o, e) : default_sizes(f->model, o, e);
}
