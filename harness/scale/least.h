/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted least squares of y = sum of a[j] x[j] with a[j] >= 0, and draws of what a[] could be.
 *
 * Laws of scaling are linear in their parameters, and errors of times are relative. Without the bounds, a[] has
 * Student's t around the estimate. A draw is moved to the nearest point within the bounds, in the metric of the
 * covariance: what the bounded fit of such data would give. So a parameter whose truth is 0 has an interval from 0.
 *
 * If the points are off the curve by more than runs of a point vary (F test of lack of fit), the law does not hold
 * exactly. Then the variance is that of the points, which are fewer, and the interval is wider. */
#ifndef TOISE_SCALE_LEAST_H
#define TOISE_SCALE_LEAST_H

#include <stdbool.h>
#include <stdint.h>

enum { SCALE_LEAST_TERMS = 3 };
#define SCALE_LACK 0.05 /* p value below which a law does not hold exactly */

struct scale_datum {
    double x[SCALE_LEAST_TERMS], y;
    double scale; /* the error is relative to this: y, unless something known was taken off */
    int point;    /* equal for repeated measurements at the same x; ascending */
};

struct scale_least {
    int terms;
    double a[SCALE_LEAST_TERMS];                             /* within the bounds */
    double open[SCALE_LEAST_TERMS];                          /* without bounds */
    double covariance[SCALE_LEAST_TERMS][SCALE_LEAST_TERMS]; /* of open[] */
    double factor[SCALE_LEAST_TERMS][SCALE_LEAST_TERMS];     /* its lower Cholesky factor */
    double df;
    double misfit; /* root mean square of the points' relative errors */
    double lack_p; /* p value of the law holding, by the lack of fit; NAN: no point was repeated, or too few points */
};

/* data[n] with at least terms + 1 points, by point. lost: degrees of freedom that the data lack already. False: the
 * data do not tell the terms apart. */
bool scale_least_fit(struct scale_least *f, const struct scale_datum *data, int n, int terms, int lost);
/* Draw number i of a seed: a[terms]. */
void scale_least_draw(const struct scale_least *f, uint64_t seed, int i, double *a);

#endif
