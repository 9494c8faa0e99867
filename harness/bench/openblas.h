/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the OpenBLAS in use runs the wrong kernels for this CPU. An OpenBLAS built with DYNAMIC_ARCH has kernels of
 * many core types and picks one when loaded, by CPUID or OPENBLAS_CORETYPE. So each type runs in its own process, in
 * alternating rounds. Types are judged by their medians and their fastest runs. */
#ifndef TOISE_BENCH_OPENBLAS_H
#define TOISE_BENCH_OPENBLAS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"

enum { BENCH_CORES_MAX = 10, BENCH_CORE_ROUNDS = 5, BENCH_CORE_NAME = 32 };

/* How much faster another type must be to be named. Less is noise, or depends on shapes. */
#define BENCH_CORE_GAIN 1.2

struct bench_core {
    char name[BENCH_CORE_NAME]; /* value of OPENBLAS_CORETYPE; "": as now, or unset where it is set */
    char core[BENCH_CORE_NAME]; /* the type that then ran; "" before */
    bool unset;                 /* runs with OPENBLAS_CORETYPE unset */
    bool dead;                  /* no rate: the CPU cannot run it, OpenBLAS refused, or it took too long */
    int runs;
    double rates[BENCH_CORE_ROUNDS]; /* FLOP/s, one per process */
    double flop_per_s;               /* their median; NAN when dead */
};

struct bench_openblas {
    char core[BENCH_CORE_NAME], forced[BENCH_CORE_NAME]; /* core: in use; forced: OPENBLAS_CORETYPE, "" if unset */
    bool dynamic;                                        /* built for several types, which were tried */
    struct bench_core cores[BENCH_CORES_MAX];            /* cores[0]: as now */
    int count;
    int best;      /* index of the fastest; the unset one if it is nearly as fast */
    double gain;   /* its rate over cores[0]'s by medians or by fastest runs, whichever is less; at least 1 */
    bool wrong;    /* gain >= BENCH_CORE_GAIN */
    bool timed;    /* toise's matmuls are compared with its; set by the caller */
    char cure[64]; /* "export OPENBLAS_CORETYPE=SkylakeX", "unset OPENBLAS_CORETYPE"; "" when not wrong */
};

/* Tries each core type. command: how to start a child, ending in NULL; command[0] is the program's path. The child
 * prints a line {"core": ..., "flop_per_s": ...}, as from bench_openblas_probe. Children get no launcher environment
 * and are killed after `limit_s` seconds. */
void bench_openblas_try(struct bench_openblas *o, char *const command[], double limit_s);
/* The child's part: times a few FP32 matmuls on `threads` threads. BASE_BROKEN when memory is short. */
int bench_openblas_probe(int threads, double *flop_per_s, struct base_error *e);
/* Sets best, gain, wrong and cure from the rates. */
void bench_openblas_judge(struct bench_openblas *o);
/* The `result` of a record of kind "openblas". */
json_t *bench_openblas_json(const struct bench_openblas *o);

#endif
