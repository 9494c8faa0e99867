/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline with one slow node, for each place of the node. */
#include "project/straggler.h"

#include <stdlib.h>

#include "project/stages.h"

/* Neighbours in the pipeline that a node holds. */
static int ranks_of_node(const struct project_job *job) {
    const struct plan_layout *l = &job->layout;
    const double ranks = job->platform.node_accelerators / ((double)l->tp * l->cp * l->dp);
    return ranks < 1 ? 1 : ranks > l->pp ? l->pp : (int)ranks;
}

int project_straggler_find(const struct project_job *job, const struct project_step *step, double slower,
                           struct project_straggler *x, struct base_error *e) {
    struct project_pipeline pipeline;
    struct project_stage *stages = NULL;
    struct project_timeline even, slow;
    const int ranks = ranks_of_node(job);
    *x = (struct project_straggler){.slower = slower, .step_s = step->total};
    int code = project_stages_fill(job, step, &pipeline, &stages, e);
    if (!code) code = project_pipeline_estimate(&pipeline, &even, e);
    pipeline.slower = slower, pipeline.slow_count = ranks;
    for (int first = 0; !code && first < job->layout.pp; first += ranks) {
        pipeline.slow_first = first;
        code = project_pipeline_estimate(&pipeline, &slow, e);
        if (!code && step->total + slow.span - even.span > x->step_s)
            x->step_s = step->total + slow.span - even.span, x->rank = first;
    }
    free(stages);
    x->loss = x->step_s / step->total - 1;
    return code;
}
