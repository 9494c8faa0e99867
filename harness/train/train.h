/* SPDX-License-Identifier: Apache-2.0
 *
 * The main job: gate, warm-up, timed steps with peak windows and communication-free probes between them, verdict.
 * The slowest rank defines a step's sample. Nothing prints or allocates inside a timed window.
 *
 * Rates are the clock's: timed tokens over the wall time of the timed steps, whatever disturbed them. That time is the
 * sum of step_s. A step lasts from its start to its end on the slowest rank; what lies between two steps (peaks,
 * probes, reading what interfered, lines that are printed) is no step's, but where a CPU quota stopped the process
 * since the last step began, or others took a CPU from it since that one ended, the step begins where the last one
 * ended, so that no stop falls between the windows. */
#ifndef TOISE_TRAIN_TRAIN_H
#define TOISE_TRAIN_TRAIN_H

#include "base/stats.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "measure/samples.h"
#include "plan/plan.h"
#include "records/set.h"
#include "train/gate.h"

/* A finished step, for the lines that show progress; called on every rank, between timed windows. */
struct train_step {
    int step, warmup, steps; /* from 0; the first `warmup` are not timed; steps: planned in all, 0: until settled */
    double loss, grad_norm, lr, seconds;
    double elapsed, left; /* seconds since the first step; estimate to the end */
};

struct train_result;

struct train_options {
    struct parallel_optimizer optimizer;
    struct data_options data;   /* vocab, seq and share are filled in */
    struct data_source *source; /* of train_inputs; the caller closes it */
    uint64_t seed;
    int steps; /* timed steps; 0: until the median's interval is narrow enough or the budget ends */
    int warmup;
    double width;    /* wanted half-width of the interval over the median */
    double budget_s; /* of timed steps */
    bool gate;
    const char *init; /* weights: a .safetensors file or a folder of them; NULL: drawn from the seed */
    const char *save; /* the folder that the last weights are written to, unless the gate FAILED; NULL: none */
    double *history;  /* losses of an earlier record of the same workload and seed, from step 0; NULL: none */
    int history_count;
    char history_where[256];
    void (*on_step)(void *context, const struct train_step *);
    void (*on_phase)(void *context, const char *what); /* "gate", "peak", ... : what is about to take time */
    /* The result, before weights are saved, so that nothing that goes wrong then loses it; collective. */
    int (*on_result)(void *context, struct train_result *, struct base_error *);
    void *context;
};

/* What each rank says of itself, gathered. */
struct train_rank {
    char host[64];
    int node, threads, cpu_count; /* CPUs that it may run on, and `met` is over */
    bool pinned;
    bool bound;                      /* its memory, to the NUMA nodes of its threads */
    double compute_s;                /* median step of this rank with communication nulled */
    double wait_s;                   /* for the slowest rank */
    struct measure_interference met; /* over the timed steps together */
    double peak_flop_per_s;
    double phase_s[PLAN_PHASES]; /* of the step nearest to the median, scaled to it */
    double peak_memory_bytes;    /* negative: unknown */
    char cpus[64];
    char warning[256];
};

/* What the time between the first and the last peak window went to; nothing else may take 2% of it. */
enum train_window {
    TRAIN_WINDOW_STEP, /* timed steps, whole */
    TRAIN_WINDOW_PEAK,
    TRAIN_WINDOW_PROBE,  /* steps with communication nulled */
    TRAIN_WINDOW_WATCH,  /* reading what interfered; ranks agreeing on the slowest */
    TRAIN_WINDOW_REPORT, /* step lines */
    TRAIN_WINDOWS
};

struct train_result {
    enum record_status status;
    char why[256]; /* of a status that is not PASSED */
    struct train_gate gate;
    int steps, timed;               /* all, and those after warm-up */
    double *loss, *grad_norm;       /* [steps] */
    double *step_s;                 /* [timed] */
    struct base_interval step;      /* of the median, seconds */
    struct base_mean mean;          /* of the timed steps' wall time: what rates are made of */
    double quota_period_s;          /* the longest of the ranks' CPU quotas; 0: none */
    struct measure_samples samples; /* this rank's timed steps: phases and what interfered */
    double *peaks;                  /* [peak_count] FLOP/s of all ranks together, windows between steps */
    int peak_count;
    double peak_flop_per_s;         /* the highest: an upper bound */
    double nominal_flop_per_s;      /* of all ranks' cores; 0 unknown */
    double window_s[TRAIN_WINDOWS]; /* this rank's */
    double covered;                 /* share of the wall time that they add up to */
    double entropy;                 /* of the source, nats per token; NAN unknown */
    char source[160];
    struct train_rank *ranks;    /* [world size], on every rank */
    double phase_s[PLAN_PHASES]; /* of the slowest rank's median step, communication including waiting */
    double other_s;              /* what phases leave of the step */
    /* Communication that nothing covered: a step minus the slowest rank's compute in the probe after it, median of such
     * pairs; NAN without pairs. Within noise it can be below 0. */
    struct base_interval exposed;
};

/* Opens what the run reads, before anything takes long: every token of options->data is looked at, this rank's share by
 * this rank, and the tensors of options->init are held against the model. Collective: BASE_USAGE on all ranks. */
int train_inputs(struct train_options *options, const struct plan *plan, struct comm *world, struct base_error *e);

/* Collective; options agree on all ranks but for history, which one of them may know alone. The result's arrays are
 * freed by train_free, also after an error. */
int train_run(struct train_result *result, const struct plan *plan, const struct train_options *options,
              struct comm *world, const struct kernel_ops *ops, const struct measure_placement *placement,
              struct base_error *e);
void train_free(struct train_result *result);

/* Gathers what each rank says of itself, its placement added to *mine, and sets what follows of the slowest rank's
 * compute: waiting, phases, exposed. probe_s, exposed_s: [probes], this rank's probes, and the slowest rank's step
 * minus its compute. Collective. */
void train_ranks(struct train_result *result, struct train_rank *mine, const struct measure_placement *placement,
                 const double *probe_s, const double *exposed_s, int probes, struct comm *world);

/* MFU: model FLOP/s by the clock over the measured peak. model_flop: of a step over all ranks. */
double train_utilisation(const struct train_result *result, double model_flop);
/* A quota lets a burst through, up to all of a period: timed steps that last less than TRAIN_QUOTA_LEAST periods, or
 * beat the peak by no more than such a burst, say nothing of what it sustains. Without --steps they last
 * TRAIN_QUOTA_SETTLED.
 */
enum { TRAIN_QUOTA_LEAST = 5, TRAIN_QUOTA_SETTLED = 20 };
bool train_burst(const struct train_result *result, double model_flop);
/* Sets status and why from all else. Without timed steps only the gate is judged. */
void train_verdict(struct train_result *result, const struct train_options *options, double model_flop);

#endif
