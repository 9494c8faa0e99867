/* SPDX-License-Identifier: Apache-2.0
 *
 * Distributes layers, embedding and head over virtual stages. */
#include "costmodel/stages.h"

#include <math.h>
#include <stdlib.h>

/* Forward share of embedding and head, as of any matmul. */
static const double FORWARD = 1.0 / 3;

/* Layers of a stage. With slots, embedding and head each take a layer's place. */
static double layers_of(const struct cost_job *job, int stage, int stages) {
    const int64_t layers = job->model.layers;
    if (!job->traits.slots || stages == 1) return (double)plan_layout_layers(&job->layout, layers, stage);
    return (double)plan_layout_slots(&job->layout, layers, stage);
}

/* A layer's pass overlaps its messages, and both together take `whole`. Their interference is added to the longer. */
static void overlapped(double whole, double pass, double messages, double *computes, double *sends) {
    const bool hidden = messages <= pass;
    *computes = hidden ? whole : pass;
    *sends = hidden ? messages : whole;
}

/* ZeRO-3: each layer's weights are gathered, and its gradients reduce-scattered after each micro-batch. */
static void fill_sharded(const struct cost_step *step, bool ahead, struct cost_stage *s, int layers) {
    double forward = step->layer_forward - step->exposed_forward, gather = step->layer_gather;
    double backward = step->layer_backward - step->exposed_backward, both = gather + step->layer_scatter;
    if (ahead) {
        overlapped(step->layer_forward, forward, gather, &forward, &gather);
        overlapped(step->layer_backward, backward, both, &backward, &both);
    }
    for (int i = 0; i < layers; i++) {
        const double ends = (i == 0 ? step->stage_table : 0) + (i == layers - 1 ? step->stage_head : 0);
        s[i] = (struct cost_stage){.forward = forward + FORWARD * ends,
                                   .backward = backward + (1 - FORWARD) * ends,
                                   .gather = gather,
                                   .reduce = fmax(0, both - gather)};
    }
}

static void fill_staged(const struct cost_job *job, const struct cost_step *step, struct cost_stage *s, int count) {
    for (int i = 0; i < count; i++) {
        const double layers = layers_of(job, i, count);
        const double ends = (i == 0 ? step->stage_table : 0) + (i == count - 1 ? step->stage_head : 0);
        s[i] = (struct cost_stage){
            .forward = layers * step->layer_forward + FORWARD * ends,
            .backward = layers * step->layer_backward + (1 - FORWARD) * ends,
            .weight = layers * step->layer_weight,
            .reduce = step->data_parallel / job->layout.vp,
        };
    }
}

int cost_stages_fill(const struct cost_job *job, const struct cost_step *step, struct cost_pipeline *pipeline,
                     struct cost_stage **stages, struct base_error *e) {
    const bool sharded = job->layout.zero == 3 && job->layout.pp == 1 && job->layout.dp > 1;
    const int count = sharded ? (int)job->model.layers : job->layout.pp * job->layout.vp;
    struct cost_stage *s = calloc((size_t)count, sizeof *s);
    *stages = s;
    if (!s) return base_fail(e, BASE_BROKEN, "out of memory for %d stages", count);
    *pipeline = (struct cost_pipeline){.stages = s, .hop = step->hop, .blocking = true};
    plan_layout_pipeline(&job->layout, &job->batch, &pipeline->plan);
    if (!sharded) {
        fill_staged(job, step, s, count);
        return BASE_OK;
    }
    pipeline->plan.chunks = count;
    pipeline->plan.schedule = PLAN_1F1B;
    pipeline->overlap = cost_step_gathers_ahead(job);
    pipeline->reduce_each = true;
    fill_sharded(step, pipeline->overlap, s, count);
    return BASE_OK;
}

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
