/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a step's time goes, in order. Measured and predicted steps are divided alike, and their records name phases
 * alike. */
#ifndef TOISE_PLAN_PHASE_H
#define TOISE_PLAN_PHASE_H

enum plan_phase {
    PLAN_PHASE_BATCH, /* tokens of the micro-batches */
    PLAN_PHASE_ZERO,  /* clearing gradients */
    PLAN_PHASE_FORWARD,
    PLAN_PHASE_HEAD, /* logits, loss, and the head's gradients */
    PLAN_PHASE_BACKWARD,
    PLAN_PHASE_COMMUNICATION, /* waiting for sums that backward did not cover, and the loss's */
    PLAN_PHASE_CLIP,          /* the gradient's norm */
    PLAN_PHASE_UPDATE,
    PLAN_PHASES
};
const char *plan_phase_name(enum plan_phase phase);

#endif
