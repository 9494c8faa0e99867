/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 2 of the gate, at the timed sizes. One micro-batch runs through a kernel table that checks each matmul and
 * attention after running it: of context parallel ranks with the keys that came, which only part 1 compares. The loss
 * of one sequence's first PLAN_GATE_TOKENS tokens is compared with FP64. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate/checked.h"
#include "gate/gate.h"
#include "parallel/collect.h"

/* A sequence's loss averages the rounding of many tokens; only part of it grows with depth. */
#define FULL_UNITS 1.0

/* The first `count` tokens of the micro-batch's first sequence, and their losses in FP64. */
struct prefix {
    int64_t count;
    int32_t *inputs, *targets; /* of the whole sequence */
    double *loss;
    int32_t *choice; /* of experts: [layers][count][active]; NULL: the model is dense */
};
static int prefix_open(struct prefix *p, const struct parallel_engine *g, struct base_error *e) {
    const int64_t seq = g->plan->request.seq;
    p->count = seq < PLAN_GATE_TOKENS ? seq : PLAN_GATE_TOKENS;
    p->inputs = malloc(2 * (size_t)seq * sizeof *p->inputs);
    p->targets = p->inputs ? p->inputs + seq : NULL;
    p->loss = malloc((size_t)p->count * sizeof *p->loss);
    const struct model_config *c = &g->plan->request.config;
    if (c->experts > 0) p->choice = calloc((size_t)(c->layers * p->count * c->active), sizeof *p->choice);
    return p->inputs && p->loss && (p->choice || c->experts == 0)
               ? BASE_OK
               : base_fail(e, BASE_BROKEN, "out of memory for the gate's sequence");
}
static void prefix_close(struct prefix *p) {
    free(p->inputs), free(p->loss), free(p->choice);
}

/* Each rank of these groups has some of the prefix's layers or tokens. */
static int collect_choices(struct parallel_engine *g, const struct prefix *p, struct base_error *e) {
    const struct model_config *c = &g->plan->request.config;
    struct comm *const groups[] = {g->groups.context, g->groups.stages};
    int code = BASE_OK;
    for (int i = 0; i < 2 && p->choice && !code; i++)
        if (groups[i]) code = parallel_sum_choices(groups[i], p->choice, c->layers * p->count * c->active, e);
    return comm_agree(g->world, code, e);
}

/* Compares the losses of these tokens, as far as this rank has them, which the path left in MODEL_LOSS. */
static int check_loss(struct gate *gate, struct parallel_engine *g, struct parallel_reader *reader,
                      const struct prefix *prefix, struct base_error *e) {
    const struct model_shape *shape = &g->plan->shape;
    const float *mine = g->model.buffers[MODEL_LOSS];
    struct model_reference r = {.params = &g->whole,
                                .shape = *shape,
                                .weights = kernel_attention_weights(&g->ops, shape->dtype),
                                .read = parallel_read,
                                .context = reader,
                                .choice = prefix->choice};
    r.shape.config = &g->plan->request.config;
    r.shape.batch = 1;
    r.shape.seq = prefix->count;
    double sums[3] = {0}; /* of differences, of losses, of tokens; over all ranks that share the sequence */
    int code = model_reference_step(&r, prefix->inputs, prefix->targets, 0, prefix->loss, NULL, e);
    if (code && reader->values) { /* the others wait for this rank to read on */
        fprintf(stderr, "toise: rank %d: the gate's loss: %s\n", g->world->rank, e->text);
        comm_abort(g->world, code);
    }
    const bool heads = !g->plan->part.lacks_head;
    for (int64_t i = 0; i < shape->seq && !code && heads; i++) {
        const int64_t at = model_context_position(shape->context, shape->seq, i);
        if (at >= prefix->count) continue;
        sums[0] += mine[i] - prefix->loss[at];
        sums[1] += prefix->loss[at];
        sums[2]++;
    }
    if (g->groups.context) g->groups.context->ops->sum(g->groups.context, sums, 3);
    if (!code && sums[2] > 0)
        gate_note(gate, CHECK_LOSS_FULL, fabs(sums[0]) / (sums[1] * check_unit(shape->dtype) * FULL_UNITS), "");
    return code;
}

int gate_full(struct gate *gate, struct parallel_engine *g, const struct data_source *source, struct base_error *e) {
    const struct plan_request *q = &g->plan->request;
    struct gate_checked checked;
    struct parallel_result unused = {0};
    struct parallel_reader reader = {0};
    struct prefix prefix = {0};
    int code = comm_agree(g->world, prefix_open(&prefix, g, e), e);
    if (!code) code = comm_agree(g->world, gate_checked_open(&checked, gate, g, e), e);
    if (code) {
        prefix_close(&prefix);
        return code;
    }
    g->nulled = true;
    g->chosen = prefix.choice, g->chosen_first = parallel_first(g), g->chosen_samples = 1, g->chosen_seq = prefix.count;
    parallel_passes(g, source, 0, 1, &unused);
    g->nulled = false;
    g->chosen = NULL;
    data_fill(source, 0, q->global_batch, parallel_first(g), 1, prefix.inputs, prefix.targets);
    gate_checked_close(&checked, g);
    code = collect_choices(g, &prefix, e);
    if (!code) code = comm_agree(g->world, parallel_reader_open(&reader, g, e), e);
    if (!code) code = comm_agree(g->world, check_loss(gate, g, &reader, &prefix, e), e);
    parallel_reader_close(&reader);
    prefix_close(&prefix);
    gate_agree(gate, g->world);
    return code;
}
