/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate's residuals, and the checks of the timed losses. */
#include "gate/gate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gate_clear(struct gate *gate) {
    memset(gate, 0, sizeof *gate);
    for (int i = 0; i < CHECK_COUNT; i++) gate->residual[i] = NAN;
}

void gate_note(struct gate *gate, enum check check, double residual, const char *where) {
    if (isnan(residual)) residual = INFINITY;
    if (!isnan(gate->residual[check]) && residual <= gate->residual[check]) return;
    gate->residual[check] = residual;
    snprintf(gate->where[check], sizeof gate->where[check], "%.95s", where);
}

bool gate_passed(const struct gate *gate) {
    for (int i = 0; i < CHECK_COUNT; i++)
        if (gate->residual[i] > CHECK_THRESHOLD) return false;
    return true;
}

void gate_agree(struct gate *gate, struct comm *world) {
    struct gate *all = calloc((size_t)world->size, sizeof *all);
    if (!all) comm_abort(world, BASE_BROKEN);
    world->ops->all_gather(world, gate, sizeof *gate, all);
    for (int rank = 0; rank < world->size; rank++)
        for (int i = 0; i < CHECK_COUNT; i++)
            if (!isnan(all[rank].residual[i]))
                gate_note(gate, (enum check)i, all[rank].residual[i], all[rank].where[i]);
    free(all);
}

void gate_finite(struct gate *gate, const double *loss, const double *grad_norm, int n) {
    char where[64];
    gate_note(gate, CHECK_FINITE, 0, "");
    for (int i = 0; i < n; i++) {
        if (isfinite(loss[i]) && isfinite(grad_norm[i])) continue;
        snprintf(where, sizeof where, "step %d: loss %g, grad norm %g", i, loss[i], grad_norm[i]);
        gate_note(gate, CHECK_FINITE, INFINITY, where);
    }
}

/* Training feeds rounding back through the weights, so two correct runs diverge exponentially. Across instruction sets,
 * FP32 losses of a tiny model agree to 1e-8 for 50 steps and to 1e-6 at 100. They differ by 1% where training is
 * unstable at 200. So only the first steps are compared; there the difference grows no faster than the steps. */
static void compare(struct gate *gate, enum check check, double unit, const double *mine, const double *theirs,
                    int64_t first, int n, int64_t since, const char *where) {
    char text[160];
    for (int64_t step = first; step < first + n && step < since + GATE_COMPARED; step++) {
        const double a = mine[step - first], b = theirs[step - first];
        const double residual = fabs(a - b) / (fabs(b) * unit * (double)(1 + step - since));
        snprintf(text, sizeof text, "step %lld of %s", (long long)step, where);
        gate_note(gate, check, residual, text);
    }
}

static double loss_unit(enum kernel_dtype dtype) {
    return dtype == KERNEL_F32 ? 0x1p-22 : 0x1p-11;
}
/* A norm has the relative error of its gradient, which is less exact than a mean of losses. */
static double norm_unit(enum kernel_dtype dtype) {
    return dtype == KERNEL_F32 ? 0x1p-20 : 0x1p-9;
}

void gate_history(struct gate *gate, enum kernel_dtype dtype, const double *loss, const double *earlier, int64_t first,
                  int n, int64_t since, const char *where) {
    compare(gate, CHECK_HISTORY, loss_unit(dtype), loss, earlier, first, n, since, where);
}

void gate_base(struct gate *gate, enum kernel_dtype dtype, const struct gate_steps *mine, const struct gate_steps *base,
               int n, const char *where) {
    char norm[128];
    snprintf(norm, sizeof norm, "%s, gradient norm", where);
    compare(gate, CHECK_BASE, loss_unit(dtype), mine->loss, base->loss, 0, n, 0, where);
    if (base->grad_norm) compare(gate, CHECK_BASE, norm_unit(dtype), mine->grad_norm, base->grad_norm, 0, n, 0, norm);
}
