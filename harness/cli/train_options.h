/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise train`, and what they come to. */
#ifndef TOISE_CLI_TRAIN_OPTIONS_H
#define TOISE_CLI_TRAIN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/catalog.h"
#include "plan/plan.h"
#include "train/train.h"

struct cli_train_flags {
    const char *model, *workload, *precision, *data, *format, *init, *save, *out, *backend;
    int64_t layers, micro_batch, global_batch, seq, steps, warmup, threads, seed, world;
    double lr, width, budget;
    bool json, dry_run, no_gate, help;
    bool model_given, seq_given, batch_given, layers_given, lr_given, world_given;
};

/* What the flags come to. */
struct cli_train_setup {
    struct plan_request request;
    struct train_options options;
    struct cli_workload workload; /* .name[0] == 0: none */
    enum kernel_backend backend;
};

int cli_train_flags_parse(struct cli_train_flags *flags, int argc, char *const *argv, struct base_error *e);
void cli_train_flags_help(FILE *out);
/* Reads the catalogue and settles every default but threads and an absent micro-batch (left 0). */
int cli_train_resolve(const struct cli_train_flags *flags, int world, struct cli_train_setup *setup,
                      struct base_error *e);

#endif
