/* SPDX-License-Identifier: Apache-2.0
 *
 * Shares the base's losses and norms, and compares a run with them. */
#include "sweep/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "records/get.h"
#include "sweep/points.h"

int sweep_base_share(struct sweep_base *b, const json_t *record, struct comm *world, struct base_error *e) {
    int64_t head[3] = {0};
    *b = (struct sweep_base){0};
    if (world->rank == 0) {
        head[0] = record_whole(record, "scaling.n");
        head[1] = record_whole(record, "layout.world");
        head[2] = (int64_t)record_reals(record, "result.loss", NULL, 0);
    }
    world->ops->broadcast(world, head, sizeof head);
    b->n = (int)head[0];
    b->ranks = (int)head[1];
    b->steps = (int)head[2];
    const size_t room = (size_t)b->steps + 1;
    b->loss = calloc(room, sizeof *b->loss);
    b->grad_norm = calloc(room, sizeof *b->grad_norm);
    const int code = comm_agree(
        world, b->loss && b->grad_norm ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d losses", b->steps),
        e);
    if (code) return code;
    if (world->rank == 0) {
        record_reals(record, "result.loss", b->loss, room - 1);
        record_reals(record, "result.grad_norm", b->grad_norm, room - 1);
    }
    world->ops->broadcast(world, b->loss, (room - 1) * sizeof *b->loss);
    world->ops->broadcast(world, b->grad_norm, (room - 1) * sizeof *b->grad_norm);
    return BASE_OK;
}

void sweep_base_close(struct sweep_base *b) {
    free(b->loss), free(b->grad_norm);
}

/* The loss of the base's samples in this run's first step: its first ranks have them. Every rank has as many. */
static double first_loss(const struct sweep_base *b, const struct train_result *r) {
    double sum = 0;
    for (int i = 0; i < b->ranks; i++) sum += r->ranks[i].loss_first;
    return sum / b->ranks;
}

void sweep_check(const struct sweep_base *b, const struct record_scaling *at, enum kernel_dtype dtype,
                 struct train_result *r) {
    char where[64];
    if (!b->steps || !r->timed) return;
    snprintf(where, sizeof where, "the base, %d %s", b->n, sweep_unit_text(at->unit, b->n));
    if (at->mode == RECORD_WEAK) {
        const double first = first_loss(b, r);
        const struct gate_steps mine = {&first, NULL}, base = {b->loss, NULL};
        gate_base(&r->gate, dtype, &mine, &base, 1, where);
    } else {
        const struct gate_steps mine = {r->loss, r->grad_norm}, base = {b->loss, b->grad_norm};
        gate_base(&r->gate, dtype, &mine, &base, r->steps < b->steps ? r->steps : b->steps, where);
    }
}
