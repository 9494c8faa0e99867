/* SPDX-License-Identifier: Apache-2.0
 *
 * toise comm: flags and memory check. Then, for each size, all ranks measure and rank 0 records and reports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/topology.h"
#include "cli/catalog.h"
#include "cli/cli.h"
#include "cli/launch.h"
#include "collectives/record.h"
#include "commands/commands.h"
#include "inventory/fingerprint.h"
#include "model/params.h"
#include "records/record.h"
#include "report/report.h"

enum { LEAST = 16 << 10, TEXT = 512 };
static const double MOST = 1ll << 40;

struct flags {
    const char *bytes, *model;
    int64_t threads;
    double seconds, ci;
    int op;
    struct cli_launch launch;
    struct cli_output output;
};

static const char *operation(int i) {
    return i ? NULL : "all_reduce";
}

/* clang-format off */
static const struct cli_option OPTIONS[] = {
    {.name = "--op", .kind = CLI_CHOICE, .at = offsetof(struct flags, op), .word = operation, .fallback = "all_reduce",
     .hint = "OP", .help = ": the collective of data parallel training"},
    {.name = "--bytes", .kind = CLI_TEXT, .once = true, .at = offsetof(struct flags, bytes), .hint = "LIST",
     .help = "buffer sizes per rank, as in 65536,1MiB,32MiB; default from 16 KiB by factors of four up to the model's "
             "gradient"},
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct flags, model), .file = CLI_READ,
     .fallback = CLI_MODEL, .hint = "NAME",
     .help = "model whose gradient is the largest size: a preset, or the path of a Hugging Face config.json"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, threads), .shared = cli_threads_option},
    {.name = "--seconds", .kind = CLI_NUMBER, .at = offsetof(struct flags, seconds), .min = 0.01, .max = 3600,
     .fallback = "1", .hint = "S", .help = "seconds per size, once alone and once with compute running"},
    {.name = "--ci", .kind = CLI_SHARE, .at = offsetof(struct flags, ci), .min = 0.001, .max = 1,
     .fallback = "20%", .hint = "X",
     .help = "a time is inconclusive if its median's 95% interval has a larger relative half-width"},
    {.name = "--width", .kind = CLI_RENAMED, .hint = "--ci 20%"},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, launch), .shared = cli_launch_options},
    {.kind = CLI_SHARED, .at = offsetof(struct flags, output), .shared = cli_output_options},
    {.name = NULL},
};
/* clang-format on */

static const struct cli_rule RULES[] = {
    {.given = "--bytes", .excludes = "--model", .text = "both set the sizes"},
    {.text = NULL},
};

static const struct cli_command COMMAND = {
    .name = "comm",
    .options = OPTIONS,
    .rules = RULES,
    .usage = "mpirun -n P toise comm [flags]\n\nHow fast do these ranks sum gradients, and how much does that slow "
             "compute running meanwhile? Uses the calls that\ntraining makes. Each size is checked first, and the "
             "slowest rank's time counts.",
    .notes = "algbw is bytes over time. busbw is the rate on each link of the ring, algbw x 2 (P - 1) / P, as in "
             "nccl-tests.\nTOISE_ISA (ref, avx2, avx512, avx512bf16) caps the instruction set.\n",
};

/* "65536", "64KiB", "1MiB", "2GiB" */
static int read_size(const char *word, int64_t *bytes, struct base_error *e) {
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    char *end;
    double value = strtod(word, &end);
    int unit = 0;
    while (unit < 4 && strcmp(end, units[unit]) != 0) unit++;
    value = ldexp(value, 10 * unit);
    if (end == word || unit == 4 || !(value >= 4 && value <= MOST) || value != floor(value))
        return base_fail(e, BASE_USAGE,
                         "--bytes: \"%.32s\" is not a size; give at least 4 bytes, as in 4096, 64KiB or 1MiB", word);
    *bytes = (int64_t)value;
    if (*bytes % 4 == 0) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--bytes: %.32s is not a multiple of 4, the size of a float; give one", word);
}

static int read_sizes(const char *list, struct collectives_options *o, struct base_error *e) {
    char text[TEXT];
    const char *words[COLLECTIVES_SIZES];
    const int count = base_text_words(list, text, sizeof text, words, COLLECTIVES_SIZES);
    int code = BASE_OK;
    if (count < 0) return base_fail(e, BASE_USAGE, "--bytes: more than %d sizes; give fewer", COLLECTIVES_SIZES);
    for (int i = 0; i < count && !code; i++) code = read_size(words[i], &o->bytes[o->sizes++], e);
    if (!code && !o->sizes) code = base_fail(e, BASE_USAGE, "--bytes: the list is empty; give a size, as in 1MiB");
    return code;
}

static int default_sizes(const char *model, struct collectives_options *o, struct base_error *e) {
    struct model_config config;
    struct model_params params;
    int code = cli_catalog_model(model, &config, e);
    if (code) return code;
    model_params_size(&params, &config);
    const int64_t gradient = 4 * params.total;
    for (int64_t bytes = LEAST; bytes < gradient && o->sizes < COLLECTIVES_SIZES - 1; bytes *= 4)
        o->bytes[o->sizes++] = bytes;
    o->bytes[o->sizes++] = gradient;
    return BASE_OK;
}

