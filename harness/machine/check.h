/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks that the figures of a machine agree with each other. Used only inside machine/. */
#ifndef TOISE_MACHINE_CHECK_H
#define TOISE_MACHINE_CHECK_H

#include "machine/machine.h"

/* Derives unstated facts: nodes from accelerators or the reverse; one node per scale-up domain. */
void machine_complete(struct machine *m);
/* BASE_USAGE names the fields that disagree, the usual mistake, and where: the machine's or the accelerator's file, or
 * the `change` ("--set nodes=64"; NULL: none). A range is refused only if no value in it could be right. */
int machine_check(const struct machine *m, const char *change, struct base_error *e);

#endif
