/* SPDX-License-Identifier: Apache-2.0
 *
 * A command's flags as static data. A row is one flag, with the offset of its value in the command's struct of flags.
 * Parsing, defaults, ranges, error messages, help and the check of files all use the rows. */
#ifndef TOISE_CLI_OPTIONS_H
#define TOISE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"

enum cli_kind {
    CLI_FLAG,    /* bool: given or not */
    CLI_ALONE,   /* bool: replaces the command's work, so rules are not checked: --help, --list */
    CLI_TEXT,    /* const char *, pointing into argv */
    CLI_INTEGER, /* int64_t within [min, max] */
    CLI_NUMBER,  /* double within [min, max] */
    CLI_SHARE,   /* double within [min, max], written as "1%" or 0.01 */
    CLI_CHOICE,  /* int: index of the word; -1: not given and no default */
    CLI_WORD,    /* const char *: a positional argument, at any place; its name is used in messages */
    CLI_WORDS,   /* struct cli_words: all other positional arguments, in order; the last row of its kind */
    CLI_RENAMED, /* a flag of earlier versions: refused with what to give instead, which is its hint: "--ci 5%" */
    CLI_SHARED   /* the rows of another list; `at` is the offset of their struct */
};

enum { CLI_WORDS_MOST = 8192 };
struct cli_words {
    int count;
    const char *word[CLI_WORDS_MOST]; /* pointing into argv */
};

/* What the path of a CLI_TEXT, or the paths of CLI_WORD and CLI_WORDS, are used for. */
enum cli_file { CLI_NO_FILE, CLI_READ, CLI_READ_LIST /* "a,b,c" */, CLI_WRITTEN };

struct cli_option {
    const char *name, *alias; /* "--gbs", "--global-batch-size"; alias may be NULL */
    enum cli_kind kind;
    size_t at; /* offsetof(struct flags, global_batch) */
    double min, max;
    const char *(*word)(int i);      /* a choice's words; NULL after the last */
    const char *fallback;            /* default, shown in the help; NULL: the value is not touched */
    bool once;                       /* a list: a second one would silently replace the first */
    enum cli_file file;              /* see cli_options_apart */
    const char *hint;                /* the value's placeholder in the help: "N", "PATH" */
    const char *help;                /* a choice's words are printed before it. NULL: internal flag, not listed */
    const struct cli_option *shared; /* like every list, it ends with a row without a name */
};

/* A rule about combinations of flags. Names in a list are separated by blanks. */
struct cli_rule {
    const char *given;    /* if one of these is given (NULL: always), */
    const char *needs;    /* then one of these must be given */
    const char *excludes; /* and none of these may be given */
    const char *text;     /* the message: "GIVEN text", or "GIVEN and EXCLUDED text; leave out one of the two" */
};

struct cli_command {
    const char *name; /* "train" */
    const struct cli_option *options;
    const struct cli_rule *rules; /* ends with a rule without text; NULL: no rules */
    const char *usage, *notes;    /* help above and below the options; notes may be NULL */
};

/* Reads argv[0..argc) into `flags`: "--name value" or "--name=value". The last value of a repeated flag counts,
 * unless it is a `once` flag. BASE_USAGE: an unknown flag, or one given twice that may be given once; a missing value,
 * or a flag where it must stand; a number out of range, an unexpected argument, a broken rule. */
int cli_options_read(const struct cli_command *command, void *flags, int argc, char *const *argv, struct base_error *e);
void cli_options_help(FILE *out, const struct cli_command *command);
/* BASE_USAGE: a file that is written is also given as another input or output. */
int cli_options_apart(const struct cli_command *command, const void *flags, struct base_error *e);

#endif
