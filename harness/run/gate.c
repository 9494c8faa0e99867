/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate's bookkeeping, and the checks of the timed losses. */
#include "run/gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *text;
} checks[RUN_CHECKS] = {
    [RUN_LOSS] = {"loss", "loss, small model against FP64"},
    [RUN_GRADIENTS] = {"gradients", "gradients, small model against FP64"},
    [RUN_OPTIMIZER] = {"optimizer", "AdamW, small model against FP64"},
    [RUN_SUMS] = {"sums", "sums over ranks of known numbers"},
    [RUN_REPLICAS] = {"replicas", "same bits on all ranks"},
    [RUN_MATMUL] = {"matmul", "every matmul at full size (Freivalds)"},
    [RUN_ATTENTION] = {"attention", "sampled attention rows at full size"},
    [RUN_FULL] = {"full", "loss of one sequence at full size"},
    [RUN_FINITE] = {"finite", "timed losses and norms are numbers"},
    [RUN_HISTORY] = {"history", "timed losses against earlier records"},
};

const char *run_check_name(enum run_check check) {
    return checks[check].name;
}
const char *run_check_text(enum run_check check) {
    return checks[check].text;
}

double run_unit(enum kernel_dtype dtype) {
    return dtype == KERNEL_F32 ? 0x1p-24 : 0x1p-8;
}

void run_gate_clear(struct run_gate *gate) {
    memset(gate, 0, sizeof *gate);
    for (int i = 0; i < RUN_CHECKS; i++) gate->residual[i] = NAN;
}

void run_gate_note(struct run_gate *gate, enum run_check check, double residual, const char *where) {
    if (isnan(residual)) residual = INFINITY;
    if (!isnan(gate->residual[check]) && residual <= gate->residual[check]) return;
    gate->residual[check] = residual;
    snprintf(gate->where[check], sizeof gate->where[check], "%.95s", where);
}

bool run_gate_passed(const struct run_gate *gate) {
    for (int i = 0; i < RUN_CHECKS; i++)
        if (gate->residual[i] > RUN_THRESHOLD) return false;
    return true;
}

void run_gate_agree(struct run_gate *gate, struct comm *world) {
    struct run_gate *all = calloc((size_t)world->size, sizeof *all);
    if (!all) comm_abort(world, BASE_BROKEN);
    world->ops->gather(world, gate, sizeof *gate, all);
    for (int rank = 0; rank < world->size; rank++)
        for (int i = 0; i < RUN_CHECKS; i++)
            if (!isnan(all[rank].residual[i]))
                run_gate_note(gate, (enum run_check)i, all[rank].residual[i], all[rank].where[i]);
    free(all);
}

void run_gate_finite(struct run_gate *gate, const double *loss, const double *grad_norm, int n) {
    char where[64];
    run_gate_note(gate, RUN_FINITE, 0, "");
    for (int i = 0; i < n; i++) {
        if (isfinite(loss[i]) && isfinite(grad_norm[i])) continue;
        snprintf(where, sizeof where, "step %d: loss %g, grad norm %g", i, loss[i], grad_norm[i]);
        run_gate_note(gate, RUN_FINITE, INFINITY, where);
    }
}

/* Rounding is fed back through the weights, so two right runs part exponentially: losses of a tiny model in FP32 agree
 * to 1e-8 for 50 steps over instruction sets, to 1e-6 at 100, and differ by 1% where training is unstable at 200. Only
 * the first steps say anything, and there the difference grows no faster than the steps. */
void run_gate_history(struct run_gate *gate, enum kernel_dtype dtype, const double *loss, const double *earlier, int n,
                      const char *where) {
    enum { COMPARED = 20 };
    const double unit = dtype == KERNEL_F32 ? 0x1p-22 : 0x1p-11;
    char text[160];
    for (int i = 0; i < n && i < COMPARED; i++) {
        double residual = fabs(loss[i] - earlier[i]) / (fabs(earlier[i]) * unit * (1 + i));
        snprintf(text, sizeof text, "step %d of %s", i, where);
        run_gate_note(gate, RUN_HISTORY, residual, text);
    }
}
