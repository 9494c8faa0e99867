/* SPDX-License-Identifier: Apache-2.0
 *
 * MPI behind a narrow interface; the only room that includes mpi.h. A comm (communicator) is the world or a group of
 * its ranks; no state exists outside it. Calls go through a table of functions, which tests replace by one that only
 * counts (count.h).
 *
 * The room comm/ promises collectives and messages that overlap with compute, small blocking collectives, groups, and a
 * counting communicator (count.h). Ranks agree on errors before any of them exits. Results have the same bits on all
 * ranks. It needs base/, kernels.h and MPI-3.1. All calls come from the thread that called comm_open
 * (MPI_THREAD_FUNNELED). An MPI error ends the job with exit code 4 and names the call that failed. It does not know
 * what is sent, nor why. */
#ifndef TOISE_COMM_COMM_H
#define TOISE_COMM_COMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels.h"

struct comm;

enum { COMM_PAIRS = 4 }; /* steps of an all_to_all_v in flight */

/* What an all_to_all_v has left to do; owned by the backend. */
struct comm_exchange {
    void *of; /* its comm; NULL: the request is of another operation */
    const char *to;
    char *from;
    const int64_t *to_bytes, *from_bytes;
    void *pair[COMM_PAIRS][2]; /* a message each way */
    int step, tag;
};

/* What operations of a comm took: those that are started and waited for, sums and maxima. */
struct comm_meter {
    double busy_s;   /* in which at least one was in flight, waiting for its peers included */
    double waited_s; /* in which a call waited for one: what compute did not cover */
    int64_t flying;
    double since; /* when `flying` left 0 */
};

/* An operation in flight. The caller owns it, comm fills it. It stays where it is until wait returns. */
struct comm_request {
    void *handle; /* owned by the backend */
    bool active;
    bool message;              /* sent by MPI, not around the ring */
    struct comm_request *next; /* of the messages in flight */
    struct comm_meter *meter;  /* of its comm; NULL: none */
    struct comm_exchange exchange;
};

enum { COMM_TAGS = 1 << 14 }; /* tags of send_start and receive_start: 0 to this - 1 */

struct comm_ops {
    /* The *_start operations return at once. Do not touch their buffers until they are complete. Every rank of a comm
     * starts its collectives in the same order. Copies do not care what they copy, so a payload may have any dtype.
     *
     * In-place sum over the comm's ranks. All ranks get the same bits. Each addition is rounded once, to nearest even:
     * BF16 addends are widened to FP32, added, and rounded to BF16. So the error is at most (size - 1) eps, eps16 or
     * eps32, times the sum of magnitudes. It is 0 if all addends but one are zeros, but -0 may become 0. NaN and
     * infinities are as in IEEE-754. */
    void (*all_reduce_start)(struct comm *, void *buffer, int64_t count, enum kernel_dtype, struct comm_request *);
    /* The same sum, of which each rank gets its block (comm_block), at its place in the buffer. What the other blocks
     * hold afterwards is undefined. The last bits may differ from those of an all-reduce: the order of addends does,
     * unless the comm has `tree`. */
    void (*reduce_scatter_start)(struct comm *, void *buffer, int64_t count, enum kernel_dtype, struct comm_request *);
    /* In place: each rank has its block (comm_block) of `count` elements of `unit` bytes, and gets those of all. */
    void (*all_gather_start)(struct comm *, void *buffer, int64_t count, int unit, struct comm_request *);
    /* `root` sends its bytes to all ranks. */
    void (*broadcast_start)(struct comm *, void *data, size_t bytes, int root, struct comm_request *);
    /* to[size][bytes], from[size][bytes]: this rank's to[r] becomes rank r's from[this rank]. They do not overlap. */
    void (*all_to_all_start)(struct comm *, const void *to, void *from, size_t bytes, struct comm_request *);
    /* The same with blocks of any length, back to back in rank order: to_bytes[r] bytes for rank r, and from_bytes[r]
     * from it, [size] each. to_bytes[r] is rank r's from_bytes[this rank]. The lengths stay as they are until it is
     * complete. Pairs of ranks exchange messages, a few at a time, and none for 0 bytes. This rank's own block is
     * copied before the start returns. At most 2^13 are in flight on a comm. */
    void (*all_to_all_v_start)(struct comm *, const void *to, const int64_t *to_bytes, void *from,
                               const int64_t *from_bytes, struct comm_request *);
    /* A message to or from another rank. Messages between two ranks with the same tag arrive in the order of their
     * sends. An exchange in both directions is one of each. */
    void (*send_start)(struct comm *, const void *data, size_t bytes, int to, int tag, struct comm_request *);
    void (*receive_start)(struct comm *, void *data, size_t bytes, int from, int tag, struct comm_request *);
    /* Lets outstanding requests of the world and all its groups advance, without blocking. Cheap if there are none. */
    void (*progress)(struct comm *);
    /* Blocks until the request is complete. Other requests advance meanwhile, so waits may come in any order. */
    void (*wait)(struct comm *, struct comm_request *);
    /* Blocking, for small operands; requests do not advance meanwhile. In-place sum or maximum of n doubles; all ranks
     * get the same bits. */
    void (*sum)(struct comm *, double *x, int n);
    void (*max)(struct comm *, double *x, int n);
    void (*barrier)(struct comm *);
    /* A barrier for long waits: whoever is early sleeps, so that its core is free. It may return late: up
     * to 10 ms for each of log2(size) rounds. */
    void (*rest)(struct comm *);
    /* broadcast sends rank 0's bytes to all ranks. all_gather copies every rank's `bytes` bytes, in rank order, to
     * all[size][bytes] on every rank. */
    void (*broadcast)(struct comm *, void *data, size_t bytes);
    void (*all_gather)(struct comm *, const void *mine, size_t bytes, void *all);
    /* Called by comm_agree, comm_split and comm_close. */
    int (*agree)(struct comm *, int code, struct base_error *);
    int (*split)(struct comm *, int colour, int key, struct comm *group, struct base_error *);
    void (*close)(struct comm *);
};

