/* SPDX-License-Identifier: Apache-2.0
 *
 * The room train/ runs a training and judges it: gate, warm-up, timed steps, verdict. Peak windows and
 * communication-free probes run between timed steps. The slowest rank defines a step's sample.
 *
 * It promises that nothing prints or allocates inside a timed window, and that a FAILED run has no rate. It also builds
 * the record (record.h), and says when checkpoints are saved (checkpoint/). It needs a plan, a world of ranks and a
 * kernel table. It knows no command line; the only record file it reads is an earlier one to compare with.
 *
 * Rates are wall-clock rates: timed tokens over the wall time of the timed steps, whatever disturbed them. That time is
 * the sum of step_s. A step lasts from its start to its end on the slowest rank. Time between two steps (peaks, probes,
 * reading interference, printing) belongs to no step, with one exception. If a CPU quota stopped the process since the
 * last step began, or others took a CPU since it ended, the step begins where the last one ended. So no stop can fall
 * between the windows. */
#ifndef TOISE_TRAIN_TRAIN_H
#define TOISE_TRAIN_TRAIN_H

#include "base/stats.h"
#include "checkpoint/checkpoint.h"
#include "gate/gate.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "measure/samples.h"
#include "plan/plan.h"
#include "profile/profile.h"
#include "records/set.h"

/* A finished step, for progress lines. Called on every rank, between timed windows. */
struct train_step {
    int step, steps; /* from 0; planned in total, 0: until settled */
    bool warmup;
    double loss, grad_norm, lr, seconds;
    double elapsed, left; /* seconds since the first step; estimate to the end */
};

struct train_result;

/* Whether gradients are sent while backward still runs (warmup.h). */
enum train_overlap_mode { TRAIN_OVERLAP_AUTO, TRAIN_OVERLAP_ON, TRAIN_OVERLAP_OFF };
/* "auto", "on", "off"; NULL after the last. */
const char *train_overlap_name(int mode);

enum train_overlap_why {
    TRAIN_OVERLAP_ASKED,
    TRAIN_OVERLAP_TRIED,
    TRAIN_OVERLAP_FEW,    /* steps of warm-up */
    TRAIN_OVERLAP_LONG,   /* steps that take too long to try both */
    TRAIN_OVERLAP_RESUMED /* as before the run was resumed */
};
struct train_overlap {
    enum train_overlap_mode chosen; /* on or off; auto: not decided, as with one rank or before a timed step */
    enum train_overlap_why why;
    int first, pairs;         /* warm-up steps first .. first + 2 pairs - 1 tried both; 0 pairs: none did */
    double with_s, without_s; /* their medians */
};

/* Losses that another run of the same work had. */
struct train_losses {
    double *loss;  /* NULL: none */
    int64_t first; /* the step of the first, from 0 */
    int64_t since; /* the step until which it had this run's weights, to the last bit: that of a checkpoint, or 0 */
    int count;
    char where[256]; /* for messages: "record 3 of FILE" */
};

/* What earlier processes of a run measured before they ended. This one goes on: it recomputes the first steps, and adds
 * its timed steps to theirs. */
struct train_earlier {
    int timed;
    double *step_s;                  /* [timed] the slowest rank's, on all ranks */
    struct measure_samples *samples; /* [timed] of rank 0, there alone; else NULL */
    struct train_losses losses;      /* on rank 0 alone */
    enum train_overlap_mode overlap; /* of their timed steps; auto: there are none */
};

