/* SPDX-License-Identifier: Apache-2.0
 *
 * Order statistics of a sorted copy. They assume no distribution: for any samples, the number below the true median is
 * binomial with p = 1/2. */
#include "base/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void base_stats_sort(double *x, int n) {
    qsort(x, (size_t)n, sizeof *x, ascending);
}

double base_stats_quantile(double *x, int n, double q) {
    base_stats_sort(x, n);
    const double at = fmin(n - 1, fmax(0, q * (n + 1) - 1));
    const int i = (int)at, next = i + 1 < n ? i + 1 : i;
    return x[i] + (at - i) * (x[next] - x[i]);
}

/* The d-th smallest and the d-th greatest sample enclose the median with probability P(d <= Binomial(n, 1/2) <= n - d).
 * Returns the greatest d for which that is at least `confidence`; 1 if there is none. *reached: the probability. */
static int median_rank(int n, double confidence, double *reached) {
    double log_term = -n * log(2.0); /* ln P(Binomial = i): 2^-n itself would underflow */
    double below = exp(log_term);    /* P(Binomial < d) */
    int d = 1;
    *reached = 1.0 - 2.0 * below;
    while (2 * (d + 1) <= n) {
        log_term += log((double)(n - d + 1) / d);
        below += exp(log_term);
        if (1.0 - 2.0 * below < confidence) break;
        *reached = 1.0 - 2.0 * below;
        d++;
    }
    return d;
}

struct base_interval base_stats_median(const double *x, int n, double confidence) {
    struct base_interval interval = {NAN, NAN, NAN, 0.0};
    double *sorted = n > 0 ? malloc((size_t)n * sizeof *sorted) : NULL;
    if (sorted == NULL) return interval;
    memcpy(sorted, x, (size_t)n * sizeof *sorted);
    base_stats_sort(sorted, n);
    int d = median_rank(n, confidence, &interval.confidence);
    interval.median = n % 2 ? sorted[n / 2] : 0.5 * (sorted[n / 2 - 1] + sorted[n / 2]);
    interval.low = sorted[d - 1];
    interval.high = sorted[n - d];
    free(sorted);
    return interval;
}

enum { BATCHES = 10 };

/* Student's t, two-sided at 95%, by degrees of freedom from 1 (any table) */
static const double student[BATCHES - 1] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262};

struct base_mean base_stats_mean(const double *x, int n) {
    struct base_mean m = {NAN, NAN, NAN};
    const int batches = n < BATCHES ? n : BATCHES;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    if (n < 1) return m;
    m.mean = m.low = m.high = sum / n;
    for (int b = 0; b < batches; b++) {
        const int first = (int)((long long)n * b / batches), end = (int)((long long)n * (b + 1) / batches);
        double batch = 0;
        for (int i = first; i < end; i++) batch += x[i] / (end - first);
        squares += (batch - m.mean) * (batch - m.mean);
    }
    if (batches < 2) return m;
    const double half = student[batches - 2] * sqrt(squares / (batches - 1) / batches);
    m.low -= half;
    m.high += half;
    return m;
}

double base_stats_harmonic_mean(const double *x, int n) {
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += 1.0 / x[i];
    return n / sum;
}
