/* SPDX-License-Identifier: Apache-2.0
 *
 * How fast does this world sum gradients, and what does that take from the compute beside it? By the calls that
 * training makes: a sum is started, advances when matmuls poll, and is waited for. Operands are found outside the
 * caches, each size is checked before it is timed, and the slowest rank defines a sample. */
#ifndef TOISE_BENCH_COMM_H
#define TOISE_BENCH_COMM_H

#include "measure/bandwidth.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "measure/sampler.h"
#include "records/set.h"

enum { BENCH_COMM_SIZES = 32, BENCH_COMM_SAMPLES = 64, BENCH_COMM_ROUNDS = 16 };

struct bench_comm_options {
    int64_t bytes[BENCH_COMM_SIZES]; /* of a rank's buffer: whole floats */
    int sizes;
    double seconds; /* of a size: for sums alone, and again for sums beside matmuls */
    double width;   /* wanted half-width of the median's interval over the median */
};

/* One size. */
struct bench_comm_size {
    int64_t bytes;
    enum record_status status;
    char why[160];
    double wrong;               /* elements that are not the sum, of all ranks */
    struct measure_timed timed; /* the slowest rank's */
    /* Seconds of the same matmuls without a sum, and with one started before and waited for after, in turns; the
     * median of their differences is what the sum costs then. Short sums would drown in the matmuls' noise: pairs 0. */
    double compute_s[BENCH_COMM_SAMPLES], beside_s[BENCH_COMM_SAMPLES];
    int pairs;
    struct base_interval cost; /* seconds; within noise below 0 */
    /* The share of call that costs nothing, from 0 (the sum costs all its time, or more) to 1, by both intervals. NAN:
     * not measurable, since 0 lies within them. */
    double hidden, hidden_low, hidden_high;
};

/* What ranks leave each other of the node: rates of rank 0 while the others wait, and of the slowest rank while all
 * compute, in turns. Matmuls in FP32, FLOP/s; copy, triad and read beyond the caches, byte/s. */
struct bench_comm_share {
    int rounds;
    double matmul_alone[BENCH_COMM_ROUNDS], matmul_together[BENCH_COMM_ROUNDS];
    double pass_alone[BENCH_COMM_ROUNDS], pass_together[BENCH_COMM_ROUNDS];
    double matmul, pass; /* medians of together over alone */
    enum record_status status;
    char why[160];
};

struct bench_comm {
    struct comm *world;
    struct kernel_ops ops;
    struct kernel_caches caches;
    struct kernel_team team; /* polls the sums in flight */
    struct base_arena scratch, operands, buffer;
    struct measure_bandwidth bandwidth;
    struct measure_watch watch;
    struct kernel_gemm gemm;
    double gemm_s; /* about, while all ranks compute */
    size_t next;   /* where in the buffer the next sum's operand begins */
};

/* Bytes that a rank takes for these sizes. */
double bench_comm_need(const struct bench_comm_options *o, const struct kernel_caches *caches);
/* All that follows is collective; `world` must outlive the bench. */
int bench_comm_open(struct bench_comm *b, struct comm *world, const struct bench_comm_options *o,
                    const struct measure_placement *placement, const struct kernel_caches *caches,
                    struct base_error *e);
void bench_comm_close(struct bench_comm *b);

/* One of the sizes. The samples are freed by measure_samples_close, also after an error. A wrong sum is not timed. */
int bench_comm_measure(struct bench_comm *b, int64_t bytes, const struct bench_comm_options *o,
                       struct bench_comm_size *size, struct base_error *e);
/* Sets hidden and its bounds from cost and call. Not collective. */
void bench_comm_hidden(struct bench_comm_size *size);
void bench_comm_measure_share(struct bench_comm *b, struct bench_comm_share *share);

#endif
