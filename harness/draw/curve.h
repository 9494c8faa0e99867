/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws a record of kind "curve". */
#ifndef TOISE_DRAW_CURVE_H
#define TOISE_DRAW_CURVE_H

#include <jansson.h>

#include "base/error.h"

/* An SVG file with published points, predicted lines and their bands. It is written whole or not at all. BASE_BROKEN.
 */
int draw_curve(const json_t *record, const char *path, struct base_error *e);
/* BASE_USAGE with the fix: gnuplot is not installed. */
int draw_check(struct base_error *e);

#endif
