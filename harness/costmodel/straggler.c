/* SPDX-License-Identifier: Apache-2.0
 *
 * Simulates the pipeline with the slow node in each of its places. */
#include "costmodel/straggler.h"

#include <stdlib.h>

#include "costmodel/stages.h"

/* Pipeline ranks of one replica that a node holds. */
static int ranks_of_node(const struct cost_job *job) {
    const struct plan_layout *l = &job->layout;
    const double ranks = job->platform.node_accelerators / ((double)l->tp * l->cp * l->dp);
    return ranks < 1 ? 1 : ranks > l->pp ? l->pp : (int)ranks;
}

int cost_straggler_find(const struct cost_job *job, const struct cost_step *step, double slower,
                        struct cost_straggler *x, struct base_error *e) {
    struct cost_pipeline pipeline;
    struct cost_stage *stages = NULL;
    struct cost_timeline even, slow;
    const int ranks = ranks_of_node(job);
    *x = (struct cost_straggler){.slower = slower, .step_s = step->total};
    int code = cost_stages_fill(job, step, &pipeline, &stages, e);
    if (!code) code = cost_pipeline_estimate(&pipeline, &even, e);
    pipeline.slower = slower, pipeline.slow_count = ranks;
    for (int first = 0; !code && first < job->layout.pp; first += ranks) {
        pipeline.slow_first = first;
        code = cost_pipeline_estimate(&pipeline, &slow, e);
        if (!code && step->total + slow.span - even.span > x->step_s)
            x->step_s = step->total + slow.span - even.span, x->rank = first;
    }
    free(stages);
    x->loss = x->step_s / step->total - 1;
    return code;
}
