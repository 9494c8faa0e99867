/* SPDX-License-Identifier: Apache-2.0
 *
 * A training run as a record (results/README.md has the schema), and earlier losses for the gate to compare with. */
#ifndef TOISE_TRAIN_RECORD_H
#define TOISE_TRAIN_RECORD_H

#include <jansson.h>

#include "records/launch.h"
#include "records/scaling.h"
#include "train/train.h"

/* What identifies the work besides the plan. */
struct train_identity {
    const char *workload; /* NULL: none */
    int workload_version;
    const struct record_launch *launch;
    const char *threads_from;             /* rank 0's, from measure_place */
    const struct record_scaling *scaling; /* the point of a scaling curve that it measures; NULL: none */
    enum train_overlap_mode overlap;      /* as asked: auto is not in the layout */
};

/* The record as one JSON object, to be freed with json_decref. NULL when memory runs out. It has rates only if status
 * is PASSED or INCONCLUSIVE. Takes over the reference to machine. */
json_t *train_record(const struct train_result *result, const struct plan *plan, const struct train_options *options,
                     const struct train_identity *identity, const struct comm *world, json_t *machine);
/* The record's `config`. Two runs with the same one did the same work. */
json_t *train_config(const struct plan *plan, const struct train_options *options);
/* After train_inputs, with options->from. BASE_USAGE names a field in which the checkpoint's work differs: its config,
 * or the first samples of its data. Files may have other names. */
int train_same_work(const struct plan *plan, const struct train_options *options, struct base_error *e);
/* The part of `config` that comes from the plan. And the precision's name, "fp32" or "bf16". */
json_t *train_plan_config(const struct plan *plan);
const char *train_precision(const struct plan *plan);
/* The record's `result.overlap`, of a choice that was made; and read back. False: it says none. */
json_t *train_overlap_json(const struct train_overlap *overlap);
bool train_overlap_read(const json_t *o, struct train_overlap *overlap);
/* The record's `result.checkpoints`, of at least one. step_s: the mean step; 0: unknown. */
json_t *train_saves_json(const struct train_result *result, const struct plan *plan,
                         const struct train_options *options, double step_s);
/* The record's `layout`. */
json_t *train_layout(const struct plan *plan, int nodes, const struct train_identity *identity);
/* The plan and its ledger only, as --dry-run shows them. process_bytes: as train_process_bytes gives it. */
json_t *train_plan_record(const struct plan *plan, const struct train_identity *identity, double process_bytes);

/* Sets the options' history to the losses of the newest matching record in `path`; the caller frees it. A match has the
 * same workload, sizes, precision, seed and data, and this run's first step, and passed the gate; its timing may be
 * inconclusive. Sets no history
 * if there is no match or no such file. */
int train_history(const char *path, const struct plan *plan, struct train_options *options, struct base_error *e);

#endif
