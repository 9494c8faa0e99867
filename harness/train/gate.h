/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate checks results; if it fails, the run is FAILED and has no rate. Part 1 runs a shrunken model of the same
 * family through the same layout, precision and kernels. It compares the result with a serial FP64 step. Part 2 checks
 * the timed sizes. Part 3 checks the losses after timing. Every residual is an error divided by what rounding explains.
 * So one threshold serves all checks, as in HPL. */
#ifndef TOISE_TRAIN_GATE_H
#define TOISE_TRAIN_GATE_H

#include "check/checks.h"
#include "check/rounding.h"
#include "model/reference.h"
#include "parallel/step.h"

struct train_gate {
    double residual[CHECK_COUNT]; /* NAN: did not run */
    char where[CHECK_COUNT][96];  /* the worst place: a tensor, a matmul; "": nothing to say */
};

void train_gate_clear(struct train_gate *gate);
/* Whether no residual exceeds the threshold. Checks that did not run are ignored. */
bool train_gate_passed(const struct train_gate *gate);
/* Keeps the worst residual of a check. NaN counts as infinite. */
void train_gate_note(struct train_gate *gate, enum check check, double residual, const char *where);
/* All ranks get the worst of each check over the world (collective). */
void train_gate_agree(struct train_gate *gate, struct comm *world);

/* Part 1 (collective). `request` is what will be timed. */
int train_gate_path(struct train_gate *gate, const struct plan_request *request, struct comm *world,
                    const struct kernel_ops *ops, uint64_t seed, struct base_error *e);
/* The same on a shrunken model's engine that the caller opened, and may have made faulty. */
int train_gate_path_on(struct train_gate *gate, struct parallel_engine *engine, uint64_t seed, struct base_error *e);
/* The request of the shrunken plan: same family, precision, ranks and threads. Its sizes reach every edge case. */
struct plan_request train_gate_shrink(const struct plan_request *request);

/* Part 2 (collective): one micro-batch's gradients on the engine that will be timed. Leaves its weights unchanged. */
int train_gate_full(struct train_gate *gate, struct parallel_engine *engine, const struct data_source *source,
                    struct base_error *e);

/* Part 3: checks the n timed losses and norms, then compares the first losses, TRAIN_GATE_COMPARED at most, with an
 * earlier record's. */
enum { TRAIN_GATE_COMPARED = 20 };
void train_gate_finite(struct train_gate *gate, const double *loss, const double *grad_norm, int n);
void train_gate_history(struct train_gate *gate, enum kernel_dtype dtype, const double *loss, const double *earlier,
                        int n, const char *where);
/* Compares the first steps of a point of a scaling curve with those of its base: losses, and gradient norms unless they
 * are NULL. `where` names the base. */
struct train_gate_steps {
    const double *loss, *grad_norm; /* [n] */
};
void train_gate_base(struct train_gate *gate, enum kernel_dtype dtype, const struct train_gate_steps *mine,
                     const struct train_gate_steps *base, int n, const char *where);

#endif
