/* SPDX-License-Identifier: Apache-2.0
 *
 * Pages of what was computed, not measured: projections, programmes, and published runs beside their predictions.
 *
 * The room forecast/ promises a page for each such record, from the record alone, as report/ does for measured ones. A
 * missing figure is shown as a dash or left out. It needs records/ and the marks of report/. It does not know how a
 * figure was computed. */
#ifndef TOISE_FORECAST_FORECAST_H
#define TOISE_FORECAST_FORECAST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A record of kind "validate". rows: list single runs. */
void forecast_validate(FILE *out, const json_t *record, bool rows);
/* A record of kind "project"; and a table that compares several. */
void forecast_project(FILE *out, const json_t *record);
void forecast_project_side_by_side(FILE *out, json_t *const *records, int count);
/* A record of kind "project" of a measured machine. ops: list every operation. */
void forecast_measured(FILE *out, const json_t *record, bool ops);
/* A record of kind "campaign". */
void forecast_campaign(FILE *out, const json_t *record);
/* A record of kind "curve". */
void forecast_curve(FILE *out, const json_t *record);

#endif
