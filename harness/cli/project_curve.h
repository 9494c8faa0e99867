/* SPDX-License-Identifier: Apache-2.0
 *
 * What `toise project --curve` shows and draws. */
#ifndef TOISE_CLI_PROJECT_CURVE_H
#define TOISE_CLI_PROJECT_CURVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* A record of kind "curve" as a page. */
void cli_report_curve(FILE *out, const json_t *record);
/* The same as an SVG file, whole or not at all, drawn by gnuplot: published points, predicted lines and their bands. */
int cli_draw_curve(const json_t *record, const char *path, struct base_error *e);
/* Whether there is a gnuplot: BASE_USAGE with the fix. */
int cli_draw_check(struct base_error *e);

#endif
