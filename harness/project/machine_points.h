/* SPDX-License-Identifier: Apache-2.0
 *
 * What single records of toise add to a machine: kinds "kernel" and "comm", as results/README.md has them; for project/
 * alone. A record that lacks what its kind must have, or contradicts itself, is BASE_USAGE with file, line and field.
 */
#ifndef TOISE_PROJECT_MACHINE_POINTS_H
#define TOISE_PROJECT_MACHINE_POINTS_H

#include <jansson.h>

#include "project/machine.h"

struct project_points {
    struct project_machine *m;
    const char *path;
    long line; /* of the record at hand */
    struct base_error *e;
};

int project_points_kernel(struct project_points *p, const json_t *record);
int project_points_comm(struct project_points *p, const json_t *record);
/* After the last record: launches become medians, and of each shape's variants the fastest stays. */
void project_points_finish(struct project_machine *m);
/* BASE_USAGE: the field of the record at hand, and what is wrong with it. */
int project_points_refuse(const struct project_points *p, const char *field, const char *why);
/* "f32", "bf16" */
bool project_points_dtype(const char *name, enum project_dtype *dtype);

#endif
