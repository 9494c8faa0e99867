/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns a machine's facts into what the price of a step reads (struct cost_platform). It also says how far a projection
 * on that machine can be trusted. It does not know the job, except its number of nodes. */
#ifndef TOISE_COSTMODEL_PLATFORM_H
#define TOISE_COSTMODEL_PLATFORM_H

#include "costmodel/job.h"
#include "machine/machine.h"

/* Which end to take where facts are ranges. */
enum cost_side { COST_SLOW, COST_MIDDLE, COST_FAST, COST_SIDES };

/* How far a result may be trusted, from the most to the least. */
enum cost_label {
    COST_INTERPOLATED, /* runs of its class, at least as large, were fitted: 90% lie in the interval */
    COST_EXTRAPOLATED, /* no such run was fitted: the interval's coverage is unknown */
    COST_PROMISED      /* the machine is announced or hypothetical */
};
const char *cost_label_name(enum cost_label label); /* "interpolated", "extrapolated", "announced" */

/* Fills *x for `dtype` and a job of `nodes` nodes, which decides the network levels that it crosses. A device of the
 * driver is one accelerator here, so an MI250X is two. *unlike: why no fitted run resembles this machine, or NULL.
 * Without fitted runs, an accelerator's share of peak comes from the best measured matmul. The next choices are
 * Calculon's file, then the range of the fitted classes.
 * BASE_USAGE: the accelerator lacks the type, or a needed fact is unknown. The message names it and how to set it. */
int cost_platform_fill(const struct machine *m, enum machine_dtype dtype, double nodes, enum cost_side side,
                       struct cost_platform *x, const char **unlike, struct base_error *e);

/* The accelerator's part of it: its class, and the share of peak if the class has none. *unlike is left alone where
 * runs on the accelerator were fitted. */
int cost_platform_class(const struct machine *m, enum machine_dtype dtype, enum cost_side side, struct cost_platform *x,
                        const char **unlike, struct base_error *e);

/* The least certain of the facts that the price of a step reads: returns its key and sets its status. */
const char *cost_platform_weakest(const struct machine *m, enum machine_dtype dtype, enum machine_status *status);

/* BF16 if the accelerator multiplies it, else FP16, else FP32. */
enum machine_dtype cost_platform_dtype(const struct machine *m);

#endif
