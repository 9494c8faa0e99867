/* SPDX-License-Identifier: Apache-2.0
 *
 * A model on a machine: the layout, its price with what it may be wrong by, its memory, and how far to trust it. */
#ifndef TOISE_PROJECTION_PROJECTION_H
#define TOISE_PROJECTION_PROJECTION_H

#include "costmodel/platform.h"
#include "costmodel/search.h"
#include "fit/result.h"
#include "plan/ledger.h"

/* What is asked; defaults are those of projection_question_default. */
struct projection_question {
    const struct model_config *config;
    enum machine_dtype dtype; /* MACHINE_DTYPES: the machine's widest 16-bit type */
    enum cost_framework framework;
    int fused;                   /* attention; PLAN_FREE: as the framework has it */
    bool blocking, slots, eager; /* as struct cost_traits has them */
    double grad_bytes;           /* of a reduced gradient; 0: the framework's */
    struct plan_layout choice;   /* what is free is searched */
    int64_t seq, global_batch;
    double accelerators; /* of the machine's; 0: as many as projection_round_accelerators says */
};

struct projection {
    const struct machine *machine;
    enum machine_dtype dtype;
    struct cost_job job;
    struct cost_step step;
    struct plan_flop flop; /* of a step */
    struct cost_memory memory;
    double accelerators;  /* of the machine's: an MI250X is one, though two ranks */
    double low_s, high_s; /* 90% interval of a step */
    double memory_needed; /* of one rank, fragments and the framework's own included */
    bool fits;
    enum cost_label label;
    const char *why; /* of the label; NULL: nothing to say */
};

/* A sequence of the model's positions, 8,192 at most and 2,048 where they are endless; 4,194,304 tokens a batch;
 * nothing given. */
void projection_question_default(const struct model_config *config, struct projection_question *q);
/* Sequences of `seq` tokens, 4,194,304 tokens a batch or one sequence. BASE_USAGE: the model has fewer positions. */
int projection_question_sequence(struct projection_question *q, int64_t seq, struct base_error *e);

/* The most accelerators up to `most` that are 2^i or 3 x 2^i nodes: counts with other factors divide into few layouts.
 */
double projection_round_accelerators(const struct machine *m, double most);

/* Projects the fastest layout that fits; where none does, that of least memory, with `fits` false. `search` keeps the
 * `most` best; free it in any case. BASE_USAGE: more accelerators than the machine has, a type it lacks, a layout that
 * is not legal, a price above the peak (by parameters or facts that contradict it). */
int projection_make(const struct machine *m, const struct projection_question *q, const struct fit_result *fitted,
                    int most, struct projection *out, struct cost_search *search, struct base_error *e);

/* FLOP/s of one accelerator as the model counts (causal attention), as tools that count the whole square do, and what
 * the hardware did; shares of the nominal peak. */
struct projection_rates {
    double tokens_per_s, flop_per_s, flop_per_s_square, mfu, hfu;
};
struct projection_rates projection_rates(const struct projection *p);

#endif
