/* SPDX-License-Identifier: Apache-2.0
 *
 * What the figures of a machine must be to each other, whoever stated them; for machine/ alone. */
#ifndef TOISE_MACHINE_CHECK_H
#define TOISE_MACHINE_CHECK_H

#include "machine/machine.h"

/* Fills in what follows from what is stated: nodes or accelerators from the other, one node a scale-up domain. */
void machine_complete(struct machine *m);
/* BASE_USAGE names the machine's or the accelerator's file, or the `change` ("--set nodes=64") if one was made; the
 * fields that disagree; and the usual mistake. A range is refused where none of it could be right. */
int machine_check(const struct machine *m, const char *change, struct base_error *e);

#endif
