/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise comm`, and the sizes that they come to. */
#ifndef TOISE_CLI_COMM_OPTIONS_H
#define TOISE_CLI_COMM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "bench/comm.h"

struct cli_comm_flags {
    const char *op, *bytes, *model, *out;
    int64_t threads;
    double seconds, width;
    bool json, help, model_given;
};

int cli_comm_flags_parse(struct cli_comm_flags *flags, int argc, char *const *argv, struct base_error *e);
void cli_comm_flags_help(FILE *out);
/* Sizes: those of --bytes, or 16 KiB and each four times larger up to the model's gradient, and that. */
int cli_comm_resolve(const struct cli_comm_flags *flags, struct bench_comm_options *options, struct base_error *e);

#endif
