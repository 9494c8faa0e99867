/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's flags as static data: a row is one flag, with the offset of its value in the command's struct of flags.
 * Reading, defaults, ranges, refusals, help, and which files are read or written follow from the rows. */
#ifndef TOISE_CLI_OPTIONS_H
#define TOISE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum cli_kind {
    CLI_FLAG,    /* bool: given or not */
    CLI_ALONE,   /* bool: asks for something else, so that rules do not count: --help, --list */
    CLI_TEXT,    /* const char *: pointing into argv */
    CLI_INTEGER, /* int64_t within [min, max] */
    CLI_NUMBER,  /* double within [min, max] */
    CLI_CHOICE,  /* int: index of one of its words; -1: not given, and without a default */
    CLI_WORD,    /* const char *: one word beside the flags, wherever it stands; name is what it is called */
    CLI_SHARED   /* rows of another list; `at` is the offset of their struct */
};

/* What the path in a CLI_TEXT or CLI_WORD is for. */
enum cli_file { CLI_NO_FILE, CLI_READ, CLI_READ_LIST /* "a,b,c" */, CLI_WRITTEN };

struct cli_option {
    const char *name, *alias; /* "--gbs", "--global-batch-size"; alias may be NULL */
    enum cli_kind kind;
    size_t at; /* offsetof(struct flags, global_batch) */
    double min, max;
    const char *(*word)(int i);      /* of a choice: NULL after the last */
    const char *fallback;            /* an absent flag's value, shown as its default; NULL: the value is left alone */
    enum cli_file file;              /* see cli_options_apart */
    const char *hint;                /* what follows the flag in the help: "N", "PATH" */
    const char *help;                /* of a choice: what follows its words. NULL: not for users, and not listed */
    const struct cli_option *shared; /* ends, as every list does, with a row without name */
};

/* What flags ask of each other. Lists of names are apart by blanks. */
struct cli_rule {
    const char *given;    /* where one of these is given (NULL: always), */
    const char *needs;    /* one of these must be, too, */
    const char *excludes; /* and none of these may be */
    const char *text;     /* "GIVEN text", or "GIVEN and EXCLUDED text; leave out one of the two" */
};

struct cli_command {
    const char *name; /* "train" */
    const struct cli_option *options;
    const struct cli_rule *rules; /* ends with one without text; NULL: none */
    const char *usage, *notes;    /* of the help, above and below the options; notes may be NULL */
};

/* Reads argv[0..argc) into `flags`: "--name value" or "--name=value". BASE_USAGE for an unknown flag, a missing or
 * misplaced value, a number out of bounds, an unexpected word, a broken rule; a repeated flag's last value counts. */
int cli_options_read(const struct cli_command *command, void *flags, int argc, char *const *argv, struct base_error *e);
void cli_options_help(FILE *out, const struct cli_command *command);
/* BASE_USAGE where a file that is written is also read or written as another. */
int cli_options_apart(const struct cli_command *command, const void *flags, struct base_error *e);

#endif
