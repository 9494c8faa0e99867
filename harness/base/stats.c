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
    enum { FEW = 32 };
    for (int i = 1; i < n && n <= FEW; i++) { /* qsort calls a function for each comparison */
        const double value = x[i];
        int k = i;
        for (; k > 0 && x[k - 1] > value; k--) x[k] = x[k - 1];
        x[k] = value;
    }
    if (n > FEW) qsort(x, (size_t)n, sizeof *x, ascending);
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

/* The regularised incomplete beta function I_x(a, b) by its continued fraction (Abramowitz & Stegun 26.5.8), in Lentz's
 * form. It converges fast for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double x, double a, double b) {
    enum { TERMS = 100000 };
    const double tiny = 1e-300;
    double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), whole = d;
    for (int m = 1; m < TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double before = whole;
        for (int half = 0; half < 2; half++) {
            const double term = half ? odd : even;
            d = 1 + term * d, c = 1 + term / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            if (fabs(c) < tiny) c = tiny;
            whole *= c * d;
        }
        if (fabs(whole - before) <= 1e-16 * fabs(whole)) break;
    }
    const double front = a * log(x) + b * log1p(-x) - log(a) - (lgamma(a) + lgamma(b) - lgamma(a + b));
    return exp(front) * whole;
}

/* P(|T| > |t|) / 2. For large df by the normal distribution (Abramowitz & Stegun 26.7.8), as lgamma would cancel. */
static double student_tail(double t, double df) {
    if (df > 1e6) return erfc(fabs(t) * (1 - 0.25 / df) / sqrt(2 + t * t / df)) / 2;
    const double x = df / (df + t * t), rest = t * t / (df + t * t), a = df / 2;
    if (rest == 0) return 0.5;
    return (x < (a + 1) / (a + 2.5) ? beta_fraction(x, a, 0.5) : 1 - beta_fraction(rest, 0.5, a)) / 2;
}

double base_stats_student_cdf(double t, double df) {
    const double tail = student_tail(t, df);
    return t > 0 ? 1 - tail : tail;
}

double base_stats_student(double p, double df) {
    const double tail = p < 0.5 ? p : 1 - p;
    double low = 0, high = 1;
    while (student_tail(high, df) > tail && high < 1e300) low = high, high *= 2;
    for (int i = 0; i < 200 && high - low > 1e-13 * high; i++) {
        const double middle = low + (high - low) / 2;
        *(student_tail(middle, df) > tail ? &low : &high) = middle;
    }
    return p < 0.5 ? -high : p > 0.5 ? high : 0;
}

double base_stats_f_tail(double f, double df1, double df2) {
    if (!(f > 0)) return 1;
    if (isinf(f)) return 0;
    const double x = df2 / (df2 + df1 * f), rest = df1 * f / (df2 + df1 * f), a = df2 / 2, b = df1 / 2;
    return x < (a + 1) / (a + b + 2) ? beta_fraction(x, a, b) : 1 - beta_fraction(rest, b, a);
}

enum { BATCHES = 10 };

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
    const double half = base_stats_student(0.975, batches - 1) * sqrt(squares / (batches - 1) / batches);
    m.low -= half;
    m.high += half;
    return m;
}

double base_stats_average(const double *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += x[i];
    return sum / n;
}

double base_stats_variance(const double *x, int n) {
    const double mean = base_stats_average(x, n);
    double squares = 0;
    for (int i = 0; i < n; i++) squares += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? squares / (n - 1) : NAN;
}

double base_stats_harmonic_mean(const double *x, int n) {
    double sum = 0.0;
    for (int i = 0; i < n; i++) sum += 1.0 / x[i];
    return n / sum;
}
