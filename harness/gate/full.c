/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 2 of the gate, at the timed sizes. One micro-batch runs through a kernel table that checks each matmul and
 * attention after running it. The loss of one sequence's first PLAN_GATE_TOKENS tokens is compared with FP64. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gate/checked.h"
#include "gate/gate.h"
#include "parallel/collect.h"

/* A sequence's loss averages the rounding of many tokens; only part of it grows with depth. */
#define FULL_UNITS 1.0

/* Compares the losses of the first tokens of the micro-batch's first sequence, which the path left in MODEL_LOSS. */
static int check_loss(struct gate *gate, struct parallel_engine *g, struct parallel_reader *reader,
                      struct base_error *e) {
    const struct model_shape *shape = &g->plan->shape;
    const int64_t n = shape->seq < PLAN_GATE_TOKENS ? shape->seq : PLAN_GATE_TOKENS;
    const float *mine = g->model.buffers[MODEL_LOSS];
    struct model_reference r = {.params = &g->whole,
                                .shape = *shape,
                                .weights = kernel_attention_weights(&g->ops, shape->dtype),
                                .read = parallel_read,
                                .context = reader};
    r.shape.config = &g->plan->request.config;
    r.shape.batch = 1;
    r.shape.seq = n;
    double *loss = malloc((size_t)n * sizeof *loss), difference = 0, sum = 0;
    if (!loss) return base_fail(e, BASE_BROKEN, "out of memory for the gate's losses");
    int code = model_reference_step(&r, g->inputs, g->targets, 0, loss, NULL, e);
    if (code && reader->values) { /* the others wait for this rank to read on */
        fprintf(stderr, "toise: rank %d: the gate's loss: %s\n", g->world->rank, e->text);
        comm_abort(g->world, code);
    }
    const bool heads = !g->plan->part.lacks_head;
    for (int64_t i = 0; i < n && !code && heads; i++) {
        difference += mine[i] - loss[i];
        sum += loss[i];
    }
    free(loss);
    if (!code && heads)
        gate_note(gate, CHECK_LOSS_FULL, fabs(difference) / (sum * check_unit(shape->dtype) * FULL_UNITS), "");
    return code;
}

int gate_full(struct gate *gate, struct parallel_engine *g, const struct data_source *source, struct base_error *e) {
    const struct plan_request *q = &g->plan->request;
    struct gate_checked checked;
    struct parallel_result unused = {0};
    struct parallel_reader reader;
    int code = gate_checked_open(&checked, gate, g, e);
    if ((code = comm_agree(g->world, code, e))) return code;
    const int64_t first = q->global_batch / q->layout.dp * g->plan->place.at[PLAN_DP];
    g->nulled = true;
    parallel_passes(g, source, 0, 1, &unused);
    g->nulled = false;
    data_fill(source, 0, q->global_batch, first, q->layout.micro_batch, g->inputs, g->targets); /* on every stage */
    gate_checked_close(&checked, g);
    code = comm_agree(g->world, parallel_reader_open(&reader, g, e), e);
    if (!code) code = comm_agree(g->world, check_loss(gate, g, &reader, e), e);
    parallel_reader_close(&reader);
    gate_agree(gate, g->world);
    return code;
}
