/* SPDX-License-Identifier: Apache-2.0
 *
 * What the price of a step needs to know of a machine. */
#ifndef TOISE_COSTMODEL_PLATFORM_H
#define TOISE_COSTMODEL_PLATFORM_H

#include "costmodel/job.h"
#include "machine/machine.h"

/* Where facts of the machine are ranges: their slow ends, their middles, their fast ends. */
enum cost_side { COST_SLOW, COST_MIDDLE, COST_FAST, COST_SIDES };

/* How far a result may be trusted, from the most to the least. */
enum cost_label {
    COST_INTERPOLATED, /* runs of its class, at least as large, were fitted: its interval holds nine times in ten */
    COST_EXTRAPOLATED, /* none was: nobody has seen how often it holds */
    COST_PROMISED      /* the machine is announced, or made up */
};
const char *cost_label_name(enum cost_label label); /* "interpolated", "extrapolated", "announced" */

/* Fills *x for `dtype` and a job of so many nodes, which cross levels of the network. What a driver shows as one device
 * is one accelerator of the platform: an MI250X is two. *unlike: why no fitted run speaks for such a machine, or NULL.
 * Accelerators that none was fitted on get a share of their peak from the best matmul that was measured, or of
 * Calculon's file, or the range of those that were. BASE_USAGE: the accelerator lacks the type, or a fact that the
 * price needs is unknown; names both and how to set it.
 */
int cost_platform_fill(const struct machine *m, enum machine_dtype dtype, double nodes, enum cost_side side,
                       struct cost_platform *x, const char **unlike, struct base_error *e);

/* The accelerator's part of that: its class, and what the class does not say. *unlike is as it was where runs on the
 * accelerator were fitted. */
int cost_platform_class(const struct machine *m, enum machine_dtype dtype, enum cost_side side, struct cost_platform *x,
                        const char **unlike, struct base_error *e);

/* Of the facts that the price of a step reads, the one that is known least well: its key and its status. */
const char *cost_platform_weakest(const struct machine *m, enum machine_dtype dtype, enum machine_status *status);

/* The widest 16-bit type that it multiplies, BF16 first; else FP32. */
enum machine_dtype cost_platform_dtype(const struct machine *m);

#endif
