/* SPDX-License-Identifier: Apache-2.0
 *
 * Passes over memory, which the ledger lists beside matmuls, attention and messages. For plan/ only. */
#ifndef TOISE_PLAN_PASSES_H
#define TOISE_PLAN_PASSES_H

#include "plan/plan.h"

/* Appends an operation; the caller fills in the rest. */
struct plan_op *plan_ledger_add(struct plan_ledger *ledger, enum plan_kind kind, enum plan_phase phase, const char *op,
                                const char *name, double count);
/* A pass over rows x cols elements that moves `bytes` for each element; none if count is 0. */
void plan_ledger_pass(struct plan_ledger *ledger, enum plan_phase phase, const char *op, const char *name, double count,
                      int64_t rows, int64_t cols, double bytes, enum kernel_dtype in);
/* Those of the layers and of the embedding. */
void plan_ledger_passes(struct plan_ledger *ledger, const struct plan *plan, const struct model_params *params);

#endif
