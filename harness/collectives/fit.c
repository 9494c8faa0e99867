/* SPDX-License-Identifier: Apache-2.0
 *
 * Weighted least squares for each stretch of sizes, and the best division into stretches by dynamic programming. */
#include "collectives/fit.h"

#include <math.h>
#include <string.h>

#include "base/stats.h"

enum { MOST = 128 };                   /* sizes; more are not looked at */
static const double FINEST = 1e-3;     /* no time is known better than this, relative */
static const double CONFIDENCE = 0.95; /* of each interval */

/* The line through some points, seconds = alpha + beta * bytes, both divided by the seconds: so errors are relative. */
struct line {
    double alpha, beta, squares;          /* sum of squared relative errors */
    double alpha_variance, beta_variance; /* in units of the errors' variance */
};

/* By the normal equations, in bytes relative to their weighted mean, which keeps them well conditioned. */
static struct line line_of(const struct collectives_point *p, int n) {
    struct line l = {0};
    double weights = 0, mean_x = 0, mean_y = 0, xx = 0, xy = 0;
    for (int i = 0; i < n; i++) {
        const double w = 1 / (p[i].seconds * p[i].seconds);
        weights += w;
        mean_x += w * p[i].bytes;
        mean_y += w * p[i].seconds;
    }
    mean_x /= weights;
    mean_y /= weights;
    for (int i = 0; i < n; i++) {
        const double w = 1 / (p[i].seconds * p[i].seconds), x = p[i].bytes - mean_x;
        xx += w * x * x;
        xy += w * x * (p[i].seconds - mean_y);
    }
    l.beta = xx > 0 ? xy / xx : 0;
    l.alpha = mean_y - l.beta * mean_x;
    l.beta_variance = xx > 0 ? 1 / xx : INFINITY;
    l.alpha_variance = 1 / weights + mean_x * mean_x * l.beta_variance;
    for (int i = 0; i < n; i++) {
        const double error = (p[i].seconds - l.alpha - l.beta * p[i].bytes) / p[i].seconds;
        l.squares += error * error;
    }
    return l;
}

/* The least squares of the first j points in k ranges, and where the last range starts. */
struct division {
    double squares[COLLECTIVES_RANGES + 1][MOST + 1];
    int start[COLLECTIVES_RANGES + 1][MOST + 1];
};

static void divide(const struct collectives_point *p, int n, struct division *d) {
    for (int k = 0; k <= COLLECTIVES_RANGES; k++)
        for (int j = 0; j <= n; j++) d->squares[k][j] = k + j ? INFINITY : 0;
    for (int k = 1; k <= COLLECTIVES_RANGES; k++)
        for (int j = k * COLLECTIVES_RANGE_LEAST; j <= n; j++)
            for (int i = 0; i + COLLECTIVES_RANGE_LEAST <= j; i++) {
                if (!isfinite(d->squares[k - 1][i])) continue;
                const double squares = d->squares[k - 1][i] + line_of(p + i, j - i).squares;
                if (squares < d->squares[k][j]) d->squares[k][j] = squares, d->start[k][j] = i;
            }
}

/* The number of ranges with the least criterion. */
static int choose(const struct collectives_point *p, int n, const struct division *d) {
    double noise = 0, least = INFINITY;
    int best = 0;
    for (int i = 0; i < n; i++) noise += fmax(FINEST, p[i].error) * fmax(FINEST, p[i].error);
    for (int k = 1; k <= COLLECTIVES_RANGES; k++) {
        if (!isfinite(d->squares[k][n])) continue;
        const double criterion = n * log(fmax(noise, d->squares[k][n]) / n) + (2 * k + 2 * (k - 1)) * log(n);
        if (criterion < least) least = criterion, best = k;
    }
    return best;
}

static struct collectives_line interval(double value, double half) {
    return (struct collectives_line){value, value - half, value + half};
}

/* byte/s of a slope in s/byte */
static struct collectives_line inverse(double beta, double half) {
    const double high = beta - half;
    return (struct collectives_line){beta > 0 ? 1 / beta : INFINITY, 1 / fmax(beta + half, 1e-300),
                                     high > 0 ? 1 / high : INFINITY};
}

void collectives_fit(const struct collectives_point *p, int n, struct collectives_fit *fit) {
    struct division d;
    *fit = (struct collectives_fit){0};
    if (n > MOST) n = MOST;
    if (n < COLLECTIVES_RANGE_LEAST) return;
    divide(p, n, &d);
    fit->ranges = choose(p, n, &d);
    const double squares = d.squares[fit->ranges][n];
    const int freedom = n - 2 * fit->ranges;
    const double sd = fmax(FINEST, sqrt(squares / freedom));
    const double t = base_stats_student(1 - (1 - CONFIDENCE) / 2, freedom);
    fit->misfit = sqrt(squares / n);
    for (int k = fit->ranges, end = n; k > 0; k--) {
        const int start = d.start[k][end];
        const struct line l = line_of(p + start, end - start);
        fit->range[k - 1] = (struct collectives_range){.from = p[start].bytes,
                                                       .to = p[end - 1].bytes,
                                                       .alpha = interval(l.alpha, t * sd * sqrt(l.alpha_variance)),
                                                       .bandwidth = inverse(l.beta, t * sd * sqrt(l.beta_variance))};
        end = start;
    }
}
