/* SPDX-License-Identifier: Apache-2.0
 *
 * What the points of a curve must have in common with the base, the smallest one. A global batch that is fixed gives
 * the same losses and gradient norms at each step, over any number of ranks. A batch that grows with the units begins
 * with the base's samples: in the first step their loss is the same. */
#ifndef TOISE_SWEEP_CHECK_H
#define TOISE_SWEEP_CHECK_H

#include "records/scaling.h"
#include "train/train.h"

/* The base's first run, on every rank of the world. steps 0: it has not run. */
struct sweep_base {
    int n, ranks, steps;
    double *loss, *grad_norm; /* [steps] */
};

/* All ranks get the base from its record, which rank 0 has. A record without losses leaves steps 0. Collective. Close
 * it also after an error. */
int sweep_base_share(struct sweep_base *base, const json_t *record, struct comm *world, struct base_error *e);
void sweep_base_close(struct sweep_base *base);

/* Notes in the result's gate how far it is from the base (gate/gate.h has the bounds). The first 20 steps are
 * compared: rounding may part later ones. Nothing if the base has not run. The caller then judges the result anew. */
void sweep_check(const struct sweep_base *base, const struct record_scaling *at, enum kernel_dtype dtype,
                 struct train_result *result);

#endif
