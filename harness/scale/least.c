/* SPDX-License-Identifier: Apache-2.0
 *
 * Normal equations of at most three terms, by LAPACK's Cholesky solver. */
#include "scale/least.h"

#include <math.h>
#include <string.h>

#include "base/random.h"
#include "base/stats.h"
#include "fit/lapack.h"

enum { TERMS = SCALE_LEAST_TERMS, CHI_MOST = 60 /* more degrees of freedom are as good as normal */ };
static const double SINGULAR = 1e-12; /* least pivot of scaled normal equations */
static const double FINEST = 1e-6;    /* no rate is known better, relative: keeps exact data solvable */

/* The solution of the normal equations, and the inverse of their matrix. Columns are scaled to length 1 first. */
static bool solve(const struct scale_datum *d, int n, int terms, double *a, double inverse[TERMS][TERMS]) {
    double matrix[TERMS * TERMS] = {0}, right[TERMS * (TERMS + 1)] = {0}, length[TERMS] = {0};
    const int sides = terms + 1;
    int info;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < terms; j++) length[j] += d[i].x[j] * d[i].x[j] / (d[i].scale * d[i].scale);
    for (int j = 0; j < terms; j++)
        if (!((length[j] = sqrt(length[j])) > 0)) return false;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < terms; j++) {
            const double x = d[i].x[j] / d[i].scale / length[j];
            for (int k = 0; k < terms; k++) matrix[j * terms + k] += x * d[i].x[k] / d[i].scale / length[k];
            right[j] += x * d[i].y / d[i].scale;
        }
    for (int j = 0; j < terms; j++) right[(j + 1) * terms + j] = 1;
    dposv_("L", &terms, &sides, matrix, &terms, right, &terms, &info);
    if (info) return false;
    for (int j = 0; j < terms; j++) {
        if (!(matrix[j * terms + j] * matrix[j * terms + j] > SINGULAR)) return false;
        a[j] = right[j] / length[j];
        for (int k = 0; k < terms; k++) inverse[j][k] = right[(k + 1) * terms + j] / length[j] / length[k];
    }
    return true;
}

/* Moves a[] to the nearest point with a[j] >= 0: fixes the worst at 0, moves the others with it, and starts again. */
static void bound(const struct scale_least *f, double *a) {
    double c[TERMS][TERMS];
    bool fixed[TERMS] = {false};
    memcpy(c, f->covariance, sizeof c);
    for (int turn = 0; turn < f->terms; turn++) {
        int worst = -1;
        double least = 0;
        for (int j = 0; j < f->terms; j++) {
            const double z = !fixed[j] && c[j][j] > 0 ? a[j] / sqrt(c[j][j]) : 0;
            if (a[j] < 0 && !fixed[j] && z <= least) least = z, worst = j;
        }
        if (worst < 0) return;
        double column[TERMS];
        for (int j = 0; j < f->terms; j++) column[j] = c[j][worst];
        const double move = a[worst] / column[worst];
        for (int j = 0; j < f->terms; j++) {
            if (fixed[j]) continue;
            a[j] -= move * column[j];
            for (int k = 0; k < f->terms; k++) c[j][k] -= column[j] * column[k] / column[worst];
        }
        fixed[worst] = true, a[worst] = 0;
    }
}

static double value_at(const struct scale_datum *d, const double *a, int terms) {
    double y = 0;
    for (int j = 0; j < terms; j++) y += a[j] * d->x[j];
    return y;
}

/* Sums of squared relative errors: of the points' means to the curve, and of the data to their point's mean. */
struct squares {
    double lack, pure;
    int points;
};

static struct squares squares_of(const struct scale_datum *d, int n, const double *a, int terms) {
    struct squares s = {0};
    for (int first = 0, end; first < n; first = end) {
        double mean = 0;
        for (end = first; end < n && d[end].point == d[first].point;) end++;
        for (int i = first; i < end; i++) mean += (d[i].y - value_at(&d[i], a, terms)) / d[i].scale / (end - first);
        for (int i = first; i < end; i++) {
            const double off = (d[i].y - value_at(&d[i], a, terms)) / d[i].scale - mean;
            s.pure += off * off;
        }
        s.lack += (end - first) * mean * mean;
        s.points++;
    }
    return s;
}

/* The variance of an error, with its degrees of freedom. */
static double variance_of(struct scale_least *f, const struct squares *s, int n, int lost) {
    const int lack_df = s->points - f->terms, pure_df = n - s->points - lost;
    f->lack_p = NAN;
    f->df = lack_df;
    if (pure_df > 0 && s->pure > 0) {
        f->lack_p = lack_df > 0 ? base_stats_f_tail(s->lack / lack_df / (s->pure / pure_df), lack_df, pure_df) : NAN;
        if (!(f->lack_p < SCALE_LACK)) {
            f->df = lack_df + pure_df;
            return (s->lack + s->pure) / f->df;
        }
    }
    return s->lack / lack_df;
}

static void factorise(struct scale_least *f) {
    memset(f->factor, 0, sizeof f->factor);
    for (int j = 0; j < f->terms; j++)
        for (int k = 0; k <= j; k++) {
            double rest = f->covariance[j][k];
            for (int m = 0; m < k; m++) rest -= f->factor[j][m] * f->factor[k][m];
            f->factor[j][k] = j == k ? sqrt(fmax(0, rest)) : f->factor[k][k] > 0 ? rest / f->factor[k][k] : 0;
        }
}

bool scale_least_fit(struct scale_least *f, const struct scale_datum *d, int n, int terms, int lost) {
    double inverse[TERMS][TERMS] = {{0}};
    *f = (struct scale_least){.terms = terms};
    if (!solve(d, n, terms, f->open, inverse)) return false;
    const struct squares open = squares_of(d, n, f->open, terms);
    if (open.points <= terms) return false;
    const double variance = fmax(FINEST * FINEST, variance_of(f, &open, n, lost));
    for (int j = 0; j < terms; j++)
        for (int k = 0; k < terms; k++) f->covariance[j][k] = variance * inverse[j][k];
    factorise(f);
    memcpy(f->a, f->open, sizeof f->a);
    bound(f, f->a);
    const struct squares bounded = squares_of(d, n, f->a, terms);
    f->misfit = sqrt(bounded.lack / n);
    return true;
}

void scale_least_draw(const struct scale_least *f, uint64_t seed, int i, double *a) {
    enum { ROW = 64 };
    float z[ROW];
    double chi = 0, shrink = 1;
    base_random_normal(seed, BASE_STREAM_STATS, (uint64_t)i * ROW, ROW, z);
    if (f->df <= CHI_MOST) {
        for (int k = 0; k < (int)f->df; k++) chi += (double)z[TERMS + k] * z[TERMS + k];
        shrink = sqrt(f->df / fmax(chi, 1e-12));
    }
    for (int j = 0; j < f->terms; j++) {
        a[j] = f->open[j];
        for (int k = 0; k <= j; k++) a[j] += f->factor[j][k] * z[k] * shrink;
    }
    bound(f, a);
}
