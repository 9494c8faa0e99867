/* SPDX-License-Identifier: Apache-2.0
 *
 * Layers, embedding and head into virtual stages. */
#include "project/stages.h"

#include <stdlib.h>

/* Of embedding and head a third is forward, as of any matmul. */
static const double FORWARD = 1.0 / 3;

/* Layers of a stage; as slots, embedding and head take the place of a layer each. */
static double layers_of(const struct project_job *job, int stage, int stages) {
    const int64_t layers = (int64_t)job->shape.layers;
    if (!job->practice.slots || stages == 1) return (double)plan_layout_layers(&job->layout, layers, stage);
    const int64_t slots = plan_layout_layers(&job->layout, layers + 2, stage);
    return (double)(slots - (stage == 0) - (stage == stages - 1));
}

int project_stages_fill(const struct project_job *job, const struct project_step *step,
                        struct project_pipeline *pipeline, struct project_stage **stages, struct base_error *e) {
    const int count = job->layout.pp * job->layout.vp;
    struct project_stage *s = calloc((size_t)count, sizeof *s);
    *stages = s;
    if (!s) return base_fail(e, BASE_BROKEN, "out of memory for %d stages", count);
    for (int i = 0; i < count; i++) {
        const double layers = layers_of(job, i, count);
        const double ends = (i == 0 ? step->stage_table : 0) + (i == count - 1 ? step->stage_head : 0);
        s[i] = (struct project_stage){
            .forward = layers * step->layer_forward + FORWARD * ends,
            .backward = layers * step->layer_backward + (1 - FORWARD) * ends,
            .weight = layers * step->layer_weight,
            .reduce = step->data_parallel / job->layout.vp,
        };
    }
    *pipeline = (struct project_pipeline){.stages = s, .hop = step->hop, .blocking = true};
    plan_layout_pipeline(&job->layout, &job->batch, &pipeline->plan);
    return BASE_OK;
}
