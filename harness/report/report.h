/* SPDX-License-Identifier: Apache-2.0
 *
 * Shows records to people: pages and tables. A function gets a record, or a list, and prints it to `out`. A missing
 * figure is shown as a dash or left out. The room reads records only. It measures nothing; it computes only ratios,
 * percentages and summaries of the figures in the records. It colours a status only on a terminal. */
#ifndef TOISE_REPORT_REPORT_H
#define TOISE_REPORT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Whether `out` is a terminal. False under a launcher, as Open MPI gives its ranks a pseudo-terminal. */
bool report_terminal(FILE *out);

/* "s" unless n is 1. */
const char *report_plural(long long n);

/* A record's status in one word, coloured on a terminal. */
void report_status(FILE *out, const char *status);

/* Says in one line that a record's rates are a lower bound, if its machine has a matrix unit that toise does not use.
 */
void report_lower_bound(FILE *out, const json_t *machine);

/* The switches of a launch's nodes, if they are several; nodes of its job without ranks; fewer nodes than asked for. */
void report_place(FILE *out, const json_t *launch);

/* Lines of a page: the experts of a mixture; fields of a config.json that were left out or not read, if any. */
void report_config(FILE *out, const json_t *config);
/* What a config trains: "tiny-gpt2, 4 x 64 tokens", with what it leaves out and a forced choice of experts. */
enum { REPORT_WORK = 160 };
void report_work(const json_t *config, char text[REPORT_WORK]);
/* A record of kind "train". */
void report_train(FILE *out, const json_t *record);
/* Parts of it: the median step and the wall clock; warm-up; exposed communication; the machine's CPU quota, if any. */
void report_clock(FILE *out, const json_t *record);
void report_warmup(FILE *out, const json_t *record);
void report_overlap(FILE *out, const json_t *record);
void report_exposed(FILE *out, const json_t *record);
void report_quota(FILE *out, const json_t *machine);
/* result.profile of a record of kind "train"; NULL: nothing. */
void report_profile(FILE *out, const json_t *profile);
/* The energy of a record: the figure with its source, or why there is none. And a node's sources, as --energy list. */
void report_energy(FILE *out, const json_t *energy);
void report_energy_list(FILE *out, const json_t *sources);
/* The library of --backend: which one it is, its threads, and what it multiplies. Nothing for NULL. */
void report_blas(FILE *out, const json_t *blas);
/* Bytes a parameter of a record of kind "train" or "plan": of what outlives a step, and beside it the least that AdamW
 * with FP32 masters, gradients and moments can do with. */
void report_each(FILE *out, const json_t *record);
/* A record of kind "plan". And of one with points of a scaling curve, what they take. */
void report_plan(FILE *out, const json_t *record);
void report_scale_plan(FILE *out, const json_t *record);

/* A record of kind "info". */
void report_info(FILE *out, const json_t *record);

/* Records of kind "launches" as one table; formats are those of report_format_name. CSV has plain numbers in SI units.
 */
enum report_format { REPORT_TEXT, REPORT_MD, REPORT_CSV };
const char *report_format_name(int format); /* "text", "md", "csv"; NULL after the last */
void report_launches(FILE *out, const json_t *summaries, enum report_format format);

/* A record of kind "comm" as a line. It follows the record `last`; NULL: it is the first, and the table's head comes
 * before. An operation in a group starts with the names of the columns. */
void report_comm(FILE *out, const json_t *record, const json_t *last);
/* The sizes among an array of such records as comma-separated values, with a header line. */
void report_comm_csv(FILE *out, const json_t *records);

/* Records of kind "kernel": the table's head, one line, and the summary of all. */
void report_kernels_head(FILE *out, const json_t *machine, int threads, const char *from);
void report_kernel(FILE *out, const json_t *record);
void report_kernels_end(FILE *out, const json_t *records);
/* A record of kind "roofs". */
void report_roofs(FILE *out, const json_t *record);
/* Records that toise import made, as a table. */
void report_import(FILE *out, const json_t *records);
/* A record of kind "nodes". Its last line is for sbatch. */
void report_nodes(FILE *out, const json_t *record);
/* A record of kind "ab". */
void report_ab(FILE *out, const json_t *record);
/* The shapes that toise kernels --dry-run lists. */
void report_kernels_plan(FILE *out, const json_t *cases);

/* A record of kind "accept". */
void report_accept(FILE *out, const json_t *record);
/* A record of kind "compare". all: list every pair, cause and difference. */
void report_compare(FILE *out, const json_t *record, bool all);
/* A record of kind "scale". */
void report_scale(FILE *out, const json_t *record);

/* A record of kind "jobs". */
void report_jobs(FILE *out, const json_t *record);

#endif
