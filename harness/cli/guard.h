/* SPDX-License-Identifier: Apache-2.0
 *
 * --timeout: a watchdog (guard/watchdog.h) over all ranks of the world. */
#ifndef TOISE_CLI_GUARD_H
#define TOISE_CLI_GUARD_H

#include "cli/options.h"
#include "comm/comm.h"

extern const struct cli_option cli_guard_option[]; /* --timeout: double, seconds; 0: no watchdog */

/* Watches the world from now until it is closed. Ranks that wait in operations of the world or its groups count as
 * waiting. Call it before groups are made. If the ranks of a node share no memory, each watches itself and its peers by
 * UDP only. Collective. BASE_USAGE: a timeout under a second. BASE_BROKEN: no memory, socket or thread for it. */
int cli_guard_open(struct comm *world, double timeout_s, struct base_error *e);

#endif
