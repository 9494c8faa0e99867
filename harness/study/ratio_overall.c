/* SPDX-License-Identifier: Apache-2.0
 *
 * The mean over pairs whose launches may be the same. Each unit adds its deviations from its sides' means, over all
 * pairs; base counts negative. The squares of these sums add up to the variance. */
#include <math.h>
#include <stdlib.h>

#include "study/ratio.h"

/* How much one unit moves the overall mean. */
struct push {
    long id;
    double by;
};

static int by_id(const void *a, const void *b) {
    const long x = ((const struct push *)a)->id, y = ((const struct push *)b)->id;
    return (x > y) - (x < y);
}

/* Adds the units of one side; `weight` is the pair's, negative for base. Returns how many. */
static size_t add(const struct study_launch *launches, int n, enum study_level level, double weight,
                  struct study_unit *units, struct push *at) {
    const int count = study_units(launches, n, level, units);
    double mean = 0;
    for (int i = 0; i < count; i++) mean += units[i].log / count;
    for (int i = 0; i < count; i++) {
        /* makes a single pair's sum of squares its variance */
        const double unbiased = sqrt((double)count / (count - 1)) / count;
        at[i] = (struct push){(long)level * STUDY_IDS + units[i].id, weight * unbiased * (units[i].log - mean)};
    }
    return (size_t)count;
}

/* The sum over units of the squares of their sums. Sorts. */
static double squares_of(struct push *all, size_t n) {
    double squares = 0;
    qsort(all, n, sizeof *all, by_id);
    for (size_t i = 0, end; i < n; i = end) {
        double sum = 0;
        for (end = i; end < n && all[end].id == all[i].id; end++) sum += all[end].by;
        squares += sum * sum;
    }
    return squares;
}

static struct study_ratio combine(const struct study_sides *pairs, int count, struct study_unit *units,
                                  struct push *all) {
    struct study_ratio r = *pairs[0].ratio;
    size_t n = 0;
    r.log = 0;
    for (int i = 0; i < count; i++) {
        const struct study_sides *p = &pairs[i];
        r.log += p->ratio->log / count;
        r.df = fmin(r.df, p->ratio->df);
        r.units[0] = p->ratio->units[0] < r.units[0] ? p->ratio->units[0] : r.units[0];
        r.units[1] = p->ratio->units[1] < r.units[1] ? p->ratio->units[1] : r.units[1];
        r.level = p->ratio->level < r.level ? p->ratio->level : r.level;
        n += add(p->base, p->n, p->ratio->level, -1.0 / count, units, all + n);
        n += add(p->new, p->m, p->ratio->level, 1.0 / count, units, all + n);
    }
    if (count > 1) { /* as if both sides varied alike */
        r.se = sqrt(squares_of(all, n));
        r.sd[0] = r.sd[1] = r.se / sqrt(1.0 / r.units[0] + (r.paired ? 0 : 1.0 / r.units[1]));
    }
    return r;
}

int study_ratio_overall(const struct study_sides *pairs, int count, struct study_ratio *r, struct base_error *e) {
    size_t most = 0, total = 0;
    for (int i = 0; i < count; i++) {
        const size_t n = (size_t)pairs[i].n + (size_t)pairs[i].m;
        total += n, most = n > most ? n : most;
    }
    struct study_unit *units = malloc((most + 1) * sizeof *units);
    struct push *all = malloc((total + 1) * sizeof *all);
    int code = BASE_OK;
    if (units && all)
        *r = combine(pairs, count, units, all);
    else
        code = base_fail(e, BASE_BROKEN, "out of memory for %zu launches", total);
    free(units), free(all);
    return code;
}
