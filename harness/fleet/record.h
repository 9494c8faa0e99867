/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of kind "nodes". Its keys are in results/README.md. */
#ifndef TOISE_FLEET_RECORD_H
#define TOISE_FLEET_RECORD_H

#include "fleet/judge.h"
#include "measure/record.h"

struct fleet_context {
    const struct measure_origin *origin;
    const struct plan *plan;
    const json_t *history; /* of fleet_history_read */
    const json_t *missing; /* hosts that should have ranks and have none */
    const char *broken;    /* why the run broke; NULL: it did not */
    int lost;              /* the unit that no longer answered then; -1: none in particular */
};

/* A new reference. Its status: FAILED, a node is not good; INCONCLUSIVE, too little was measured or not all could be
 * judged; else PASSED. */
json_t *fleet_record(const struct fleet *f, const struct fleet_judgement *j, const struct fleet_context *context);

#endif
