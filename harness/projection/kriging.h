/* SPDX-License-Identifier: Apache-2.0
 *
 * A quantity between points where it was measured: ordinary kriging (Matheron 1963), the best linear unbiased estimate
 * from values that are the more alike the nearer their points are. It passes through the points, keeps to their mean
 * far away, and says how sure it is. */
#ifndef TOISE_PROJECTION_KRIGING_H
#define TOISE_PROJECTION_KRIGING_H

#include "base/error.h"

enum { PROJECTION_AXES = 4, PROJECTION_KRIGING_MOST = 128 };

struct projection_estimate {
    double value;
    double sd; /* standard deviation; 0 at a point */
};

/* The estimate at q from y[n] at x[n], 1 <= n <= PROJECTION_KRIGING_MOST: here sizes' and rates' logarithms.
 * Correlation at distance d is exp(-d^2 / (2 ln(4)^2)): sizes that differ by a factor of 4 share 61% of what sets them
 * apart from the mean. How much that is comes from the residuals of leaving each point out; two points or one have
 * none, and sd is then `unknown` everywhere but there. Points must differ. BASE_BROKEN: they do not, or no memory. */
int projection_krige(double (*x)[PROJECTION_AXES], const double *y, int n, const double q[PROJECTION_AXES],
                     double unknown, struct projection_estimate *estimate, struct base_error *e);

#endif
