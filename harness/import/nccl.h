/* SPDX-License-Identifier: Apache-2.0
 *
 * What both outputs of nccl-tests share: one size, out of place or in place. */
#ifndef TOISE_IMPORT_NCCL_H
#define TOISE_IMPORT_NCCL_H

#include "import/job.h"

/* The run that the sizes belong to. */
struct nccl_run {
    char op[32];                /* "all_reduce"; "": the output does not name it */
    int ranks, nodes;           /* 0: unknown */
    long iterations;            /* that a time is the mean of; 0: unknown */
    long warmup;                /* -1: unknown */
    char device[64], host[128]; /* of rank 0 */
};

struct nccl_point {
    double bytes, count, time_s, algbw, busbw, wrong; /* bytes/s; wrong: NAN if nothing was checked */
    double min_s, max_s, p99_s, cv;                   /* of single iterations; NAN: not timed */
    char type[24], redop[24];
    long root;
    bool in_place;
    const json_t *times_us; /* of single iterations; NULL: only the mean is known */
    long line;              /* 0: of a JSON document */
};

/* Whether the line is the heading of the table. */
bool import_nccl_marks(const char *text);
/* "all_reduce_perf", also behind folders and with "_mpi", as toise names it: "all_reduce". False: another program. */
bool import_nccl_program(const char *text, char op[32]);
/* BASE_USAGE: nobody names the collective. */
int import_nccl_op(struct import_job *job, struct nccl_run *run, long line);
/* Adds the point's record. */
void import_nccl_record(struct import_job *job, const struct nccl_run *run, const struct nccl_point *p, int launch);

#endif
