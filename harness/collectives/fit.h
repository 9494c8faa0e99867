/* SPDX-License-Identifier: Apache-2.0
 *
 * Fits time = alpha + bytes / bandwidth to the times of one operation over sizes. MPI changes its protocol with the
 * size, so the sizes are divided into ranges, each with its own line. The number of ranges is the one with the least
 * Bayesian information criterion (Schwarz 1978), in which a breakpoint counts as two parameters, since its place is
 * searched for (Zhang and Siegmund, Biometrics 63, 2007). Errors are relative, so that every size counts alike. */
#ifndef TOISE_COLLECTIVES_FIT_H
#define TOISE_COLLECTIVES_FIT_H

enum { COLLECTIVES_RANGES = 4, COLLECTIVES_RANGE_LEAST = 4 /* sizes in a range */ };

struct collectives_point {
    double bytes, seconds;
    double error; /* standard error of `seconds`, relative: smaller misfits are no evidence for a breakpoint */
};

struct collectives_line {
    double value, low, high; /* with its 95% interval, given the breakpoints */
};

struct collectives_fit {
    int ranges; /* 0: too few sizes */
    struct collectives_range {
        double from, to;                          /* bytes of its first and last size */
        struct collectives_line alpha, bandwidth; /* seconds; byte/s. A bandwidth whose inverse has an interval that
                                                     includes zero has INFINITY as `high` */
    } range[COLLECTIVES_RANGES];
    double misfit; /* root mean square of the relative errors */
};

/* points[n] by ascending bytes, seconds above 0. A range needs COLLECTIVES_RANGE_LEAST of them. */
void collectives_fit(const struct collectives_point *points, int n, struct collectives_fit *fit);

#endif
