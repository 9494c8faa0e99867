/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs gnuplot.
 *
 * The room draw/ promises an SVG from a gnuplot script, and drawings of records (curve.h). It needs base/ and records/.
 * It does not know how a figure was computed. */
#ifndef TOISE_DRAW_GNUPLOT_H
#define TOISE_DRAW_GNUPLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

/* Whether gnuplot is installed. */
bool draw_gnuplot_found(void);
/* The SVG that gnuplot makes of a script, for the caller to free. NULL: it failed. */
char *draw_gnuplot(const char *script, size_t size);
/* The same into a file, whole or not at all. BASE_BROKEN with the reason. */
int draw_gnuplot_file(const char *script, size_t size, const char *path, struct base_error *e);
/* Writes 'text' with its quotes doubled and control characters as blanks: in single quotes gnuplot reads no commands.
 */
void draw_quote(FILE *script, const char *text);

#endif
