/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate: without PASSED there is no rate. Part 1 trains a shrunken model of the same family through the same
 * layout, precision and kernels and holds it against a serial FP64 step; part 2 checks the timed sizes; part 3,
 * after timing, the losses. Every residual is an error divided by what rounding explains, in one unit, so that one
 * threshold serves them all, as HPL's does. */
#ifndef TOISE_RUN_GATE_H
#define TOISE_RUN_GATE_H

#include "model/reference.h"
#include "parallel/step.h"

enum run_check {
    RUN_LOSS,      /* shrunken model: loss of the global batch */
    RUN_GRADIENTS, /* shrunken model: every tensor's gradient, the worst */
    RUN_OPTIMIZER, /* shrunken model: AdamW fed the path's own gradients */
    RUN_SUMS,      /* shrunken model: numbers with a known sum sent as its gradients are; 0, or infinite */
    RUN_REPLICAS,  /* shrunken model: all ranks hold the same bits afterwards; 0, or infinite */
    RUN_MATMUL,    /* timed sizes: every matmul of a micro-batch by Freivalds' check, the worst */
    RUN_ATTENTION, /* timed sizes: sampled rows of attention and its gradients */
    RUN_FULL,      /* timed sizes: one sequence's loss in FP64 */
    RUN_FINITE,    /* timed steps: losses and gradient norms are numbers; 0, or infinite */
    RUN_HISTORY,   /* timed steps: losses equal an earlier record's of the same workload and seed */
    RUN_CHECKS
};

/* The one threshold. The units (gate.c) are set such that over 20 seeds healthy code stays under a quarter of it
 * and each injected fault exceeds it tenfold; tests/mpi/test_gate.c holds both. */
#define RUN_THRESHOLD 16.0

struct run_gate {
    double residual[RUN_CHECKS]; /* NAN: did not run */
    char where[RUN_CHECKS][96];  /* what was worst: a tensor, a matmul; "" when there is nothing to say */
};

void run_gate_clear(struct run_gate *gate);
const char *run_check_name(enum run_check check);
/* What a check's residual counts, for reports: "loss, small model vs FP64". */
const char *run_check_text(enum run_check check);
/* No residual above the threshold, and none of those that ran not a number. */
bool run_gate_passed(const struct run_gate *gate);
/* Keeps the worst: NaN counts as infinite. */
void run_gate_note(struct run_gate *gate, enum run_check check, double residual, const char *where);
/* All ranks take the worst of each check over the world (collective). */
void run_gate_agree(struct run_gate *gate, struct comm *world);

/* Rounding unit of a dtype, the most that rounding to nearest changes a number by, relative: 2^-24, 2^-8. */
double run_unit(enum kernel_dtype dtype);

/* Part 1 (collective): `request` is what will be timed. */
int run_gate_path(struct run_gate *gate, const struct plan_request *request, struct comm *world,
                  const struct kernel_ops *ops, uint64_t seed, struct base_error *e);
/* The same on an engine of the shrunken model that the caller opened (and may have made faulty). */
int run_gate_path_on(struct run_gate *gate, struct parallel_engine *engine, uint64_t seed, struct base_error *e);
/* The shrunken plan's request: same family, precision, ranks and threads; sizes that reach every edge. */
struct plan_request run_gate_shrink(const struct plan_request *request);

/* Part 2 (collective): one micro-batch's gradients on the engine to be timed; weights are not changed. */
int run_gate_full(struct run_gate *gate, struct parallel_engine *engine, const struct data_source *source,
                  struct base_error *e);

/* Part 3: the timed losses and norms themselves (n of each), then the first of them against a record's. */
void run_gate_finite(struct run_gate *gate, const double *loss, const double *grad_norm, int n);
void run_gate_history(struct run_gate *gate, enum kernel_dtype dtype, const double *loss, const double *earlier, int n,
                      const char *where);

#endif
