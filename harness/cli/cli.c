/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the world, prints help, and appends and prints records, for all subcommands. */
#include "cli/cli.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/threads.h"
#include "cli/alike.h"
#include "machine/machine.h"
#include "measure/rivals.h"
#include "plan/layout.h"
#include "records/record.h"

/* clang-format off */
const struct cli_option cli_output_options[] = {
    {.name = "--json", .kind = CLI_FLAG, .at = offsetof(struct cli_output, json),
     .help = "print the records on stdout, everything else on stderr"},
    {.name = "--out", .kind = CLI_TEXT, .at = offsetof(struct cli_output, out), .file = CLI_WRITTEN, .hint = "FILE",
     .help = "append the records to FILE"},
    {.name = "--help", .alias = "-h", .kind = CLI_ALONE, .at = offsetof(struct cli_output, help), .help = "this text"},
    {.name = NULL},
};

const struct cli_option cli_training_options[] = {
    {.name = "--model", .kind = CLI_TEXT, .at = offsetof(struct cli_training, model), .file = CLI_READ, .hint = "NAME",
     .help = "a preset, or the path of a Hugging Face config.json; default " CLI_MODEL},
    {.name = "--layers", .alias = "--num-layers", .kind = CLI_INTEGER, .at = offsetof(struct cli_training, layers),
     .min = 1, .max = CLI_SIZE_MOST, .hint = "N", .help = "use only the first N layers"},
    {.name = "--experts", .alias = "--num-experts", .kind = CLI_INTEGER, .at = offsetof(struct cli_training, experts),
     .min = 1, .max = CLI_SIZE_MOST, .hint = "N", .help = "use only the first N experts of each layer"},
    {.name = "--precision", .kind = CLI_CHOICE, .at = offsetof(struct cli_training, precision),
     .word = cli_training_precision, .fallback = "fp32", .hint = "P", .help = ""},
    {.name = "--seq", .alias = "--seq-length", .kind = CLI_INTEGER, .at = offsetof(struct cli_training, seq), .min = 1,
     .max = CLI_SIZE_MOST, .hint = "N", .help = "tokens of a sequence; default 256"},
    {.name = "--gbs", .alias = "--global-batch-size", .kind = CLI_INTEGER,
     .at = offsetof(struct cli_training, global_batch), .min = 1, .max = CLI_SIZE_MOST, .hint = "N",
     .help = "sequences per step over all ranks; default 4, or one per rank"},
    {.name = NULL},
};

const struct cli_option cli_threads_option[] = {
    {.name = "--threads", .kind = CLI_INTEGER, .min = 1, .max = BASE_CPUS_MAX, .hint = "N",
     .help = "OpenMP threads per rank; default one for each core of its share of the CPUs, or fewer if a quota, Slurm or "
             "OMP_NUM_THREADS say so"},
    {.name = NULL},
};

const char *cli_recompute(int i) {
    return i < PLAN_RECOMPUTES ? plan_recompute_name((enum plan_recompute)i) : NULL;
}

const struct cli_option cli_bind_option[] = {
    {.name = "--bind", .kind = CLI_CHOICE, .word = measure_bind_name, .fallback = "core", .hint = "B",
     .help = ": each thread on a core of its own, anywhere on that core's NUMA node, or where the system likes"},
    {.name = NULL},
};

const struct cli_option cli_parameters_option[] = {
    {.name = "--parameters", .kind = CLI_TEXT, .file = CLI_READ, .hint = "FILE",
     .help = "parameters fitted by toise validate --fit; default the catalogue's"},
    {.name = NULL},
};
/* clang-format on */

const char *cli_training_precision(int dtype) {
    static const enum machine_dtype types[] = {[KERNEL_F32] = MACHINE_FP32, [KERNEL_BF16] = MACHINE_BF16};
    return dtype < KERNEL_DTYPE_COUNT ? machine_dtype_name(types[dtype]) : NULL;
}

/* --help and --version work under any launcher. */
static bool asks_only(int argc, char *const *argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h") || !strcmp(argv[i], "--version")) return true;
    return false;
}

int cli_open(struct comm *world, int argc, char *const *argv, struct base_error *e) {
    comm_serial(world);
    int code = comm_launched() ? comm_open(world, e) : BASE_OK;
    if (!code) code = cli_alike_program(world, argc, argv, e);
    if (code || asks_only(argc, argv)) return code;
    code = comm_launcher_check(world, e);
    if (!code && comm_launched()) code = comm_library_check(e);
    return comm_agree(world, code, e);
}

int cli_help(const struct comm *world, const struct cli_command *command) {
    if (world->rank == 0) cli_options_help(stdout, command);
    return BASE_OK;
}

int cli_alone(const struct comm *world, const struct cli_command *command, struct base_error *e) {
    if (world->size == 1) return BASE_OK;
    return base_fail(e, BASE_USAGE, "toise %s is one process, not %d ranks: start it without mpirun", command->name,
                     world->size);
}

double cli_least_memory(struct comm *world, int *local) {
    const double free_here = (double)base_memory_available();
    double fullest[2] = {free_here < 0 ? -INFINITY : -free_here, world->local_size};
    world->ops->max(world, fullest, 2);
    *local = (int)fullest[1];
    return -fullest[0];
}

void cli_pin(struct measure_placement *p, struct comm *world, enum measure_bind bind) {
    measure_place_pin(p, bind);
    measure_rivals_find(&p->rivals, p, world);
}

void cli_warn_rivals(const struct measure_placement *p, struct comm *world) {
    char text[MEASURE_RIVALS_TEXT];
    double first = p->rivals.count ? -world->rank : -world->size; /* the least rank as the greatest number */
    world->ops->max(world, &first, 1);
    measure_rivals_text(&p->rivals, text, sizeof text);
    if (p->rivals.count && -first == world->rank) fprintf(stderr, "toise: rank %d: %s\n", world->rank, text);
}

int64_t cli_usual_seq(const struct model_config *c) {
    return c->positions < 256 ? c->positions : 256;
}

int cli_isa(enum kernel_isa *isa, struct base_error *e) {
    *isa = kernel_isa_best();
    if (*isa != KERNEL_ISA_COUNT) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "TOISE_ISA=%s: unknown instruction set; take ref, neon, avx2, avx512 or "
                     "avx512bf16",
                     getenv("TOISE_ISA"));
}

void cli_print_json(const json_t *value) {
    json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12)), putchar('\n');
}

int cli_emit(const struct cli_output *output, const json_t *record, struct base_error *e) {
    int code = record_append(output->out, record, e);
    if (!output->json && !code) return code;
    cli_print_json(record);
    if (fflush(stdout) && !code) code = base_fail(e, BASE_BROKEN, "cannot write to standard output");
    return code;
}

int cli_verdict(const json_t *record, struct base_error *e) {
    const char *status = record_text(record, "status"), *why = record_text(record, "why");
    if (!strcmp(status, "FAILED")) return base_fail(e, BASE_NO, "FAILED: %s", why);
    if (!strcmp(status, "INCONCLUSIVE")) return base_fail(e, BASE_INCONCLUSIVE, "inconclusive: %s", why);
    return BASE_OK;
}

FILE *cli_page(const struct cli_output *output) {
    return output->json ? stderr : stdout;
}

void cli_print_title(void *unused, const char *name, const char *title) {
    (void)unused;
    printf("%-24s %s\n", name, title);
}
