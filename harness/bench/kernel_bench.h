/* SPDX-License-Identifier: Apache-2.0
 *
 * The room bench/ measures kernels (this file) and collectives (comm.h) against their roofs. Every result is checked
 * before it is timed.
 *
 * kernel_bench measures one case at a time: it checks the case's variants, then times them and the roofs in alternating
 * rounds. The roofs are the register-only peak in the case's dtype and the bandwidth of passes over memory, on the same
 * threads. They alternate because clocks drift. Roofs belong to the machine: they use its best instruction set even if
 * a variant is capped lower. Under a CPU quota the roofs are sustained rates, and a variant is timed over windows as
 * long as theirs.
 *
 * It needs the cases (kernel_cases.h), the variants (kernel_variants.h) and a placement of threads. It knows no command
 * line, and it prints nothing. */
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

/* What all cases share: the team, its scratch memory, the roofs. */
struct bench_kernels {
    struct comm world;
    struct kernel_ops best;  /* this machine's best */
    struct kernel_ops plain; /* the variant to check rows against */
    struct kernel_caches caches;
    struct kernel_team team;
    struct base_arena scratch;
    struct measure_peak peak[KERNEL_DTYPE_COUNT];
    struct measure_bandwidth bandwidth;
    struct measure_watch watch;
    double cpus_per_thread;
    double quota_period_s;                            /* of a CPU quota that the team can exhaust; 0: none */
    double quota_s;                                   /* the window for it */
    double peak_at[KERNEL_DTYPE_COUNT], bandwidth_at; /* when these roofs were last measured; 0: never */
    double peak_last[KERNEL_DTYPE_COUNT], bandwidth_last;
    size_t pool; /* bytes of operands that calls cycle through */
};

struct bench_kernel_options {
    double seconds; /* per variant of a case, including its share of the roofs */
    double width;   /* wanted half-width of the median's interval over the median */
    uint64_t seed;  /* seed of the operands */
};

enum bench_bound { BENCH_BOUND_COMPUTE, BENCH_BOUND_MEMORY };

/* One variant of a case. */
struct bench_kernel_result {
    const char *variant;
    enum record_status status;
    char why[160];
    double residual;
    struct measure_timed timed;
    bool loaded;              /* by the library of --backend: see bench_kernel_verdict */
    double fraction;          /* of the roof */
    double ratio_to_openblas; /* ratio of rates; NAN if OpenBLAS was not timed */
    double tile_peak;         /* of a matmul by toise: FLOP/s of its micro-tile alone, the highest window; else 0 */
};

struct bench_kernel_set {
    const struct bench_kernel_case *c;
    double flop, bytes; /* of one call */
    enum bench_bound bound;
    double peaks[BENCH_SAMPLES_MAX], bandwidths[BENCH_SAMPLES_MAX]; /* every window */
    int peak_count, bandwidth_count;
    double quota_period_s;  /* of the CPU quota; 0: none */
    double peak, bandwidth; /* the highest of this case: FLOP/s, NAN without FLOP; byte/s */
    const char *peak_isa;   /* what the peak's loop ran on */
    enum measure_pass pass; /* whose bandwidth it is */
    struct bench_kernel_result results[BENCH_VARIANTS_MAX];
    int count;
};

/* Bytes of team->scratch that a case needs; and all memory to measure it, with that, the checks and the roofs. */
size_t bench_kernel_scratch(const struct bench_kernel_case *c, int threads);
double bench_kernel_need(const struct bench_kernel_case *c, const struct kernel_caches *caches, int threads);

/* scratch: the most that any case needs. */
int bench_kernels_open(struct bench_kernels *b, const struct measure_placement *placement,
                       const struct kernel_caches *caches, size_t scratch, struct base_error *e);
void bench_kernels_close(struct bench_kernels *b);

/* Checks and times a case on these variants. bench_kernel_set_close frees the samples, also after an error. */
int bench_kernel_measure(struct bench_kernels *b, const struct bench_kernel_case *c,
                         const struct bench_kernel_variant *variants, int count, const struct bench_kernel_options *o,
                         struct bench_kernel_set *set, struct base_error *e);
void bench_kernel_set_close(struct bench_kernel_set *set);

/* Sets bound, fractions, ratios, status and why from residuals, samples and roofs. A rate above the roof fails, except
 * a loaded library's: it may use instructions that toise's peak does not, such as AMX. */
void bench_kernel_verdict(struct bench_kernel_set *set, const struct bench_kernel_options *o);

#endif
