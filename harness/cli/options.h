/* SPDX-License-Identifier: Apache-2.0
 *
 * Options as a table: one row is one flag, its alias, its kind, its bounds and its help. */
#ifndef TOISE_CLI_OPTIONS_H
#define TOISE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "comm/comm.h"

enum cli_kind {
    CLI_FLAG,    /* bool: given or not */
    CLI_TEXT,    /* const char *: pointing into argv */
    CLI_INTEGER, /* int64_t within [low, high] */
    CLI_NUMBER,  /* double within [low, high] */
    CLI_WORD     /* const char *: one word beside the flags, wherever it stands; name is what it is called */
};

struct cli_option {
    const char *name, *alias; /* "--gbs", "--global-batch-size"; alias may be NULL */
    enum cli_kind kind;
    void *value;      /* bool, const char *, int64_t or double; left alone when the flag is absent */
    double low, high; /* of numbers */
    const char *hint; /* what follows the flag in the help: "N", "PATH" */
    const char *help; /* NULL: not for users, and not listed */
    bool *given;      /* set when the flag is present; may be NULL */
};

/* Reads argv[0..argc) by the table: "--name value" or "--name=value". BASE_USAGE for an unknown flag, a missing or
 * misplaced value, a number out of bounds, an unexpected word; a repeated flag's last value counts.
 * `command` is named in the hint to its help. */
int cli_options_parse(const struct cli_option *options, int count, int argc, char *const *argv, const char *command,
                      struct base_error *e);
/* Refuses, on all ranks alike, words (after the first) that differ between ranks: these would do different work, or
 * wait for each other for ever. */
int cli_options_agree(struct comm *world, int argc, char *const *argv, struct base_error *e);
void cli_options_help(FILE *out, const struct cli_option *options, int count);

#endif
