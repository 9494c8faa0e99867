/* SPDX-License-Identifier: Apache-2.0
 *
 * Strong scaling does the same work at each point: losses and gradient norms must agree. Weak scaling has other
 * batches, which only the run itself can check. */
#include <math.h>
#include <string.h>

#include "check/rounding.h"
#include "gate/gate.h"
#include "scale/parts.h"

/* The first steps of a record, as far as it has them. */
struct steps {
    double loss[GATE_COMPARED], grad_norm[GATE_COMPARED];
    int count;
};

static int at_most(size_t n) {
    return n < GATE_COMPARED ? (int)n : GATE_COMPARED;
}

static void read_steps(struct steps *s, const json_t *record) {
    const int losses = at_most(record_reals(record, "result.loss", s->loss, GATE_COMPARED));
    const int norms = at_most(record_reals(record, "result.grad_norm", s->grad_norm, GATE_COMPARED));
    s->count = losses < norms ? losses : norms;
    if (record_at(record, "result.first_step")) s->count = 0; /* a run that goes on has other steps */
}

static void check_run(struct scale_run *r, const struct scale_run *base) {
    const bool bf16 = !strcmp(record_text(r->record, "config.precision"), "bf16");
    struct steps mine, first;
    struct gate gate;
    char place[256];
    read_steps(&mine, r->record);
    read_steps(&first, base->record);
    scale_place(base, place, sizeof place);
    if (!mine.count || !first.count) {
        r->status = STUDY_LAUNCH_INCONCLUSIVE;
        r->rate = NAN;
        snprintf(r->why, sizeof r->why, "its losses and gradient norms cannot be compared with the base's: %s",
                 mine.count ? "the base's record has none" : "its record has none");
        return;
    }
    gate_clear(&gate);
    gate_base(&gate, bf16 ? KERNEL_BF16 : KERNEL_F32, &(struct gate_steps){mine.loss, mine.grad_norm},
              &(struct gate_steps){first.loss, first.grad_norm}, mine.count < first.count ? mine.count : first.count,
              place);
    if (gate_passed(&gate)) return;
    r->status = STUDY_LAUNCH_FAILED;
    r->rate = NAN;
    snprintf(r->why, sizeof r->why, "the result differs from the base's: %.200s: residual %.3g, threshold %g",
             gate.where[CHECK_BASE], gate.residual[CHECK_BASE], CHECK_THRESHOLD);
}

void scale_runs_check(struct scale_curve *c) {
    const struct scale_run *base = NULL;
    if (c->mode != RECORD_STRONG) return;
    for (int i = 0; i < c->run_count; i++) {
        struct scale_run *r = &c->runs[i];
        if (r->status == STUDY_LAUNCH_UNVERIFIED || isnan(r->rate)) continue;
        if (!base)
            base = r;
        else if (record_whole(r->record, "config.seed") == record_whole(base->record, "config.seed"))
            check_run(r, base);
    }
}
