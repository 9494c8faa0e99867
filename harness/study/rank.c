/* SPDX-License-Identifier: Apache-2.0 */
#include "study/rank.h"

#include <math.h>
#include <stdlib.h>

#include "base/stats.h"

enum { EXACT = 100 }; /* differences up to which the distribution is computed; beyond, it is normal to three digits */

/* The largest k for which the sum of the positive ranks of n is below k with probability alpha / 2 at most. */
static int exact_rank(int n, double alpha) {
    const int sums = n * (n + 1) / 2 + 1;
    double *p = calloc((size_t)sums, sizeof *p), below = 0;
    int k = 0;
    if (!p) return 0;
    p[0] = 1;
    for (int rank = 1; rank <= n; rank++)
        for (int s = sums - 1; s >= 0; s--) p[s] = (p[s] + (s >= rank ? p[s - rank] : 0)) / 2;
    while (k < sums && below + p[k] <= alpha / 2) below += p[k++];
    free(p);
    return k;
}

static int normal_rank(double n, double alpha) {
    const double mean = n * (n + 1) / 4, sd = sqrt(n * (n + 1) * (2 * n + 1) / 24);
    return (int)floor(mean - sd * base_stats_student(1 - alpha / 2, INFINITY));
}

struct study_rank study_rank_interval(const double *d, int n, double alpha) {
    const int k = n <= EXACT ? exact_rank(n, alpha) : normal_rank(n, alpha);
    const size_t count = (size_t)n * ((size_t)n + 1) / 2;
    struct study_rank r = {NAN, -INFINITY, INFINITY};
    double *means = malloc((count + 1) * sizeof *means);
    size_t at = 0;
    if (!means || n < 1) {
        free(means);
        return r;
    }
    for (int i = 0; i < n; i++)
        for (int j = i; j < n; j++) means[at++] = (d[i] + d[j]) / 2;
    r.shift = base_stats_quantile(means, (int)count, 0.5); /* sorts */
    if (k > 0) r.low = means[k - 1], r.high = means[count - (size_t)k];
    free(means);
    return r;
}
