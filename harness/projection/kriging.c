/* SPDX-License-Identifier: Apache-2.0
 *
 * One Cholesky solve gives the weights, the mean and every point's leave-one-out residual (Dubrule 1983). */
#include "projection/kriging.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "fit/lapack.h"

static const double LENGTH = 1.3862943611198906; /* ln 4 */
static const double NUGGET = 1e-9;               /* keeps the solver stable; far below any measured difference */

static double distance2(const double a[PROJECTION_AXES], const double b[PROJECTION_AXES]) {
    double sum = 0;
    for (int k = 0; k < PROJECTION_AXES; k++) sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sum;
}

static double correlation(const double a[PROJECTION_AXES], const double b[PROJECTION_AXES]) {
    return exp(-distance2(a, b) / (2 * LENGTH * LENGTH));
}

/* inverse[n][n] of the points' correlations. false: some points are too close to each other. */
static bool invert(double (*x)[PROJECTION_AXES], int n, double *correlations, double *inverse) {
    int info;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            correlations[i * n + j] = correlation(x[i], x[j]) + (i == j ? NUGGET : 0);
            inverse[i * n + j] = i == j;
        }
    dposv_("L", &n, &n, correlations, &n, inverse, &n, &info);
    return info == 0;
}

/* y . inverse . z */
static double product(const double *inverse, int n, const double *y, const double *z) {
    double sum = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) sum += y[i] * inverse[i * n + j] * z[j];
    return sum;
}

/* Scale of the variance: the mean square of leave-one-out residuals, each over its variance at scale 1. Let Q be the
 * inverse with the mean projected out. Then residual i is (Q y)_i / Q_ii, and its variance at scale 1 is 1 / Q_ii. */
static double scale(const double *inverse, const double *rest, double ones, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double weight = 0, row = 0;
        for (int j = 0; j < n; j++) {
            weight += inverse[i * n + j] * rest[j];
            row += inverse[i * n + j];
        }
        sum += weight * weight / (inverse[i * n + i] - row * row / ones);
    }
    return sum / n;
}

static void estimate_at(double (*x)[PROJECTION_AXES], const double *y, int n, const double q[PROJECTION_AXES],
                        double unknown, const double *inverse, struct projection_estimate *estimate) {
    double one[PROJECTION_KRIGING_MOST], near[PROJECTION_KRIGING_MOST], rest[PROJECTION_KRIGING_MOST];
    for (int i = 0; i < n; i++) one[i] = 1, near[i] = correlation(x[i], q);
    const double ones = product(inverse, n, one, one), mean = product(inverse, n, one, y) / ones;
    for (int i = 0; i < n; i++) rest[i] = y[i] - mean;
    const double left = 1 - product(inverse, n, one, near); /* weight of the mean */
    const double variance = 1 - product(inverse, n, near, near) + left * left / ones;
    estimate->value = mean + product(inverse, n, near, rest);
    estimate->sd = n < 3 ? unknown : sqrt(fmax(0, variance) * scale(inverse, rest, ones, n));
}

int projection_krige(double (*x)[PROJECTION_AXES], const double *y, int n, const double q[PROJECTION_AXES],
                     double unknown, struct projection_estimate *estimate, struct base_error *e) {
    for (int i = 0; i < n; i++) {
        if (distance2(x[i], q) != 0) continue;
        *estimate = (struct projection_estimate){y[i], 0};
        return BASE_OK;
    }
    double *work = malloc(2 * (size_t)n * (size_t)n * sizeof *work);
    if (!work) return base_fail(e, BASE_BROKEN, "out of memory for %d points", n);
    const bool solved = invert(x, n, work, work + n * n);
    if (solved) estimate_at(x, y, n, q, unknown, work + n * n, estimate);
    free(work);
    return solved ? BASE_OK : base_fail(e, BASE_BROKEN, "bug: two points of an interpolation are equal");
}
