/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as pages for people. Reads records and nothing else. */
#ifndef TOISE_REPORT_REPORT_H
#define TOISE_REPORT_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* Whether a person looks at `out`. Under a launcher nobody can tell: Open MPI gives ranks a terminal of its own. */
bool report_terminal(FILE *out);

/* A record's status in one word, coloured where a person looks. */
void report_status(FILE *out, const char *status);

/* Lines on the fields of a config.json that a record's config leaves out or did not read; none where there are none. */
void report_config(FILE *out, const json_t *config);
/* A record of kind "train" as a page for people; reads nothing but the record. */
void report_train(FILE *out, const json_t *record);
/* Parts of it: the median step and the wall clock; exposed communication; the line of a machine's CPU quota, if any. */
void report_clock(FILE *out, const json_t *record);
void report_exposed(FILE *out, const json_t *record);
void report_quota(FILE *out, const json_t *machine);
/* The same for a plan. */
void report_plan(FILE *out, const json_t *record);

/* Records of kind "comm": what stands above their lines, read from the first one; and one line. */
void report_comm_head(FILE *out, const json_t *record);
void report_comm(FILE *out, const json_t *record);

/* Records of kind "kernel": what stands above their lines, one line, and what they say together. */
void report_kernels_head(FILE *out, const json_t *machine, int threads, const char *from);
void report_kernel(FILE *out, const json_t *record);
void report_kernels_end(FILE *out, const json_t *records);
/* A record of kind "validate"; rows: with the lines of single runs. */
void report_validate(FILE *out, const json_t *record, bool rows);
/* A record of kind "project", and several machines in one table. */
void report_project(FILE *out, const json_t *record);
void report_project_side_by_side(FILE *out, json_t *const *records, int count);
/* A record of kind "project" of a measured machine; ops: with every operation. */
void report_measured(FILE *out, const json_t *record, bool ops);
/* A record of kind "campaign". */
void report_campaign(FILE *out, const json_t *record);
/* What --dry-run lists. */
void report_kernels_plan(FILE *out, const json_t *cases);

/* A record of kind "curve" as a page. */
void report_curve(FILE *out, const json_t *record);
/* The same as an SVG file, whole or not at all, drawn by gnuplot: published points, predicted lines and their bands. */
int report_draw_curve(const json_t *record, const char *path, struct base_error *e);
/* Whether there is a gnuplot: BASE_USAGE with the fix. */
int report_draw_check(struct base_error *e);

#endif
