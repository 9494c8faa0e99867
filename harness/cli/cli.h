/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands share.
 *
 * The room cli/ promises options as data (options.h), models and workloads by name (catalog.h), paths (paths.h),
 * progress lines (progress.h), ranks compared (alike.h), and what this file lists. It needs the rooms that these name.
 * It does not know any command. */
#ifndef TOISE_CLI_CLI_H
#define TOISE_CLI_CLI_H

#include <jansson.h>

#include "cli/options.h"
#include "comm/comm.h"
#include "config/config.h"
#include "kernels.h"
#include "measure/placement.h"

/* Starts MPI under a launcher. BASE_USAGE on all ranks: their program, MPI or arguments differ (alike.h), or the
 * launcher or the library belongs to another MPI (not checked for --help and --version). The world is valid after an
 * error too. Called once, by main. */
int cli_open(struct comm *world, int argc, char *const *argv, struct base_error *e);

/* Every command has these: --json, --out, --help. */
struct cli_output {
    const char *out;
    bool json, help;
};
extern const struct cli_option cli_output_options[];

/* What toise trains: --model, --layers, --experts, --precision, --seq, --gbs. NULL and 0: not given. */
struct cli_training {
    const char *model;
    int64_t layers, experts, seq, global_batch;
    int precision; /* enum kernel_dtype */
};
extern const struct cli_option cli_training_options[];
/* "fp32", "bf16": names of enum kernel_dtype; NULL after the last. */
const char *cli_training_precision(int dtype);

/* The words of a choice of enum plan_recompute. */
const char *cli_recompute(int i);
extern const struct cli_option cli_threads_option[];    /* --threads of a rank; int64_t */
extern const struct cli_option cli_bind_option[];       /* --bind; int, an enum measure_bind */
extern const struct cli_option cli_parameters_option[]; /* --parameters of projections; const char * */

#define CLI_MODEL "gpt2-124m"     /* the default */
enum { CLI_SIZE_MOST = 1 << 24 }; /* limit of batches, sequences and layers */

/* Prints the help on rank 0. Always BASE_OK. */
int cli_help(const struct comm *world, const struct cli_command *command);

/* BASE_USAGE under several ranks: the command is one process. */
int cli_alone(const struct comm *world, const struct cli_command *command, struct base_error *e);

/* The best instruction set up to TOISE_ISA. BASE_USAGE: TOISE_ISA has an unknown value. */
int cli_isa(enum kernel_isa *isa, struct base_error *e);

/* The least memory that any node has free, bytes (INFINITY: unknown), and the most ranks of a node: nodes read their
 * memory at different moments, but all ranks must decide alike. Collective. */
double cli_least_memory(struct comm *world, int *local);
/* Tokens of a sequence where --seq is not given: 256, or all positions of a smaller model. */
int64_t cli_usual_seq(const struct model_config *config);

/* Pins this rank's threads, and looks for other programs that are pinned there too. Collective. */
void cli_pin(struct measure_placement *placement, struct comm *world, enum measure_bind bind);
/* The first rank that found some warns on stderr. For commands whose page does not say it; called once nothing can be
 * refused any more. Collective. */
void cli_warn_rivals(const struct measure_placement *placement, struct comm *world);

/* Prints one line of a --list. A callback of record_catalog_titles. */
void cli_print_title(void *unused, const char *name, const char *title);
/* Prints the value as one line on stdout. */
void cli_print_json(const json_t *value);
/* Appends a record to --out. Prints it with --json, or if appending failed: it must be somewhere. On one rank. */
int cli_emit(const struct cli_output *output, const json_t *record, struct base_error *e);
/* The exit code of a record's status, with its "why" as the error: BASE_NO if it FAILED, or BASE_INCONCLUSIVE. */
int cli_verdict(const json_t *record, struct base_error *e);
/* Where text for people goes: stdout, or stderr with --json. */
FILE *cli_page(const struct cli_output *output);

#endif
