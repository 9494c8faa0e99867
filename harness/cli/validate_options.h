/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags of `toise validate`. */
#ifndef TOISE_CLI_VALIDATE_OPTIONS_H
#define TOISE_CLI_VALIDATE_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/error.h"

struct cli_validate_flags {
    const char *table, *parameters, *out;  /* table: NULL is the catalogue's */
    double mean, median, unused, coverage; /* goals, percent; NAN: none */
    bool fit, ablate, summary, json, help;
};

int cli_validate_flags_parse(struct cli_validate_flags *flags, int argc, char *const *argv, struct base_error *e);
void cli_validate_flags_help(FILE *out);

#endif
