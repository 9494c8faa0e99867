/* SPDX-License-Identifier: Apache-2.0
 *
 * MPI behind a narrow face; the only room that includes mpi.h. Every call is made by the thread that called
 * comm_open (MPI_THREAD_FUNNELED). Calls go through a table, so that a table that only counts can take its
 * place in tests. A comm is the world or a group of its ranks; nothing is kept outside it. An MPI error aborts the job
 * with exit code 4 and says which call failed. */
#ifndef TOISE_COMM_COMM_H
#define TOISE_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct comm;

/* A sum in flight; the caller owns it, comm fills it. */
struct comm_request {
    void *handle; /* the backend's own */
    bool active;
};

struct comm_ops {
    /* In-place sum over the comm's ranks, all getting the same bits; returns at once. The buffer must stay
     * untouched until complete. Requests of a comm are started in the same order on every rank of it. */
    void (*all_reduce_start)(struct comm *, float *buffer, int64_t count, struct comm_request *);
    /* Lets outstanding requests advance without blocking, those of the world and all its groups; cheap when there
     * are none. */
    void (*progress)(struct comm *);
    /* Blocks until the request is complete; the others advance meanwhile, so waits may come in any order. */
    void (*wait)(struct comm *, struct comm_request *);
    /* Blocking, small; requests stand still meanwhile. In-place sum or maximum of n doubles; all ranks get the same
     * bits. */
    void (*sum)(struct comm *, double *x, int n);
    void (*max)(struct comm *, double *x, int n);
    void (*barrier)(struct comm *);
    /* Rank 0's bytes to all; every rank's `bytes` bytes, in rank order, into all[size][bytes] on every rank. */
    void (*broadcast)(struct comm *, void *data, size_t bytes);
    void (*all_gather)(struct comm *, const void *mine, size_t bytes, void *all);
    /* Behind the functions of these names. */
    int (*agree)(struct comm *, int code, struct base_error *);
    int (*split)(struct comm *, int colour, int key, struct comm *group, struct base_error *);
    void (*close)(struct comm *);
};

struct comm {
    const struct comm_ops *ops;
    int rank, size;
    int node, nodes;            /* nodes are told apart by shared memory (MPI_COMM_TYPE_SHARED) */
    int local_rank, local_size; /* within the node */
    void *state;                /* the backend's own */
};

/* Starts MPI and describes the world. Called once. When it fails, MPI is ended and *world empty but for its rank. */
int comm_open(struct comm *world, struct base_error *e);
/* Collective over the comm's ranks, with no request in flight; leaves *comm empty. Groups go before the world. */
void comm_close(struct comm *comm);
/* One rank, no MPI: every sum is the value itself. For commands and tests that need no launcher. */
void comm_serial(struct comm *world);
/* No rank: size 0, rank -1. Every operation does nothing, and closing it too. */
void comm_empty(struct comm *comm);

/* Collective over `world`, itself the world or a group: the ranks of one colour become *group, ordered by key, then
 * by their rank in the world; its nodes are numbered anew. A rank of colour < 0 is in none: its *group is empty. A
 * group has requests of its own and is closed like the world. Either all ranks get theirs or none. */
int comm_split(struct comm *world, int colour, int key, struct comm *group, struct base_error *e);

/* Whether a launcher (mpirun, srun) started this process, told from its environment before MPI starts. */
bool comm_launched(void);
/* Refuses (BASE_USAGE) a world that is not what the nearest launcher started by OMPI_COMM_WORLD_SIZE, else PMI_SIZE,
 * else SLURM_STEP_NUM_TASKS: under another MPI's launcher every process is a world of its own. Each rank for itself. */
int comm_launcher_check(const struct comm *world, struct base_error *e);

/* The worst code over all ranks (collective): every rank returns it, and *e everywhere holds the lowest such
 * rank's words. So ranks agree before any exits. */
int comm_agree(struct comm *world, int code, struct base_error *e);
/* Ends the whole job at once with this exit code: for faults after which ranks cannot agree any more. */
void comm_abort(struct comm *world, int code) __attribute__((noreturn));
/* "Open MPI v4.1.4, ..." */
const char *comm_library(void);

#endif
