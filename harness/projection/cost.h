/* SPDX-License-Identifier: Apache-2.0
 *
 * What a whole training costs in hours, energy and money: its steps, and what a real run adds to them. The time that a
 * job waits in the queue is unknown and not counted. */
#ifndef TOISE_PROJECTION_COST_H
#define TOISE_PROJECTION_COST_H

#include "projection/projection.h"

/* Assumptions about a run. */
struct projection_assumptions {
    double tokens;
    double mtbf_hours;              /* between failures of one accelerator with its share of node and network */
    double restart_s;               /* from a failure, or the end of a job, to the next step */
    double checkpoint_bytes;        /* of a parameter */
    double checkpoint_bytes_per_s;  /* to storage; NAN: the machine's, else a guess */
    double checkpoint_every_s;      /* 0: the interval that loses least time (Young 1974) */
    double straggling;              /* share of a step that slow nodes and hiccups add */
    double ramp_batch, ramp_tokens; /* the batch grows linearly from ramp_batch sequences over ramp_tokens; 0: no ramp.
                                       A shorter training ends on the ramp */
    double wall_s;                  /* time limit of a job; 0: no limit; NAN: that of the longest queue that takes it */
    double eur_per_mwh;             /* of electricity; NAN: unknown */
    double eur_per_hour;            /* of an accelerator; NAN: unknown */
    double load;                    /* an accelerator's mean power over its rated power */
};
/* Failures: 419 in 54 days on 16,384 H100 (Grattafiori et al. 2024) are one in 50,700 accelerator-hours. BLOOM's one to
 * two a week on 384 A100 (Le Scao et al. 2022) are one in 32,000 to 64,500. Checkpoints: 14 bytes a parameter. Other
 * defaults are assumed. */
void projection_assumptions_default(struct projection_assumptions *t);

/* Failures can occur at any time, also during restarts and checkpoints. Daly's formula counts them (FGCS 22, 2006,
 * equation 4). Let M seconds pass between failures. A checkpoint of d seconds follows every t, and restarts take R.
 * Then T seconds of steps take M e^(R/M) (e^((t+d)/M) - 1) T/t seconds of wall time. */
struct projection_cost {
    double steps, steps_s;
    double ramp_s; /* what smaller batches add */
    double straggling_s, checkpoint_s;
    double lost_s, restart_s; /* work repeated after failures; restarts after them */
    double queue_s;           /* restarts and checkpoints between jobs */
    double wall_s, goodput;   /* wall_s: the sum of these times; goodput: steps_s / wall_s */
    double failures, jobs, checkpoint_every_s, checkpoint_one_s;
    double low_wall_s, high_wall_s; /* 90% interval, from that of a step */
    double accelerator_hours;
    double accelerator_mwh, node_mwh, facility_mwh; /* NAN: a node's power, or the site's PUE, is unknown */
    double electricity_eur;                         /* of facility_mwh; NAN: unknown */
    double accelerators_eur;                        /* of accelerator_hours; NAN: unknown */
};

/* Costs the projection's training; p prices steps of smaller batches. BASE_USAGE: steps would get less than 1% of the
 * time. The message says whether failures, checkpoints or job limits take the rest. */
int projection_cost_fill(const struct projection *projection, const struct cost_parameters *p,
                         const struct projection_assumptions *t, struct projection_cost *cost, struct base_error *e);

/* Bytes/s to storage: those of the fastest measured checkpoint, else the nominal rate; NAN: unknown. */
double projection_cost_storage(const struct machine *m);

#endif
