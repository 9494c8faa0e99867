/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate checks results; if it fails, the run is FAILED and has no rate. Part 1 runs a shrunken model of the same
 * family through the same layout, precision and kernels. It compares the result with a serial FP64 step. Part 2 checks
 * the timed sizes. Part 3 checks the losses after timing. Every residual is an error divided by what rounding explains.
 * So one threshold serves all checks, as in HPL. */
#ifndef TOISE_GATE_GATE_H
#define TOISE_GATE_GATE_H

#include "check/checks.h"
#include "check/rounding.h"
#include "model/reference.h"
#include "parallel/step.h"

struct gate {
    double residual[CHECK_COUNT]; /* NAN: did not run */
    char where[CHECK_COUNT][96];  /* the worst place: a tensor, a matmul; "": nothing to say */
};

void gate_clear(struct gate *gate);
/* Whether no residual exceeds the threshold. Checks that did not run are ignored. */
bool gate_passed(const struct gate *gate);
/* Keeps the worst residual of a check. NaN counts as infinite. */
void gate_note(struct gate *gate, enum check check, double residual, const char *where);
/* All ranks get the worst of each check over the world (collective). */
void gate_agree(struct gate *gate, struct comm *world);

/* Part 1 (collective). `request` is what will be timed. */
int gate_path(struct gate *gate, const struct plan_request *request, struct comm *world, const struct kernel_ops *ops,
              uint64_t seed, struct base_error *e);
/* The same on a shrunken model's engine that the caller opened, and may have made faulty. */
int gate_path_on(struct gate *gate, struct parallel_engine *engine, uint64_t seed, struct base_error *e);
/* The request of the shrunken plan: same family, precision, ranks and threads. Its sizes reach every edge case. */
struct plan_request gate_shrink(const struct plan_request *request);

/* Part 2 (collective): one micro-batch's gradients on the engine that will be timed. Leaves its weights unchanged. */
int gate_full(struct gate *gate, struct parallel_engine *engine, const struct data_source *source,
              struct base_error *e);

/* Part 3: checks the n timed losses and norms, then compares the losses of steps first .. first + n - 1 with an
 * earlier record's: those of the first GATE_COMPARED steps since both had the same weights, before step `since`. */
enum { GATE_COMPARED = 20 };
void gate_finite(struct gate *gate, const double *loss, const double *grad_norm, int n);
void gate_history(struct gate *gate, enum kernel_dtype dtype, const double *loss, const double *earlier, int64_t first,
                  int n, int64_t since, const char *where);
/* Compares the first steps of a point of a scaling curve with those of its base: losses, and gradient norms unless they
 * are NULL. `where` names the base. */
struct gate_steps {
    const double *loss, *grad_norm; /* [n] */
};
void gate_base(struct gate *gate, enum kernel_dtype dtype, const struct gate_steps *mine, const struct gate_steps *base,
               int n, const char *where);

#endif
