/* SPDX-License-Identifier: Apache-2.0
 *
 * What single records of toise add to a machine: kinds "kernel" and "comm", as results/README.md has them; for project/
 * alone. A record that lacks what its kind must have, or contradicts itself, is BASE_USAGE with file, line and field.
 */
#ifndef TOISE_MACHINE_POINTS_H
#define TOISE_MACHINE_POINTS_H

#include "machine/machine.h"
#include "records/get.h"

int machine_points_kernel(struct machine *m, const struct record_line *line);
int machine_points_comm(struct machine *m, const struct record_line *line);
/* After the last record: launches become medians, and of each shape's variants the fastest stays. */
void machine_points_finish(struct machine *m);
/* "f32", "bf16" */
bool machine_points_dtype(const char *name, enum machine_dtype *dtype);

#endif