/* The sizes of --bytes. Default: from 16 KiB by factors of four, then the model's gradient. */
static int resolve(const struct flags *f, struct collectives_options *o, struct base_error *e) {
    *o = (struct collectives_options){.seconds = f->seconds, .width = f->ci};
    return f->bytes ? read_sizes(f->bytes, o, e) : default_sizes(f->model, o, e);
}

/* One launch. */
struct launch {
    const struct flags *flags;
    struct collectives_options options;
    struct measure_origin origin;
    FILE *page; /* for people */
    int failed, unsure, shown;
    struct record_launch launch;
};

/* Frees the record. Collective. */
static int emit(struct launch *l, struct comm *world, json_t *record, struct base_error *e) {
    int code = BASE_OK;
    if (world->rank == 0) {
        code = cli_emit(&l->flags->output, record, e);
        if (!l->shown++) report_comm_head(l->page, record);
        report_comm(l->page, record);
    }
    json_decref(record);
    return comm_agree(world, code, e);
}

static int measure(struct launch *l, struct collectives *b, struct base_error *e) {
    struct collectives_share share;
    int code = BASE_OK;
    for (int i = 0; i < l->options.sizes && !code; i++) {
        struct collectives_size size;
        code = collectives_measure(b, l->options.bytes[i], &l->options, &size, e);
        if (!code) code = emit(l, b->world, collectives_record(&size, &l->origin), e);
        l->failed += size.status == RECORD_FAILED;
        l->unsure += size.status == RECORD_INCONCLUSIVE;
        measure_samples_close(&size.timed.samples);
    }
    if (code) return code;
    collectives_measure_share(b, &share);
    l->unsure += share.status == RECORD_INCONCLUSIVE;
    return emit(l, b->world, collectives_share_record(&share, &l->origin), e);
}

/* The exit code of all sizes: FAILED outranks inconclusive. */
static int exit_code(const struct launch *l, struct base_error *e) {
    if (l->failed)
        return base_fail(e, BASE_NO, "FAILED: the sums of %d of %d sizes are wrong, so they have no rate", l->failed,
                         l->options.sizes);
    if (l->unsure)
        return base_fail(e, BASE_INCONCLUSIVE,
                         "inconclusive: %d of %d rows are too noisy or have too few samples: raise --seconds or "
                         "--ci, or quiet the machine",
                         l->unsure, l->options.sizes + 1);
    return BASE_OK;
}

static int check_memory(const struct launch *l, struct comm *world, const struct kernel_caches *caches,
                        struct base_error *e) {
    int local;
    const double available = cli_least_memory(world, &local), needed = local * collectives_need(&l->options, caches);
    char need[32], have[32];
    if (needed <= 0.9 * available) return BASE_OK;
    base_text_bytes(needed, need, sizeof need);
    base_text_bytes(available, have, sizeof have);
    return base_fail(e, BASE_USAGE,
                     "the ranks of a node need %s of memory, but %s are free; give smaller sizes with --bytes", need,
                     have);
}

static int run(struct launch *l, struct comm *world, struct base_error *e) {
    struct base_topology topology;
    struct measure_placement placement;
    struct kernel_caches caches;
    struct kernel_ops ops;
    struct collectives bench;
    enum kernel_isa isa;
    int code = cli_isa(&isa, e);
    if (!code) code = base_topology_read(&topology, e);
    if ((code = comm_agree(world, code, e))) return code;
    if ((code = measure_place(&placement, world, (int)l->flags->threads, e))) return code;
    measure_place_pin(&placement);
    if (placement.warning[0] && world->rank == 0) fprintf(stderr, "toise: %s\n", placement.warning);
    base_topology_caches(&topology, placement.threads, world->local_size, &caches);
    if ((code = check_memory(l, world, &caches, e))) return code;
    kernel_select(&ops, isa, KERNEL_BACKEND_TOISE);
    l->origin = (struct measure_origin){.launch = &l->launch,
                                        .ranks = world->size,
                                        .threads = placement.threads,
                                        .threads_from = placement.threads_from,
                                        .machine = inventory_fingerprint(&topology, &ops, isa)};
    code = collectives_open(&bench, world, &l->options, &placement, &caches, e);
    if (!code) code = measure(l, &bench, e);
    collectives_close(&bench);
    json_decref(l->origin.machine);
    return code ? code : exit_code(l, e);
}

/* A single rank sends nothing. */
static int check_world(const struct comm *world, struct base_error *e) {
    if (world->size > 1) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "toise comm needs at least two ranks, as one rank sends nothing; start it as in "
                     "mpirun --bind-to none -n 2 toise comm");
}

int command_comm(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    struct flags flags = {0};
    struct launch l = {.flags = &flags};
    int code = cli_options_read(&COMMAND, &flags, argc, argv, e);
    if (!code && flags.output.help) return cli_help(world, &COMMAND);
    if (!code) code = cli_launch_check(&flags.launch, e);
    if (!code) code = resolve(&flags, &l.options, e);
    if (!code) code = check_world(world, e);
    if (!code) code = cli_options_apart(&COMMAND, &flags, e);
    if (!code && world->rank == 0) code = record_check(flags.output.out, e);
    if ((code = comm_agree(world, code, e))) return code;
    l.page = cli_page(&flags.output);
    cli_launch_open(world, &flags.launch, &l.launch);
    return run(&l, world, e);
}
