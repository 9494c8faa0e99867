/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands: each gets the world and its own arguments, words its errors in *e, and returns the exit code. And
 * what they share. */
#ifndef TOISE_CLI_CLI_H
#define TOISE_CLI_CLI_H

#include <jansson.h>

#include "cli/options.h"
#include "comm/comm.h"
#include "kernels.h"

int cli_train(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_comm(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_kernels(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_validate(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_project(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_predict(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_curve(struct comm *world, int argc, char *const *argv, struct base_error *e);
int cli_programme(struct comm *world, int argc, char *const *argv, struct base_error *e);

/* Starts MPI where a launcher is, and refuses on all ranks alike words that differ, and a launcher of another MPI
 * unless only help or the version is asked for. The world is valid after an error too. Called once, by main. */
int cli_open(struct comm *world, int argc, char *const *argv, struct base_error *e);

/* Of all commands: --json, --out, --help. */
struct cli_output {
    const char *out;
    bool json, help;
};
extern const struct cli_option cli_output_options[];

/* What toise trains: --model, --layers, --precision, --seq, --gbs. NULL and 0: not given. */
struct cli_training {
    const char *model;
    int64_t layers, seq, global_batch;
    int precision; /* enum kernel_dtype */
};
extern const struct cli_option cli_training_options[];
/* "fp32", "bf16": names of enum kernel_dtype; NULL after the last. */
const char *cli_training_precision(int dtype);

extern const struct cli_option cli_threads_option[];    /* of an int64_t: --threads of a rank */
extern const struct cli_option cli_parameters_option[]; /* of a const char *: --parameters of projections */

#define CLI_MODEL "gpt2-124m"     /* where none is given */
enum { CLI_SIZE_MOST = 1 << 24 }; /* of batches, sequences, layers */

/* Prints the help on rank 0; BASE_OK. */
int cli_help(const struct comm *world, const struct cli_command *command);

/* BASE_USAGE when ranks would all do the work of one: the command is one process. */
int cli_alone(const struct comm *world, const struct cli_command *command, struct base_error *e);

/* The best instruction set up to TOISE_ISA; BASE_USAGE when that is unknown. */
int cli_isa(enum kernel_isa *isa, struct base_error *e);

/* A line of a list of the catalogue, on stdout; for record_catalog_titles. */
void cli_print_title(void *unused, const char *name, const char *title);
/* --json: one line on stdout. */
void cli_print_json(const json_t *value);
/* Appends a record to --out and, with --json, prints it, also where it was not appended. On one rank. */
int cli_emit(const struct cli_output *output, const json_t *record, struct base_error *e);
/* Where people read: standard error beside --json. */
FILE *cli_page(const struct cli_output *output);

/* The same id on every rank: the date and rank 0's host and process. Collective. */
void cli_launch_id(struct comm *world, char id[64]);

#endif
