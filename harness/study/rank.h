/* SPDX-License-Identifier: Apache-2.0
 *
 * The shift of paired differences by their ranks: the Hodges-Lehmann estimate and Wilcoxon's signed-rank interval
 * (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3.2 and 3.3). Up to 100 differences the interval is
 * exact for any noise whose differences are symmetric, and a random order within each pair makes them so. Beyond, its
 * level is that of the normal distribution. Bursts widen it far less than
 * they widen Student's. */
#ifndef TOISE_STUDY_RANK_H
#define TOISE_STUDY_RANK_H

struct study_rank {
    double shift, low, high; /* the median of all means of two differences, and its interval */
};

/* The interval of d[n] with confidence 1 - alpha. -INFINITY and INFINITY: n is too small for it, or no memory. */
struct study_rank study_rank_interval(const double *d, int n, double alpha);

#endif
