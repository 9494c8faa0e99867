/* SPDX-License-Identifier: Apache-2.0
 *
 * The phases of a step's time, in order. Measured and predicted steps use the same phases, and so do their records. */
#ifndef TOISE_PLAN_PHASE_H
#define TOISE_PLAN_PHASE_H

enum plan_phase {
    PLAN_PHASE_BATCH, /* fetching the micro-batches' tokens */
    PLAN_PHASE_ZERO,  /* clearing gradients */
    PLAN_PHASE_FORWARD,
    PLAN_PHASE_HEAD, /* logits, loss, and the head's gradients */
    PLAN_PHASE_BACKWARD,
    PLAN_PHASE_PIPELINE,      /* waiting for other stages: the bubble, and activations that come late */
    PLAN_PHASE_COMMUNICATION, /* exposed messages of gradients, and that of the loss */
    PLAN_PHASE_CLIP,          /* the gradient's norm */
    PLAN_PHASE_UPDATE,
    PLAN_PHASES
};
const char *plan_phase_name(enum plan_phase phase);

#endif
