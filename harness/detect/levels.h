/* SPDX-License-Identifier: Apache-2.0
 *
 * Levels of nodes and their scales. Only detect/ includes it. */
#ifndef TOISE_DETECT_LEVELS_H
#define TOISE_DETECT_LEVELS_H

#include "detect/detect.h"

/* Of the logarithms of a node's samples. */
enum detect_statistic { DETECT_MEDIAN, DETECT_QUARTILE, DETECT_STATISTICS };
struct detect_level {
    double at[DETECT_STATISTICS];
    double sd; /* robust: 1.4826 times the median distance from the median */
    int samples;
};

/* 1.4826 MAD about `centre`, unbiased for n normal values. `scratch` has room for n. */
double detect_mad(const double *x, int n, double centre, double *scratch);
/* The scale of x[n] about `centre`, whatever a few of them are: at least the MAD, and the standard deviation of those
 * within 2.5 MAD. If more than half are equal, 1.2533 times the mean distance. */
double detect_scale(const double *x, int n, double centre, double *scratch);
/* The level of a node. `scratch` has room for twice its samples. */
struct detect_level detect_level(const struct detect_node *node, double *scratch);
/* As many correlated samples are worth one: 1 plus twice the sum of their autocorrelations, over all nodes [count].
 * Bursts are cut at 3 standard deviations, as medians cut them. `scratch` has room for a node's samples. */
double detect_correlation(const struct detect_node *const *nodes, const struct detect_level *levels, int count,
                          double *scratch);

#endif
