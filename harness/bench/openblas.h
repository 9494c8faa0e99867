/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the OpenBLAS in use the wrong one for this CPU? One built with DYNAMIC_ARCH holds kernels of many core types and
 * takes one when it is loaded, by CPUID or by OPENBLAS_CORETYPE. So each type is tried in a process of its own, in
 * turns; types are judged by their medians and their fastest runs. */
#ifndef TOISE_BENCH_OPENBLAS_H
#define TOISE_BENCH_OPENBLAS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

enum { BENCH_CORES_MAX = 10, BENCH_CORE_ROUNDS = 5, BENCH_CORE_NAME = 32 };

/* How much faster another type must be before it is named: less is noise, or the shapes. */
#define BENCH_CORE_GAIN 1.2

struct bench_core {
    char name[BENCH_CORE_NAME]; /* value of OPENBLAS_CORETYPE; "": as it is now, or unset where that is forced */
    char core[BENCH_CORE_NAME]; /* the type that then ran; "" before */
    bool unset;                 /* OPENBLAS_CORETYPE taken away */
    bool dead;                  /* it gave no rate: the CPU cannot, OpenBLAS would not, or it took too long */
    int runs;
    double rates[BENCH_CORE_ROUNDS]; /* FLOP/s, one a process */
    double flop_per_s;               /* their median; NAN when dead */
};

struct bench_openblas {
    char core[BENCH_CORE_NAME], forced[BENCH_CORE_NAME]; /* in use; what OPENBLAS_CORETYPE says, "" unset */
    bool dynamic;                                        /* built for several types, and tried */
    struct bench_core cores[BENCH_CORES_MAX];            /* cores[0]: as it is now */
    int count;
    int best;      /* of cores: the fastest; taking the variable away where that is nearly as fast */
    double gain;   /* its rate over cores[0]'s, by medians or by the fastest runs, whichever is less; at least 1 */
    bool wrong;    /* gain >= BENCH_CORE_GAIN */
    bool timed;    /* its matmuls stand beside toise's; the caller's to say */
    char cure[64]; /* "export OPENBLAS_CORETYPE=SkylakeX", "unset OPENBLAS_CORETYPE"; "" when not wrong */
};

/* command: what a child is started with, NULL at its end; command[0] is the path of the program. It is to print a line
 * {"core": ..., "flop_per_s": ...}, as bench_openblas_probe does. Children get no environment of a launcher, and are
 * killed after `limit_s` seconds. */
void bench_openblas_try(struct bench_openblas *o, char *const command[], double limit_s);
/* The child's part: times a few FP32 matmuls on `threads` threads. BASE_BROKEN when memory is short. */
int bench_openblas_probe(int threads, double *flop_per_s, struct base_error *e);
/* Chooses best, gain, wrong and cure from the rates. */
void bench_openblas_judge(struct bench_openblas *o);
/* The `result` of a record of kind "openblas". */
json_t *bench_openblas_json(const struct bench_openblas *o);

#endif
