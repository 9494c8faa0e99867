/* SPDX-License-Identifier: Apache-2.0
 *
 * Ordinary kriging (Matheron 1963): interpolates a quantity between the points where it was measured. It is the best
 * linear unbiased estimate if the assumed correlation function is right. It passes through the points, tends to their
 * mean far away, and gives its standard deviation. */
#ifndef TOISE_PROJECTION_KRIGING_H
#define TOISE_PROJECTION_KRIGING_H

#include "base/error.h"

enum { PROJECTION_AXES = 4, PROJECTION_KRIGING_MOST = 128 };

struct projection_estimate {
    double value;
    double sd; /* standard deviation; 0 at a point */
};

/* Estimates y at q from y[n] at x[n], 1 <= n <= PROJECTION_KRIGING_MOST. Here x and q are logarithms of sizes, y of
 * rates. Correlation at distance d is exp(-d^2 / (2 ln(4)^2)): 61% for sizes that differ by a factor of 4.
 * Leave-one-out residuals give the variance. One or two points are too few for that: sd is then `unknown`, except at
 * the points. Points must differ. BASE_BROKEN: they do not, or memory is short. */
int projection_krige(double (*x)[PROJECTION_AXES], const double *y, int n, const double q[PROJECTION_AXES],
                     double unknown, struct projection_estimate *estimate, struct base_error *e);

#endif
