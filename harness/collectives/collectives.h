/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures how fast ranks communicate, and how much an all-reduce slows the compute it overlaps. It makes the calls
 * that training makes: it starts an operation, and waits. Operands come from outside the caches, each size is checked
 * before and after it is timed, and the slowest rank defines a sample.
 *
 * The room collectives/ promises operations that are checked, then timed (op.h), within nodes and between them
 * (group.h), lines fitted to their times (fit.h), and records of kind "comm" (record.h). It needs comm/, measure/ and
 * records/. It does not know flags, training or pages. */
#ifndef TOISE_COLLECTIVES_COLLECTIVES_H
#define TOISE_COLLECTIVES_COLLECTIVES_H

#include "collectives/group.h"
#include "collectives/op.h"
#include "measure/bandwidth.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "measure/sampler.h"
#include "records/set.h"

enum {
    COLLECTIVES_SIZES = 128,
    COLLECTIVES_SAMPLES = 64,
    COLLECTIVES_ROUNDS = 16,
    COLLECTIVES_ITERATIONS = 256, /* calls timed one by one, at most */
};

struct collectives_options {
    unsigned ops, groups;             /* bits of 1 << kind, 1 << scope */
    int64_t bytes[COLLECTIVES_SIZES]; /* bytes of a rank's buffer, whole floats, ascending */
    int sizes;
    double seconds; /* per size, for the operation alone and again with matmuls */
    double width;   /* wanted half-width of the median's interval over the median */
};

/* One operation of one size in one group. */
struct collectives_size {
    const struct collectives_op *op;
    enum collectives_scope scope;
    int ranks, nodes, groups; /* of the group */
    int64_t bytes;
    enum record_status status;
    char why[160];
    double wrong;               /* wrong elements on all ranks */
    struct measure_timed timed; /* of the slowest rank */
    /* Seconds of calls that were timed one by one, of the slowest rank of each, and what they show. cv: their standard
     * deviation over their mean. If a sample is one call, these are the samples. */
    double iteration_s[COLLECTIVES_ITERATIONS];
    int iterations;
    double min_s, max_s, p99_s, cv;
    /* Of all-reduces: seconds of the same matmuls without one, and with one from before to after them, alternating. The
     * median of the differences is the cost of the overlapped all-reduce. Short all-reduces would be lost in noise:
     * pairs 0. */
    double compute_s[COLLECTIVES_SAMPLES], beside_s[COLLECTIVES_SAMPLES];
    int pairs;
    struct base_interval cost; /* seconds; noise can make it negative */
    /* The share of the call that compute hides, from 0 (none of its time) to 1, and its bounds by both intervals. NAN:
     * not measurable, as the bounds include 0. */
    double hidden, hidden_low, hidden_high;
};

/* What ranks sharing a node leave each other. Alone: rates of rank 0 while the others wait. Together: rates of the
 * slowest rank while all compute. The two alternate. Matmuls in FP32, FLOP/s; copy, triad and read beyond the caches,
 * byte/s. */
struct collectives_share {
    int rounds;
    double matmul_alone[COLLECTIVES_ROUNDS], matmul_together[COLLECTIVES_ROUNDS];
    double pass_alone[COLLECTIVES_ROUNDS], pass_together[COLLECTIVES_ROUNDS];
    double matmul, pass; /* medians of together over alone */
    enum record_status status;
    char why[160];
};

struct collectives {
    struct comm *world;
    struct kernel_ops ops;
    struct kernel_caches caches;
    struct kernel_team team; /* polls all-reduces in flight */
    struct base_arena scratch, operands, buffer;
    struct measure_bandwidth bandwidth;
    struct measure_watch watch;
    struct kernel_gemm gemm;
    double gemm_s; /* approximate, while all ranks compute */
    size_t next;   /* offset in the buffer of the next operand */
    int checks;    /* so far: each has other numbers */
    int stopped; /* the signal by which a rank was told to stop, on all ranks; 0: none. What is left is not measured */
};

/* Bytes that a rank needs for these sizes. */
double collectives_need(const struct collectives_options *o, const struct kernel_caches *caches);
/* All functions below are collective. `world` must outlive the bench. */
int collectives_open(struct collectives *b, struct comm *world, const struct collectives_options *o,
                     const struct measure_placement *placement, const struct kernel_caches *caches,
                     struct base_error *e);
void collectives_close(struct collectives *b);

/* Measures one operation of one size, bytes > 0 from collectives_op_bytes, in a group. Ranks outside it wait.
 * measure_samples_close frees the samples, also after an error. A wrong result is not timed, or its times are dropped.
 */
int collectives_measure(struct collectives *b, enum collectives_kind kind, struct collectives_group *group,
                        int64_t bytes, const struct collectives_options *o, struct collectives_size *size,
                        struct base_error *e);
/* Measures matmuls with and without an all-reduce among all ranks beside them. Sets pairs, cost and hidden. */
void collectives_overlap(struct collectives *b, const struct measure_sampler *sampler, struct collectives_size *size);
/* Sets hidden and its bounds from cost and call. Not collective. */
void collectives_hidden(struct collectives_size *size);
void collectives_measure_share(struct collectives *b, struct collectives_share *share);

/* For this room. The next operands of `count` floats, in a buffer larger than the caches. y only if asked for. */
struct collectives_operands collectives_next(struct collectives *b, int64_t count, bool both);
double collectives_slowest(struct collectives *b, double seconds); /* the maximum over all ranks; sets b->stopped */
double collectives_gemms(struct collectives *b, int count);        /* seconds of that many matmuls on this rank */

#endif
