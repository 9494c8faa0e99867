/* SPDX-License-Identifier: Apache-2.0
 *
 * What measuring a curve takes, before it is measured: seconds and node-hours, as if every point were as efficient as
 * one unit. So they are the least: the gate, start-up and lost efficiency come on top. */
#ifndef TOISE_SWEEP_COST_H
#define TOISE_SWEEP_COST_H

#include "parallel/step.h"
#include "sweep/points.h"

/* How fast a unit is: by a stated rate, or by the parts of a short step of every rank. */
struct sweep_rate {
    double tokens_per_s;      /* of a unit; 0: not stated */
    double micro_s, update_s; /* forward and backward of a micro-batch; the rest of a step */
};

/* Trains two short steps on every rank at once, each alone, and takes the slowest rank's second one. `request` has the
 * model, the micro-batch and the threads. Collective. */
int sweep_rate_measure(struct sweep_rate *rate, const struct plan_request *request, const struct kernel_ops *ops,
                       uint64_t seed, struct comm *world, struct base_error *e);

struct sweep_work {
    int64_t seq, micro_batch;
    int warmup, steps, repeats; /* of a run; of the curve */
    int nodes;                  /* of the allocation */
};

/* The object `scaling` of a plan: what each point takes, and all of them. */
json_t *sweep_cost_json(const struct sweep_points *points, const struct sweep_request *request,
                        const struct sweep_work *work, const struct sweep_rate *rate);

#endif
