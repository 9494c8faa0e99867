/* SPDX-License-Identifier: Apache-2.0
 *
 * Projects the training of a model on a machine: layout, time of a step with a 90% interval, memory. A label says how
 * far to trust them.
 *
 * The room projection/ promises such steps, their training costs (cost.h), and answers to budgets and deadlines
 * (budget.h). It prices whole programmes (campaign.h). From a machine's own records it predicts a step (measured.h). It
 * needs a machine of machine/, fitted parameters of fit/ and the formulas of costmodel/. It runs nothing. It does not
 * know the accuracy that a training reaches, or how long a job waits in the queue. */
#ifndef TOISE_PROJECTION_PROJECTION_H
#define TOISE_PROJECTION_PROJECTION_H

#include "costmodel/platform.h"
#include "costmodel/search.h"
#include "fit/result.h"
#include "plan/ledger.h"

/* The question. projection_question_default has the defaults. */
struct projection_question {
    const struct model_config *config;
    enum machine_dtype dtype; /* MACHINE_DTYPES: the machine's widest 16-bit type */
    enum cost_framework framework;
    int fused;                   /* attention; PLAN_FREE: the framework's default */
    bool blocking, slots, eager; /* as in struct cost_traits */
    double grad_bytes;           /* of a reduced gradient; 0: the framework's default */
    struct plan_layout choice;   /* free fields are searched */
    int64_t seq, global_batch;   /* tokens; sequences */
    double accelerators;         /* 0: the machine's, rounded by projection_round_accelerators */
};

struct projection {
    const struct machine *machine;
    enum machine_dtype dtype;
    struct cost_job job;
    struct cost_step step;
    struct plan_flop flop; /* of a step */
    struct cost_memory memory;
    double accelerators;  /* as the machine counts them: an MI250X is one, with two ranks */
    double low_s, high_s; /* 90% interval of a step */
    double memory_needed; /* bytes of one rank, with fragmentation and the framework's own */
    bool fits;
    enum cost_label label;
    const char *why; /* reason for the label; NULL: none */
};

/* The model's positions as the sequence: 8,192 at most, 2,048 without a limit. 4,194,304 tokens a batch. The layout is
 * free. */
void projection_question_default(const struct model_config *config, struct projection_question *q);
/* Sets the sequence, and a batch of 4,194,304 tokens or one sequence. BASE_USAGE: the model has fewer positions. */
int projection_question_sequence(struct projection_question *q, int64_t seq, struct base_error *e);

/* The largest count up to `most` that makes 2^i or 3 x 2^i nodes. Other counts divide into few layouts. */
double projection_round_accelerators(const struct machine *m, double most);

/* Projects the fastest layout that fits. If none fits, projects the one of least memory, and `fits` is false. `search`
 * keeps the `most` best; free it in any case. BASE_USAGE: more accelerators than the machine has, a type it lacks, an
 * illegal layout. Parameters or facts that give a rate above the peak are BASE_USAGE too. */
int projection_make(const struct machine *m, const struct projection_question *q, const struct fit_result *fitted,
                    int most, struct projection *out, struct cost_search *search, struct base_error *e);

struct projection_rates {
    double tokens_per_s;
    double flop_per_s;        /* model FLOPs of one accelerator, causal attention as half the square */
    double flop_per_s_square; /* for comparison with tools that count the whole square */
    double mfu, hfu;          /* shares of the nominal peak; HFU counts recomputed FLOPs too */
};
struct projection_rates projection_rates(const struct projection *p);

#endif
