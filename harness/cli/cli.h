/* SPDX-License-Identifier: Apache-2.0
 *
 * The subcommands: each gets the world and its own arguments, words its errors in *e, and returns the exit code. */
#ifndef TOISE_CLI_CLI_H
#define TOISE_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"
#include "comm/comm.h"
#include "kernels.h"

/* Starts MPI where a launcher is, and refuses on all ranks alike words that differ, and a launcher of another MPI
 * unless only help or the version is asked for. The world is valid after an error too. Called once, by main. */
int cli_open(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_train(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_comm(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_kernels(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_validate(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_project(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_predict(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_curve(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_programme(struct comm *world, int argc, char *const *argv, struct base_error *e);

/* BASE_USAGE when ranks would all do the work of one: `command` is one process. */
int cli_alone(const struct comm *world, const char *command, struct base_error *e);

/* The best instruction set up to TOISE_ISA; BASE_USAGE when that is unknown. */
int cli_isa(enum kernel_isa *isa, struct base_error *e);

/* A line of a list of the catalogue, on stdout; for record_catalog_titles. */
void cli_print_title(void *unused, const char *name, const char *title);
/* --json: one line on stdout. */
void cli_print_json(const json_t *value);

/* The same id on every rank: the date and rank 0's host and process. Collective. */
void cli_launch_id(struct comm *world, char id[64]);

#endif
