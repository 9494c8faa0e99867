/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranks that are not alike are named before anything is timed. */
#ifndef TOISE_CLI_ALIKE_H
#define TOISE_CLI_ALIKE_H

#include "comm/comm.h"

/* BASE_USAGE on all ranks: another version or build of toise, another MPI, or other flags on some. cli_open calls it.
 * Collective. */
int cli_alike_program(struct comm *world, int argc, char *const *argv, struct base_error *e);
/* For commands that time all ranks as one, as a record names one instruction set. BASE_USAGE on all ranks: they would
 * run different ones. Rank 0 warns if processors differ otherwise; cpu: this one's name. Collective. */
int cli_alike_kernels(struct comm *world, const char *cpu, struct base_error *e);

#endif
