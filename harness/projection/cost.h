/* SPDX-License-Identifier: Apache-2.0
 *
 * What a whole training costs: steps, and what a real run adds to them; hours, energy, money. */
#ifndef TOISE_PROJECTION_COST_H
#define TOISE_PROJECTION_COST_H

#include "projection/projection.h"

/* What a run meets beside its steps. */
struct projection_assumptions {
    double tokens;
    double mtbf_hours;                /* of one accelerator and its share of everything: hours between failures */
    double restart_s;                 /* from a failure, or the end of a job, to the next step */
    double checkpoint_bytes;          /* of a parameter */
    double checkpoint_bytes_per_s;    /* to storage; NAN: the machine's, else a guess */
    double checkpoint_every_s;        /* 0: the interval that loses least (Young 1974) */
    double straggling;                /* of a step: what slow nodes and hiccups add */
    double ramp_batch, ramp_tokens;   /* batches grow from ramp_batch sequences over these tokens; 0: none. A shorter
                                         training ends on the ramp */
    double wall_s;                    /* of one job in the queue; 0: no limit; NAN: the machine's longest */
    double eur_per_mwh, eur_per_hour; /* of electricity; of an accelerator; NAN: unknown */
    double load;                      /* an accelerator's mean draw over its rated power */
};
/* Failures: 419 in 54 days on 16,384 H100 (Grattafiori et al. 2024) are one in 50,700 accelerator-hours; BLOOM's one to
 * two a week on 384 A100 (Le Scao et al. 2022) 32,000 to 64,500. Checkpoints: 14 bytes a parameter. Other defaults are
 * assumed. */
void projection_assumptions_default(struct projection_assumptions *t);

/* Failures strike at any time, restarts and checkpoints included, so what they cost is Daly's (FGCS 22, 2006, equation
 * 4): with M seconds between failures, a checkpoint of d seconds every t and restarts of R, the wall time of T seconds
 * of steps is M e^(R/M) (e^((t+d)/M) - 1) T/t. */
struct projection_cost {
    double steps, steps_s, ramp_s; /* ramp_s: what smaller batches add */
    double straggling_s, checkpoint_s, lost_s, restart_s, queue_s;
    double wall_s, goodput; /* wall_s: the sum of all these; goodput: steps_s / wall_s */
    double failures, jobs, checkpoint_every_s, checkpoint_one_s;
    double low_wall_s, high_wall_s; /* by the interval of a step */
    double accelerator_hours;
    double accelerator_mwh, node_mwh, facility_mwh; /* NAN: nobody says what a node draws, or the site's PUE */
    double electricity_eur, accelerators_eur;       /* of the facility's MWh; NAN: unknown */
};

/* Prices the projection's training. p: fitted parameters, by which smaller batches are priced. BASE_USAGE: it would not
 * end, since failures, checkpoints or the queue leave no hundredth of the time to steps; says which. */
int projection_cost_fill(const struct projection *projection, const struct cost_parameters *p,
                         const struct projection_assumptions *t, struct projection_cost *cost, struct base_error *e);

/* Bytes/s to storage: the fastest checkpoint that was measured, else the nominal rate; NAN: unknown. */
double projection_cost_storage(const struct machine *m);

#endif
