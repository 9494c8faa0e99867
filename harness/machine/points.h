/* SPDX-License-Identifier: Apache-2.0
 *
 * What single records of toise add to a machine: kinds "kernel" and "comm", as results/README.md has them; for project/
 * alone. A record that lacks what its kind must have, or contradicts itself, is BASE_USAGE with file, line and field.
 */
#ifndef TOISE_MACHINE_POINTS_H
#define TOISE_MACHINE_POINTS_H

#include <jansson.h>

#include "machine/machine.h"

struct machine_points {
    struct machine *m;
    const char *path;
    long line; /* of the record at hand */
    struct base_error *e;
};

int machine_points_kernel(struct machine_points *p, const json_t *record);
int machine_points_comm(struct machine_points *p, const json_t *record);
/* After the last record: launches become medians, and of each shape's variants the fastest stays. */
void machine_points_finish(struct machine *m);
/* BASE_USAGE: the field of the record at hand, and what is wrong with it. */
int machine_points_refuse(const struct machine_points *p, const char *field, const char *why);
/* "f32", "bf16" */
bool machine_points_dtype(const char *name, enum machine_dtype *dtype);

#endif
