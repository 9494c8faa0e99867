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

/* Whether a person looks at `out`. Under a launcher nobody can tell: Open MPI gives ranks a terminal of its own. */
bool cli_terminal(FILE *out);

int cli_train(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_comm(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_kernels(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_validate(struct comm *world, int argc, char *const *argv, struct base_error *e);

int cli_project(struct comm *world, int argc, char *const *argv, struct base_error *e);

/* The best instruction set up to TOISE_ISA; BASE_USAGE when that is unknown. */
int cli_isa(enum kernel_isa *isa, struct base_error *e);

/* A line of a list of the catalogue, on stdout; for base_catalog_titles. */
void cli_print_title(void *unused, const char *name, const char *title);
/* --json: one line on stdout. */
void cli_print_json(const json_t *value);

/* The same id on every rank: the date and rank 0's host and process. Collective. */
void cli_launch_id(struct comm *world, char id[64]);

/* Lines on the fields of a config.json that a record's config leaves out or did not read; none where there are none. */
void cli_report_config(FILE *out, const json_t *config);
/* A record of kind "train" as a page for people; reads nothing but the record. */
void cli_report_train(FILE *out, const json_t *record);
/* Parts of it: the median step and the wall clock; exposed communication; the line of a machine's CPU quota, if any. */
void cli_report_clock(FILE *out, const json_t *record);
void cli_report_exposed(FILE *out, const json_t *record);
void cli_report_quota(FILE *out, const json_t *machine);
/* The same for a plan. */
void cli_report_plan(FILE *out, const json_t *record);

/* Records of kind "comm": what stands above their lines, read from the first one; and one line. */
void cli_report_comm_head(FILE *out, const json_t *record);
void cli_report_comm(FILE *out, const json_t *record);

/* Records of kind "kernel": what stands above their lines, one line, and what they say together. */
void cli_report_kernels_head(FILE *out, const json_t *machine, int threads, const char *from);
void cli_report_kernel(FILE *out, const json_t *record);
void cli_report_kernels_end(FILE *out, const json_t *records);
/* A record of kind "validate"; rows: with the lines of single runs. */
void cli_report_validate(FILE *out, const json_t *record, bool rows);
/* A record of kind "project", and several machines in one table. */
void cli_report_project(FILE *out, const json_t *record);
void cli_report_project_side_by_side(FILE *out, json_t *const *records, int count);
/* A record of kind "project" of a measured machine; ops: with every operation. */
void cli_report_measured(FILE *out, const json_t *record, bool ops);
/* A record of kind "campaign". */
void cli_report_campaign(FILE *out, const json_t *record);
/* What --dry-run lists. */
void cli_report_kernels_plan(FILE *out, const json_t *cases);

#endif
