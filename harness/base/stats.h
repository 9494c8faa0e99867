/* SPDX-License-Identifier: Apache-2.0
 *
 * What a set of samples is worth. Samples are never dropped. */
#ifndef TOISE_BASE_STATS_H
#define TOISE_BASE_STATS_H

struct base_interval {
    double median, low, high; /* low, high: distribution-free confidence interval of the median */
    double confidence;        /* reached; below the one asked when there are too few samples for it */
};

/* Median with the order-statistics interval (binomial; David & Nagaraja, Order Statistics, 7.1) of at least
 * `confidence` when n allows it, else the whole range and what it reaches. n >= 1; x is not changed. */
struct base_interval base_stats_median(const double *x, int n, double confidence);
/* Mean with its 95% interval, of samples taken one after the other that need not be independent: Student's t of the
 * means of ten stretches of them, of fewer samples each its own (batch means; Law, Simulation Modeling and Analysis,
 * chapter 9.5.3). n >= 1; one sample alone shows no spread: low = high = mean. A wide interval of few samples can
 * reach below what is possible. */
struct base_mean {
    double mean, low, high;
};
struct base_mean base_stats_mean(const double *x, int n);
/* Quantile q of n values, linear between order statistics, sorts x; n >= 1. Type 6 of Hyndman and Fan 1996, since the
 * next value is below the k-th of n with a chance of k / (n + 1); beyond the first and the last it is these. */
double base_stats_quantile(double *x, int n, double q);
/* Ascending. */
void base_stats_sort(double *x, int n);
double base_stats_harmonic_mean(const double *x, int n); /* for rates */

#endif
