/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounds of the worst place. */
#include "accept/judge.h"

#include <math.h>
#include <stdlib.h>

#include "base/stats.h"

static double mean_of(const struct accept_place *p) {
    return base_stats_average(p->x, p->launches);
}

/* Variance of a launch over all places, and its degrees of freedom. */
static double pooled(const struct accept_place *places, int count, double *df) {
    double squares = 0;
    *df = 0;
    for (int i = 0; i < count; i++)
        if (places[i].launches > 1) {
            const double own = places[i].launches - 1;
            squares += own * base_stats_variance(places[i].x, places[i].launches), *df += own;
        }
    return *df > 0 ? squares / *df : NAN;
}

/* Of a place's mean. */
static double variance_of(const struct accept_place *p, double variance) {
    return fmax(base_stats_variance(p->x, p->launches), variance) / p->launches; /* of one launch the latter */
}

static int by_mean(const void *a, const void *b) {
    const double x = mean_of(a), y = mean_of(b);
    return (x > y) - (x < y);
}

struct accept_typical accept_typical(struct accept_place *places, int count) {
    struct accept_typical t = {0};
    double df;
    const double variance = pooled(places, count, &df);
    const struct accept_place *middle[] = {places + (count - 1) / 2, places + count / 2};
    int launches = 0;
    qsort(places, (size_t)count, sizeof *places, by_mean);
    for (int i = 0; i < count; i++) {
        t.mean += mean_of(&places[i]) / count;
        t.mean_variance += variance_of(&places[i], variance) / count / count;
        launches += places[i].launches;
    }
    t.median = (mean_of(middle[0]) + mean_of(middle[1])) / 2;
    const double two = (variance_of(middle[0], variance) + variance_of(middle[1], variance)) / 4;
    t.median_variance = fmax(M_PI_2 * variance / launches, middle[0] == middle[1] ? 2 * two : two);
    if (!(df > 0)) t.mean_variance = t.median_variance = INFINITY;
    return t;
}

/* Half the interval's logarithm that n launches of each of `count` places at the pledge reach with ACCEPT_POWER. */
static double reach(double sd, int count, double n) {
    const double passes = base_stats_student(1 - ACCEPT_ALPHA, n - 1);
    return (passes + base_stats_student(1 - (1 - ACCEPT_POWER) / count, count * (n - 1))) * sd / sqrt(n);
}

long accept_needed(double sd, int count, double tolerance) {
    enum { MOST = 1000000 };
    const double wanted = -log1p(-tolerance);
    long low = ACCEPT_LAUNCHES - 1, high = ACCEPT_LAUNCHES;
    while (high <= MOST && reach(sd, count, (double)high) > wanted) low = high, high *= 2;
    if (!isfinite(sd) || high > MOST) return 0;
    while (low + 1 < high) {
        const long middle = low + (high - low) / 2;
        *(reach(sd, count, (double)middle) > wanted ? &low : &high) = middle;
    }
    return high;
}

struct accept_judgement accept_judge(const struct accept_place *places, int count, double extra, int items,
                                     double tolerance) {
    struct accept_judgement j = {ACCEPT_UNDECIDED, -1, NAN, NAN, NAN, NAN, 0};
    double df, worst = INFINITY, low = INFINITY, high = INFINITY, below = INFINITY;
    int launches = 0;
    const double variance = pooled(places, count, &df);
    if (count < 1) return j;
    const double above = df > 0 ? base_stats_student(1 - ACCEPT_ALPHA / items / count, df) : NAN;
    j.least = places[0].launches;
    for (int i = 0; i < count; i++) {
        const double mean = mean_of(&places[i]), error = sqrt(variance_of(&places[i], variance) + extra);
        if (mean < worst) worst = mean, j.worst = i;
        if (places[i].launches < j.least) j.least = places[i].launches;
        if (places[i].launches != launches && places[i].launches > 1)
            below = base_stats_student(1 - ACCEPT_ALPHA, places[i].launches - 1);
        launches = places[i].launches;
        low = fmin(low, mean - below * error), high = fmin(high, mean + above * error);
    }
    j.sd = sqrt(variance), j.at = exp(worst);
    if (!(df > 0)) return j;
    j.low = exp(low), j.high = exp(high);
    if (j.least < ACCEPT_LAUNCHES) return j;
    j.verdict = high < 0 ? ACCEPT_BROKEN : low > log1p(-tolerance) ? ACCEPT_KEPT : ACCEPT_UNDECIDED;
    return j;
}
