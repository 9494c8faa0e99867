/* SPDX-License-Identifier: Apache-2.0
 *
 * How near the roof is a kernel? One case at a time: its variants are checked, then timed in turns with the roofs, that
 * is, the register-only peak in the case's dtype and the bandwidth of passes over memory, on the same threads, since
 * clocks drift. Roofs are the machine's: those of the best instruction set, whatever a variant is capped to.
 * Under a CPU quota roofs are what it sustains, and a variant is timed over windows as long as theirs. */
#ifndef TOISE_BENCH_KERNEL_BENCH_H
#define TOISE_BENCH_KERNEL_BENCH_H

#include "bench/kernel_memory.h"
#include "bench/kernel_variants.h"
#include "check/rounding.h"
#include "measure/bandwidth.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "measure/sampler.h"
#include "records/set.h"

enum { BENCH_SAMPLES_MAX = 64 };

/* What all cases share: the team, its scratch, the roofs. */
struct bench_kernels {
    struct comm world;
    struct kernel_ops best;  /* of this machine */
    struct kernel_ops plain; /* the variant that rows are checked against */
    struct kernel_caches caches;
    struct kernel_team team;
    struct base_arena scratch;
    struct measure_peak peak[KERNEL_DTYPE_COUNT];
    struct measure_bandwidth bandwidth;
    struct measure_watch watch;
    double quota_period_s;                            /* of a CPU quota that the team can exhaust; 0: none */
    double quota_s;                                   /* the window of it */
    double peak_at[KERNEL_DTYPE_COUNT], bandwidth_at; /* when these roofs were measured last; 0 never */
    double peak_last[KERNEL_DTYPE_COUNT], bandwidth_last;
    size_t pool; /* bytes of operands that calls go round in */
};

struct bench_kernel_options {
    double seconds; /* of a variant of a case, its share of the roofs included */
    double width;   /* wanted half-width of the median's interval over the median */
    uint64_t seed;  /* of the operands */
};

enum bench_bound { BENCH_BOUND_COMPUTE, BENCH_BOUND_MEMORY };

/* One variant of a case. */
struct bench_kernel_result {
    const char *variant;
    enum record_status status;
    char why[160];
    double residual;
    struct measure_timed timed;
    double fraction;          /* of the roof */
    double ratio_to_openblas; /* of rates; NAN where OpenBLAS was not timed beside it */
};

struct bench_kernel_set {
    const struct bench_kernel_case *c;
    double flop, bytes; /* of one call */
    enum bench_bound bound;
    double peaks[BENCH_SAMPLES_MAX], bandwidths[BENCH_SAMPLES_MAX]; /* every window */
    int peak_count, bandwidth_count;
    double quota_period_s;  /* of the CPU quota; 0: none */
    double peak, bandwidth; /* the highest of this case: FLOP/s, NAN without FLOP; byte/s */
    struct bench_kernel_result results[BENCH_VARIANTS_MAX];
    int count;
};

/* Bytes of team->scratch that a case needs, and of memory that measuring it takes, with that, the checks and roofs. */
size_t bench_kernel_scratch(const struct bench_kernel_case *c, int threads);
double bench_kernel_need(const struct bench_kernel_case *c, const struct kernel_caches *caches, int threads);

/* scratch: the most that a case needs. */
int bench_kernels_open(struct bench_kernels *b, const struct measure_placement *placement,
                       const struct kernel_caches *caches, size_t scratch, struct base_error *e);
void bench_kernels_close(struct bench_kernels *b);

/* Checks and times a case on these variants. A set's samples are freed by bench_kernel_set_close, also after an error.
 */
int bench_kernel_measure(struct bench_kernels *b, const struct bench_kernel_case *c,
                         const struct bench_kernel_variant *variants, int count, const struct bench_kernel_options *o,
                         struct bench_kernel_set *set, struct base_error *e);
void bench_kernel_set_close(struct bench_kernel_set *set);

/* Sets bound, fractions, ratios, status and why from residuals, samples and roofs. */
void bench_kernel_verdict(struct bench_kernel_set *set, const struct bench_kernel_options *o);

#endif
