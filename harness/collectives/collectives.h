/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures how fast the ranks all-reduce gradients, and how much that slows the compute it overlaps. It makes the calls
 * that training makes: it starts an all-reduce, matmuls poll it, and it waits. Operands come from outside the caches,
 * each size is checked before it is timed, and the slowest rank defines a sample.
 *
 * The room collectives/ promises collectives that are checked, then timed, and records of kind "comm" (record.h). It
 * needs comm/, measure/ and records/. It does not know flags, training or pages. */
#ifndef TOISE_COLLECTIVES_COLLECTIVES_H
#define TOISE_COLLECTIVES_COLLECTIVES_H

#include "measure/bandwidth.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "measure/sampler.h"
#include "records/set.h"

enum { COLLECTIVES_SIZES = 32, COLLECTIVES_SAMPLES = 64, COLLECTIVES_ROUNDS = 16 };

struct collectives_options {
    int64_t bytes[COLLECTIVES_SIZES]; /* bytes of a rank's buffer, whole floats */
    int sizes;
    double seconds; /* per size, for all-reduce alone and again with matmuls */
    double width;   /* wanted half-width of the median's interval over the median */
};

/* One size. */
struct collectives_size {
    int64_t bytes;
    enum record_status status;
    char why[160];
    double wrong;               /* wrong elements on all ranks */
    struct measure_timed timed; /* of the slowest rank */
    /* Seconds of the same matmuls without an all-reduce, and with one from before to after them, alternating. The
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
};

/* Bytes that a rank needs for these sizes. */
double collectives_need(const struct collectives_options *o, const struct kernel_caches *caches);
/* All functions below are collective. `world` must outlive the bench. */
int collectives_open(struct collectives *b, struct comm *world, const struct collectives_options *o,
                     const struct measure_placement *placement, const struct kernel_caches *caches,
                     struct base_error *e);
void collectives_close(struct collectives *b);

/* Measures one size. measure_samples_close frees the samples, also after an error. A wrong sum is not timed. */
int collectives_measure(struct collectives *b, int64_t bytes, const struct collectives_options *o,
                        struct collectives_size *size, struct base_error *e);
/* Sets hidden and its bounds from cost and call. Not collective. */
void collectives_hidden(struct collectives_size *size);
void collectives_measure_share(struct collectives *b, struct collectives_share *share);

#endif
