/* SPDX-License-Identifier: Apache-2.0
 *
 * The language of faults as structs. For this room. */
#ifndef TOISE_INJECT_FAULT_H
#define TOISE_INJECT_FAULT_H

#include "inject/inject.h"

enum { INJECT_MOST = 16, INJECT_PHASE = 32 };

struct inject_fault {
    enum inject_kind kind;
    int rank, node, peer; /* -1: not given; one of rank and node is */
    int step;             /* -1: not given */
    int times, done;      /* how often; 0: always. How often so far */
    int signal;           /* 0: none */
    double factor, seconds;
    char phase[INJECT_PHASE]; /* "": not given */
};

/* faults[INJECT_MOST], *count of them. Errors as of inject_open. */
int inject_read(const char *text, int ranks, int nodes, struct inject_fault *faults, int *count, struct base_error *e);

#endif