struct train_options {
    struct parallel_optimizer optimizer;
    struct data_options data;   /* vocab, seq and share are filled in */
    struct data_source *source; /* from train_inputs; the caller closes it */
    char samples[17];           /* likewise: a hash of the first samples */
    uint64_t seed;
    int steps;     /* timed steps; 0: until the mean's interval is narrow or the budget is spent */
    int min_steps; /* without steps: at least so many, even beyond the budget; 0: the usual number, within it */
    int warmup;    /* steps before; negative: until warm (warmup.h) */
    enum train_overlap_mode overlap;
    bool overlap_pairs; /* auto may add pairs of steps to the warm-up (warmup.h) */
    double ci;          /* wanted half-width of the mean step's 95% interval, over the mean; INFINITY: any */
    bool one_of_many;   /* launches: ci then ends the run, but does not judge it */
    double budget_s;    /* of timed steps */
    bool gate;
    bool loaded; /* matmuls by a library of --backend: an MFU above 1 is no error, as it may use instructions that the
                  * measured peak does not, such as AMX */
    const char *init;  /* initial weights: a .safetensors file or a folder of them; NULL: drawn from the seed */
    bool profile;      /* time every operation of the timed steps */
    const char *trace; /* file for the calls of the last of them; NULL: none */
    const char *save;  /* folder for the final weights, not written if the gate FAILED, or of checkpoints; NULL: none */
    int64_t save_every;  /* steps between checkpoints; `save` is then their folder, and the last step is saved too, also
                          * if the run is asked to stop. 0: none. Training goes on meanwhile if the plan has copies */
    int keep;            /* so many checkpoints stay, the newest; 0: all */
    const json_t *about; /* for checkpoint.json, on rank 0 */
    const struct checkpoint *from;       /* whose state the run goes on from; NULL: from the start */
    int64_t first_step;                  /* its step; 0: the start */
    struct train_losses history;         /* of an earlier record of the same workload and seed */
    const struct train_earlier *earlier; /* NULL: nothing was measured before */
    void (*on_step)(void *context, const struct train_step *);
    void (*on_phase)(void *context, const char *what); /* "gate", "peak", ... : what starts now and takes time */
    /* After each step, between timed windows, on every rank: what is measured so far. False: it cannot be kept, and the
     * run is to stop. NULL: none. */
    bool (*on_window)(void *context, const struct train_result *);
    /* Receives the result before weights and trace are written, so that a failing write cannot lose it. Collective. */
    int (*on_result)(void *context, struct train_result *, struct base_error *);
    void *context;
};

/* What each rank reports about itself. */
struct train_rank {
    char host[64];
    int node, threads, cpu_count; /* cpu_count: CPUs that it may run on, which `met` covers */
    bool pinned;
    bool bound;                      /* its memory is bound to its threads' NUMA nodes */
    enum measure_bind bind;          /* where its threads were to run */
    int cores;                       /* that it may run on */
    double near;                     /* share of its pages on the NUMA nodes of its CPUs; NAN: unknown */
    double huge;                     /* share of its arenas in huge pages; NAN: unknown */
    double loss_first;               /* mean loss of its samples in the first step */
    double compute_s;                /* median step of this rank without communication */
    double wait_s;                   /* waiting for the slowest rank */
    struct measure_interference met; /* sum over the timed steps */
    double peak_flop_per_s;
    double phase_s[PLAN_PHASES];                         /* of the step closest to the median, scaled to it */
    double busy_s[PLAN_TALKING], waited_s[PLAN_TALKING]; /* parallel_result's, means of this process's timed steps */
    double peak_memory_bytes;                            /* negative: unknown */
    struct measure_rivals rivals;                        /* at the start and at the end */
    char cpus[64];
    char huge_why[64]; /* why `huge` is 0 or unknown; "": it is neither */
    char warning[256];
};

/* Where the time between the first and the last peak window went. Anything else may take less than 2% of it. */
enum train_window {
    TRAIN_WINDOW_STEP, /* whole timed steps */
    TRAIN_WINDOW_PEAK,
    TRAIN_WINDOW_PROBE,   /* steps without communication */
    TRAIN_WINDOW_WATCH,   /* reading interference, and agreeing on the slowest rank */
    TRAIN_WINDOW_REPORT,  /* progress lines */
    TRAIN_WINDOW_JOURNAL, /* on_window */
    TRAIN_WINDOW_SAVE,    /* checkpoints */
    TRAIN_WINDOWS
};

/* Why a run ended early: a signal's number, or this. */
enum { TRAIN_STOPPED_JOURNAL = 1 << 20, TRAIN_STOPPED_SAVE };
/* "SIGTERM", ..., "a journal that cannot be written", or "a checkpoint that cannot be saved". */
const char *train_stopped_text(int stopped);

