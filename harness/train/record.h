/* SPDX-License-Identifier: Apache-2.0
 *
 * A training run as a record (results/README.md has the schema), and what an earlier record says to the gate. */
#ifndef TOISE_TRAIN_RECORD_H
#define TOISE_TRAIN_RECORD_H

#include <jansson.h>

#include "train/train.h"

/* What identifies the work, beside the plan. */
struct train_identity {
    const char *workload; /* NULL: none */
    int workload_version;
    const char *launch;       /* id of this launch, same on all ranks */
    const char *threads_from; /* rank 0's, of measure_place */
};

/* The record as one JSON object, to be freed with json_decref; NULL when memory runs out. A status that is not
 * PASSED or INCONCLUSIVE leaves every rate out. machine is taken over (its reference is stolen). */
json_t *train_record(const struct train_result *result, const struct plan *plan, const struct train_options *options,
                     const struct train_identity *identity, const struct comm *world, json_t *machine);
/* The record's `config`: what makes two runs the same work. */
json_t *train_config(const struct plan *plan, const struct train_options *options);
/* The part of it that the plan says alone; and the precision's name, "fp32" or "bf16". */
json_t *train_plan_config(const struct plan *plan);
const char *train_precision(const struct plan *plan);
/* The plan and its ledger alone, as --dry-run shows them. */
json_t *train_plan_record(const struct plan *plan, const struct train_identity *identity);

/* Losses of the newest record in `path` of the same workload, sizes, precision, seed and data whose gate passed, be its
 * time inconclusive, become the options' history, for the caller to free; none when there is none or the file does not
 * exist. */
int train_history(const char *path, const struct plan *plan, struct train_options *options, struct base_error *e);

#endif
