/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of samples: medians and means with their intervals, and quantiles. No sample is ever dropped. */
#ifndef TOISE_BASE_STATS_H
#define TOISE_BASE_STATS_H

struct base_interval {
    double median, low, high; /* low, high: distribution-free confidence interval of the median */
    double confidence;        /* reached; lower than asked if there are too few samples */
};

/* The median with its order-statistics interval (binomial; David & Nagaraja, Order Statistics, 7.1). The interval has
 * at least `confidence` if n allows it. Otherwise it is the whole range. n >= 1; x is unchanged. */
struct base_interval base_stats_median(const double *x, int n, double confidence);
/* The mean of consecutive, possibly correlated samples, with its 95% interval. Batch means (Law, Simulation Modeling
 * and Analysis, chapter 9.5.3): Student's t of the means of ten consecutive batches. Below ten samples each is a batch.
 * n >= 1; a single sample has low = high = mean. With few samples the interval can reach below what is possible. */
struct base_mean {
    double mean, low, high;
};
struct base_mean base_stats_mean(const double *x, int n);
/* The mean of n >= 1 values, and their variance with n - 1 degrees of freedom; NAN: n < 2. */
double base_stats_average(const double *x, int n);
double base_stats_variance(const double *x, int n);
/* Quantile q of n values, linear between order statistics; sorts x. n >= 1. Type 6 of Hyndman and Fan 1996, since the
 * next value is below the k-th of n with probability k / (n + 1). Clamped to the first and the last value. */
double base_stats_quantile(double *x, int n, double q);
/* P(T <= t) of Student's t, and its inverse, for df > 0 degrees of freedom, which need not be whole; 0 < p < 1.
 * INFINITY as df gives the normal distribution. Relative error of the quantile below 1e-9. */
double base_stats_student_cdf(double t, double df);
double base_stats_student(double p, double df);
/* P(F > f) of the F distribution with df1 and df2 degrees of freedom, both above 0. */
double base_stats_f_tail(double f, double df1, double df2);
void base_stats_sort(double *x, int n);                  /* ascending */
double base_stats_harmonic_mean(const double *x, int n); /* for rates */

#endif
