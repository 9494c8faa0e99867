/* SPDX-License-Identifier: Apache-2.0
 *
 * Medians, robust scales, and how long noise lasts. */
#include "detect/levels.h"

#include <limits.h>
#include <math.h>

#include "base/stats.h"

#define NORMAL_MAD 1.4826  /* of a normal distribution, 1 / 0.6745 */
#define NORMAL_MEAN 1.2533 /* the same for the mean distance */
#define WITHIN 2.5         /* values further out have no say in the scale */
#define WITHIN_SD 0.954626 /* standard deviation of the normal distribution cut at 2.5 */

/* What makes the MAD of n normal values unbiased (Croux and Rousseeuw 1992). */
static double mad_factor(int n) {
    static const double few[] = {1, 1, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107};
    return n < 10 ? few[n] : n / (n - 0.8);
}

double detect_mad(const double *x, int n, double centre, double *scratch) {
    for (int i = 0; i < n; i++) scratch[i] = fabs(x[i] - centre);
    return NORMAL_MAD * mad_factor(n) * base_stats_quantile(scratch, n, 0.5);
}

double detect_scale(const double *x, int n, double centre, double *scratch) {
    const double mad = detect_mad(x, n, centre, scratch);
    double squares = 0, distances = 0;
    int inside = 0;
    for (int i = 0; i < n; i++) distances += fabs(x[i] - centre);
    if (!(mad > 0)) return NORMAL_MEAN * distances / n; /* most are equal, as with a coarse clock */
    for (int i = 0; i < n; i++)
        if (fabs(x[i] - centre) <= WITHIN * mad) squares += (x[i] - centre) * (x[i] - centre), inside++;
    return inside > 1 ? fmax(mad, sqrt(squares / (inside - 1)) / WITHIN_SD) : mad;
}

struct detect_level detect_level(const struct detect_node *node, double *scratch) {
    const int n = node->samples;
    double *x = scratch, *distance = scratch + n;
    for (int k = 0; k < n; k++) x[k] = log(node->seconds[k]);
    struct detect_level level = {.at = {base_stats_quantile(x, n, 0.5), base_stats_quantile(x, n, 0.25)}, .samples = n};
    level.sd = detect_mad(x, n, level.at[DETECT_MEDIAN], distance);
    return level;
}

/* Adds the products of a node's samples `lag` apart to sums[lag], each a share of the node's variance. */
static void add_products(const struct detect_node *node, const struct detect_level *level, int lags, double *sums,
                         double *x) {
    if (!(level->sd > 0)) return;
    for (int k = 0; k < node->samples; k++) {
        const double z = (log(node->seconds[k]) - level->at[DETECT_MEDIAN]) / level->sd;
        x[k] = fmax(-3, fmin(3, z));
    }
    for (int lag = 0; lag <= lags && lag < node->samples; lag++) {
        double sum = 0;
        for (int k = 0; k + lag < node->samples; k++) sum += x[k] * x[k + lag];
        sums[lag] += sum / (node->samples - lag);
    }
}

/* Sums autocorrelations until one is small. Each is too small by the correlation of the mean, 1 / n of the sum. */
static double sum_lags(const double *sums, int lags, double bias) {
    double tau = 1;
    for (int lag = 1; lag <= lags; lag++) {
        const double r = sums[lag] / sums[0], unbiased = r + (1 - r) * bias;
        if (unbiased < 0.05) break;
        tau += 2 * unbiased;
    }
    return tau;
}

double detect_correlation(const struct detect_node *const *nodes, const struct detect_level *levels, int count,
                          double *scratch) {
    enum { LAGS = 64 };
    double sums[LAGS + 1] = {0};
    int least = INT_MAX;
    for (int i = 0; i < count; i++) least = levels[i].samples < least ? levels[i].samples : least;
    const int lags = least / 2 < LAGS ? least / 2 : LAGS;
    for (int i = 0; i < count; i++) add_products(nodes[i], &levels[i], lags, sums, scratch);
    if (!(sums[0] > 0)) return 1;
    return sum_lags(sums, lags, fmin(0.5, sum_lags(sums, lags, 0) / least));
}
