/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns the readings of one counter or power sensor into joules over time. Memory is allocated beforehand; adding a
 * reading only writes numbers.
 *
 * A counter's reading counts when it changes: a repeated value is no news, and a frozen counter covers no time. Power
 * is integrated by trapezoids. */
#ifndef TOISE_ENERGY_METER_H
#define TOISE_ENERGY_METER_H

#include <stdbool.h>

#include "base/error.h"

enum energy_unit {
    ENERGY_JOULES, /* a counter */
    ENERGY_WATTS
};

/* More than any node draws: the default of `most`. */
#define ENERGY_MOST_WATTS 1e5

struct energy_meter {
    enum energy_unit unit;
    double range; /* joules at which a counter wraps to 0; 0: unknown, then every step back loses its segment */
    double gap_s; /* power readings further apart than this leave a gap */
    double most;  /* watts; a step back that would take more is a reset, not a wrap */

    int capacity, count;
    double *at, *joules; /* [count]: points of total energy, ascending in time; at is base_clock_now's */
    bool *lost;          /* [count]: the energy since the point before is unknown */
    int stride, merged;  /* so many readings make a point; those in the last one, 0: it is complete */
    bool restarted;      /* since the last point */

    bool any;             /* a reading has come */
    double last_at, last; /* the last one that counted */
    double total;         /* joules so far */
    double known_s;       /* seconds in which they were used */

    long long readings, repeats; /* all good ones; those of a counter that had not moved */
    long long failed, wraps, resets, unclear;
    bool changed; /* any two readings differed */
};

int energy_meter_open(struct energy_meter *meter, enum energy_unit unit, double range, double gap_s, int capacity,
                      struct base_error *e);
void energy_meter_close(struct energy_meter *meter);

/* Adds a reading, joules or watts. Counts it as failed if it is not finite, below 0 or too high. When all points are
 * used, every second one is dropped and half as many are kept from then on; totals stay exact. `capacity` is even. */
void energy_meter_add(struct energy_meter *meter, double at, double value);
/* The counter was restarted: the energy between the last reading and the next is unknown. */
void energy_meter_restart(struct energy_meter *meter);

/* Joules from start to end, linear between points; NAN: not wholly covered. */
double energy_meter_joules(const struct energy_meter *meter, double start, double end);
/* Seconds from start to end in which the energy is known. */
double energy_meter_covered(const struct energy_meter *meter, double start, double end);
/* Mean seconds between two points; INFINITY below two. */
double energy_meter_interval(const struct energy_meter *meter);

#endif