struct comm {
    const struct comm_ops *ops;
    int rank, size;
    int node, nodes;            /* ranks of one node share memory (MPI_COMM_TYPE_SHARED) */
    int local_rank, local_size; /* within the node */
    bool tree;                  /* the order of sums, see below. A group starts without it */
    void *state;                /* owned by the backend */
    struct comm_meter *meter;   /* NULL: nobody asks. Of ranks without MPI it stays at 0. A group starts without one */
};

/* With `tree` all_reduce_start and reduce_scatter_start add along the binary tree over rank numbers: with 4 ranks
 * (0 + 1) + (2 + 3). So both give the same bits, whatever the count, the placement and the MPI. These are also the bits
 * of 2 ranks that have added pairs before. BF16 rounds at each addition, as ever. The caller sets `tree` while nothing
 * is in flight, alike on all ranks. The size must be a power of two. */

/* The first element of rank `rank`'s block, of `count` elements that all ranks share. It ends where the next one
 * starts: comm_block(count, size, size) is count. Lengths differ by one at most. */
static inline int64_t comm_block(int64_t count, int size, int rank) {
    return count * rank / size;
}

/* Starts MPI and describes the world. Call it once. On failure MPI is ended, and *world is empty except for its
 * rank. */
int comm_open(struct comm *world, struct base_error *e);
/* Collective over the comm's ranks, with no request in flight. Leaves *comm empty. Close groups before the world. */
void comm_close(struct comm *comm);
/* A world of one rank without MPI: every sum is the value itself. For commands and tests that need no launcher. */
void comm_serial(struct comm *world);
/* A comm without ranks: size 0, rank -1. All its operations do nothing, and so does closing it. */
void comm_empty(struct comm *comm);

/* Splits `world`, which may itself be a group; collective over it. The ranks of one colour become *group, ordered by
 * key, then by rank in `world`. The group numbers its nodes from 0. A rank with colour < 0 joins no group: its *group
 * is empty. A group has its own requests and is closed like the world. All ranks get their groups, or none does. */
int comm_split(struct comm *world, int colour, int key, struct comm *group, struct base_error *e);

/* Whether a launcher (mpirun, srun) started this process, by its environment; may be called before MPI starts. */
bool comm_launched(void);
/* The command of the nearest launcher: "srun", or "mpirun" for all others. */
const char *comm_launcher_name(void);
/* BASE_USAGE: the world's size differs from what the nearest launcher started, by OMPI_COMM_WORLD_SIZE, else PMI_SIZE,
 * else SLURM_STEP_NUM_TASKS. Under another MPI's launcher each process would be its own world. Not collective: each
 * rank decides alone. */
int comm_launcher_check(const struct comm *world, struct base_error *e);

/* Collective. Every rank returns the worst code over all ranks. *e gets the message of the lowest rank with that code.
 * So ranks agree before any of them exits. */
int comm_agree(struct comm *world, int code, struct base_error *e);
/* Ends the whole job at once with this exit code. For faults after which ranks can no longer agree. */
void comm_abort(struct comm *world, int code) __attribute__((noreturn));
/* "Open MPI v4.1.4, ...", "MPICH Version: 4.0.2": the library that runs; one line. */
const char *comm_library(void);
/* BASE_USAGE with the cure: the library that runs is not the one whose mpi.h toise was compiled with. Of a version only
 * the first two numbers count. Not collective. */
int comm_library_check(struct base_error *e);
/* Whether a library that calls itself `text` may be of this family and version ("Open MPI", "4.1.4"). One that names no
 * family that is known may be. */
bool comm_library_is(const char *text, const char *family, const char *version);
/* Open MPI's components of a framework ("pml", "btl", "mtl", "osc", "coll") that are still open, as in "self, tcp". So
 * of a pml it is the one in use. Of btl it is those that reach a rank, of coll and osc those that a call may choose.
 * False and "": MPI is not running, or another MPI, which does not tell. */
bool comm_components(const char *framework, char *names, size_t size);

#endif
