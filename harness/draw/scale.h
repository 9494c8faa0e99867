/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws a record of kind "scale". */
#ifndef TOISE_DRAW_SCALE_H
#define TOISE_DRAW_SCALE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

/* An SVG file: rate and efficiency of the points with their intervals, the models' lines with their bands, predictions.
 * It is written whole or not at all. BASE_BROKEN. draw_check (curve.h) says beforehand whether it can be. */
int draw_scale(const json_t *record, const char *path, struct base_error *e);
/* The gnuplot commands for both, below each other, without the terminal. Nothing is plotted, and false is returned, if
 * no point has a rate. */
bool draw_scale_script(FILE *script, const json_t *record);

#endif