struct train_result {
    enum record_status status;
    char why[256];  /* if status is not PASSED */
    int stopped;    /* before it was settled; 0: no */
    bool recovered; /* from a journal: of ranks only the number of threads is known, and no window but the steps */
    struct gate gate;
    int steps, timed;         /* all steps of this process; all timed ones */
    int earlier;              /* the first of the timed ones, of earlier processes */
    double *loss, *grad_norm; /* [steps] */
    double *step_s;           /* [timed] */
    double *warm_s;           /* [steps - own timed steps] the steps before */
    bool warm;                /* found warm by the rule, or as many steps as asked */
    struct train_overlap overlap;
    bool too_wide;                  /* the interval is wider than asked, and nothing else is wrong */
    struct base_interval step;      /* of the median step, seconds */
    struct base_mean mean;          /* mean timed step by the clock: the base of all rates */
    double quota_period_s;          /* the longest of the ranks' CPU quotas; 0: none */
    struct measure_samples samples; /* this rank's timed steps: phases and interference */
    struct measure_samples warmup;  /* the same of the steps before */
    double *probe_s, *bare_s; /* [probes] this rank's probes; the step before each minus the slowest rank's compute */
    int probes;
    double *peaks; /* [peak_count] FLOP/s of all ranks together, one per peak window */
    int peak_count;
    double peak_flop_per_s;         /* the highest: an upper bound */
    const char *peak_isa;           /* what rank 0's peak loop ran on */
    double nominal_flop_per_s;      /* of all ranks' cores; 0 unknown */
    double window_s[TRAIN_WINDOWS]; /* this rank's */
    double covered;                 /* window_s's sum over the wall time: of the rank where it is least */
    double uncovered_s;             /* the wall time in no window: of the rank where it is most */
    struct checkpoint_cost *saves;  /* [save_count] of the checkpoints, in order */
    int save_count;
    double save_end_s;    /* what the run waited at its end for those in the background */
    double process_bytes; /* of the largest rank's process, before its arenas; negative: unknown */
    double entropy;       /* of the source, nats per token; NAN: unknown */
    char source[160];
    struct train_rank *ranks;    /* [world size], on every rank */
    double phase_s[PLAN_PHASES]; /* of the slowest rank's median step; communication includes waiting */
    double busy_s[PLAN_TALKING], waited_s[PLAN_TALKING]; /* that rank's */
    /* Of experts: the last step's load-balancing loss; the busiest expert's rows in timed steps over the mean, and the
     * busiest expert parallel rank's, means over layers. */
    double balance, busiest_expert, busiest_rank;
    double other_s; /* the rest of the step */
    /* Exposed communication: a step minus the slowest rank's compute in the probe after it, median of such pairs. NAN
     * without pairs. Noise can make it negative. */
    struct base_interval exposed;
    struct profile *profile; /* of this rank's timed steps; NULL: none */
};

/* Opens the run's inputs before anything slow starts. Each rank checks its share of the tokens of options->data, and
 * the tensors of options->init against the model. BASE_USAGE on all ranks, also if ranks read different models,
 * workloads or data. The caller closes options->source, also after an error. Collective. */
int train_inputs(struct train_options *options, const struct plan *plan, struct comm *world, struct base_error *e);

/* Bytes of the largest rank's process: before it has arenas these are code, MPI, libraries, stacks. Negative: unknown.
 * Collective. */
double train_process_bytes(struct comm *world);

/* Runs the training. Collective; options agree on all ranks except history, which one rank may have alone. train_free
 * frees the result's arrays, also after an error. */
int train_run(struct train_result *result, const struct plan *plan, const struct train_options *options,
              struct comm *world, const struct kernel_ops *ops, const struct measure_placement *placement,
              struct base_error *e);
void train_free(struct train_result *result);

/* Gathers all ranks' reports, after adding placement to *mine. Then sets what depends on the slowest rank's compute:
 * waiting, phases, exposed. Needs timed steps. Collective. */
void train_ranks(struct train_result *result, struct train_rank *mine, const struct measure_placement *placement,
                 struct comm *world);

/* This rank's phases in its timed step closest to the median, scaled to the median. Phases of one step add up; medians
 * of phases need not. */
void train_phases(const struct train_result *result, double phase_s[PLAN_PHASES]);

/* FLOP/s by the clock over the measured peak, for the FLOP of one step over all ranks: the model's give the MFU, with
 * what is recomputed the HFU. */
double train_utilisation(const struct train_result *result, double flop);
/* A CPU quota allows a burst of up to one period. So timed steps of less than TRAIN_QUOTA_LEAST periods do not show the
 * sustained rate. Nor do steps that beat the peak by no more than such a burst. Without --steps they last
 * TRAIN_QUOTA_SETTLED periods. */
enum { TRAIN_QUOTA_LEAST = 5, TRAIN_QUOTA_SETTLED = 20 };
bool train_burst(const struct train_result *result, double hardware_flop);
/* Half of the mean step's interval over the mean; INFINITY: too few steps for one. */
double train_half_width(const struct train_result *result);
/* Sets status and why from all the rest. Without timed steps it judges the gate only. */
void train_verdict(struct train_result *result, const struct train_options *options, double hardware_flop);

#endif
