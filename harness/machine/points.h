/* SPDX-License-Identifier: Apache-2.0
 *
 * Adds single records of toise to a machine: kinds "kernel" and "comm" (results/README.md). Used only inside machine/.
 * BASE_USAGE names file, line and field of a record that lacks a field or contradicts itself. */
#ifndef TOISE_MACHINE_POINTS_H
#define TOISE_MACHINE_POINTS_H

#include "machine/machine.h"
#include "records/get.h"

int machine_points_kernel(struct machine *m, const struct record_line *line);
int machine_points_comm(struct machine *m, const struct record_line *line);
/* Call it after the last record. Takes the median of the launches, and keeps each shape's fastest variant. */
void machine_points_finish(struct machine *m);
/* "f32", "bf16" */
bool machine_points_dtype(const char *name, enum machine_dtype *dtype);

#endif
