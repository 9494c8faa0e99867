/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs child processes to their end and returns what they printed. */
#ifndef TOISE_BASE_CHILD_H
#define TOISE_BASE_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct base_child_how {
    double limit_s;      /* then the child and its children are killed */
    size_t most;         /* bytes of standard output that are kept; the rest is read and dropped */
    bool pass_errors;    /* the child shares standard error; else its end is kept */
    bool clean;          /* the environment lacks launcher variables and OPENBLAS_CORETYPE */
    double stop_s;       /* a child that got this process's signal has so long to end by itself, and its output is kept;
                          * 0: 5 s, and nothing is kept */
    const char *setting; /* "NAME=value", added to the environment; NULL: nothing */
};

struct base_child_end {
    int code;          /* the exit code; of a signal 128 + its number, as shells say */
    bool late;         /* killed after limit_s */
    double seconds;    /* wall time from start to end */
    char *out;         /* standard output, ended by NUL; the caller frees it. Never NULL after BASE_OK */
    size_t size;       /* without the NUL */
    char errors[1024]; /* the end of standard error */
    int signal;        /* that this process got meanwhile, and passed on; 0: none */
};

/* Runs command[0] with these arguments, found by PATH, in a process group of its own. Its standard input is empty.
 * What it leaves behind is killed. BASE_BROKEN: it cannot be started, or this process got SIGINT, SIGTERM or SIGHUP,
 * which its group then got too. *end is then empty but for `signal`, unless stop_s kept the rest. Not for several
 * threads at once. */
int base_child_run(char *const command[], const struct base_child_how *how, struct base_child_end *end,
                   struct base_error *e);
/* Between these calls such a signal does not end this process: the child that runs, or the next one, returns
 * BASE_BROKEN. For loops over children that keep what they have. Calls may be nested. */
void base_child_hold_signals(void);
void base_child_release_signals(void);

/* Kills the child that runs, and what it started; for a process that is about to end without returning. From any
 * thread. */
void base_child_kill(void);

/* For a child that answers in one line: a clean run without errors. Its standard output goes into line[size]. True: it
 * exited with 0 within limit_s. */
bool base_child(char *const command[], const char *setting, double limit_s, char *line, int size);

#endif
