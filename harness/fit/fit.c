/* SPDX-License-Identifier: Apache-2.0
 *
 * Levenberg-Marquardt with numeric derivatives. LAPACK's Cholesky solves the normal equations of n parameters, which
 * are stored in rows of N. */
#include "fit/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fit/lapack.h"

enum { N = COST_PARAMETERS_MOST, ITERATIONS = 25, TRIES = 8 };

/* In log time: a run's noise, which weighs rows against priors, and Huber's corner. */
static const double NOISE = 0.08, CORNER = 0.05;
static const double DIFFERENCE = 0.02, STEP_MOST = 0.5, DONE = 1e-4;

struct fit {
    const struct fit_row *rows;
    const struct cost_ablation *ablation;
    const struct machine_classes *classes;
    int count, n;                 /* rows; parameters */
    double *r, *trial, *jacobian; /* [count], [count], [count][N] */
    double prior[N], sd[N];
};

void fit_weigh(const struct fit_runs *runs, const char *without, struct fit_row *rows) {
    for (int i = 0; i < runs->count; i++) {
        const struct fit_run *run = &runs->run[i];
        const bool use = fit_run_due(run) && !run->why && !(without && !strcmp(run->source, without));
        rows[i] = (struct fit_row){&run->job, run->measured_s, use};
    }
    fit_weights(runs, rows);
}

void fit_weights(const struct fit_runs *runs, struct fit_row *rows) {
    for (int i = 0; i < runs->count; i++) {
        int same = 0;
        if (rows[i].weight == 0) continue;
        for (int j = 0; j < runs->count; j++)
            same += rows[j].weight > 0 && !strcmp(runs->run[i].source, runs->run[j].source);
        rows[i].weight = pow(same, -0.35) * (runs->run[i].tier == 1 ? 1.5 : 1);
    }
}

static void set_values(const struct fit *f, const double x[N], struct cost_parameters *p) {
    p->classes = f->classes;
    for (int j = 0; j < f->n; j++) p->value[j] = exp(x[j]);
}

/* log(predicted / measured) of a row */
static double residual(const struct fit *f, int i, const struct cost_parameters *p) {
    struct cost_step s;
    if (f->rows[i].weight == 0) return 0;
    cost_step(f->rows[i].job, p, f->ablation, &s);
    return log(s.total / f->rows[i].measured_s);
}

static void residuals(const struct fit *f, const double x[N], double *r) {
    struct cost_parameters p;
    set_values(f, x, &p);
    for (int i = 0; i < f->count; i++) r[i] = residual(f, i, &p);
}

static double cost_of(const struct fit *f, const double x[N], const double *r) {
    double sum = 0;
    for (int i = 0; i < f->count; i++) {
        const double a = fabs(r[i]);
        sum += f->rows[i].weight * (a < CORNER ? r[i] * r[i] / 2 : CORNER * (a - CORNER / 2));
    }
    sum /= NOISE * NOISE;
    for (int j = 0; j < f->n; j++) sum += pow((x[j] - f->prior[j]) / f->sd[j], 2) / 2;
    return sum;
}

/* Parallel over rows, with one barrier for all parameters: on a busy machine, barriers take most of the time. */
static void differentiate(const struct fit *f, const double x[N]) {
    struct cost_parameters up[N], down[N];
    for (int j = 0; j < f->n; j++) {
        double u[N];
        memcpy(u, x, sizeof u);
        u[j] = x[j] + DIFFERENCE;
        set_values(f, u, &up[j]);
        u[j] = x[j] - DIFFERENCE;
        set_values(f, u, &down[j]);
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < f->count; i++)
        for (int j = 0; j < f->n; j++)
            f->jacobian[i * N + j] = (residual(f, i, &up[j]) - residual(f, i, &down[j])) / (2 * DIFFERENCE);
}

/* h = J' W J + the priors' precision, g = the gradient; W is Huber's weight of each residual. */
static void normal_equations(const struct fit *f, const double x[N], double h[N * N], double g[N]) {
    memset(h, 0, N * N * sizeof *h);
    for (int j = 0; j < f->n; j++) {
        h[j * N + j] = 1 / (f->sd[j] * f->sd[j]);
        g[j] = (x[j] - f->prior[j]) / (f->sd[j] * f->sd[j]);
    }
    for (int i = 0; i < f->count; i++) {
        const double a = fabs(f->r[i]), *row = f->jacobian + i * N;
        const double w = f->rows[i].weight * (a > CORNER ? CORNER / a : 1) / (NOISE * NOISE);
        if (w == 0) continue;
        for (int j = 0; j < f->n; j++) {
            g[j] += w * row[j] * f->r[i];
            for (int k = 0; k < f->n; k++) h[j * N + k] += w * row[j] * row[k];
        }
    }
}

/* Replaces b, of `columns` columns, by h^-1 b and overwrites h. false: h is not positive definite */
static bool solve(const struct fit *f, double h[N * N], double *b, int columns) {
    const int stride = N;
    int info;
    dposv_("L", &f->n, &columns, h, &stride, b, &stride, &info);
    return info == 0;
}

/* One step down from x, which has cost *c. Returns 0: no step found; 1: a step; 2: a step that gained so little that it
 * is the last. */
static int descend(const struct fit *f, double x[N], double *c, double *damping) {
    double h[N * N], g[N], damped[N * N], to[N] = {0}, step[N];
    differentiate(f, x);
    normal_equations(f, x, h, g);
    for (int attempt = 0; attempt < TRIES; attempt++, *damping *= 4) {
        memcpy(damped, h, sizeof h);
        for (int j = 0; j < f->n; j++) damped[j * N + j] *= 1 + *damping, step[j] = -g[j];
        if (!solve(f, damped, step, 1)) continue;
        for (int j = 0; j < f->n; j++) to[j] = x[j] + fmin(STEP_MOST, fmax(-STEP_MOST, step[j]));
        residuals(f, to, f->trial);
        const double now = cost_of(f, to, f->trial);
        if (!(now < *c)) continue;
        const bool last = *c - now < DONE * *c;
        memcpy(x, to, sizeof to);
        memcpy(f->r, f->trial, (size_t)f->count * sizeof *f->r);
        *c = now;
        *damping = fmax(1e-6, *damping / 4);
        return last ? 2 : 1;
    }
    return 0;
}

/* The posterior standard deviations, from the diagonal of the inverse. */
static bool deviations(const struct fit *f, const double x[N], double sd[N]) {
    double h[N * N], g[N], inverse[N * N] = {0};
    differentiate(f, x);
    normal_equations(f, x, h, g);
    for (int j = 0; j < f->n; j++) inverse[j * N + j] = 1;
    if (!solve(f, h, inverse, f->n)) return false;
    for (int j = 0; j < f->n; j++) sd[j] = sqrt(inverse[j * N + j]);
    return true;
}

int fit_parameters(const struct fit_row *rows, int count, const struct cost_ablation *ablation,
                   struct cost_parameters *p, double *cost, struct base_error *e) {
    struct fit f = {
        .rows = rows, .ablation = ablation, .classes = p->classes, .count = count, .n = cost_parameters_count(p)};
    double x[N] = {0}, damping = 0.01;
    double *room = malloc((size_t)(count > 0 ? count : 1) * (N + 2) * sizeof *room);
    if (!room) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", count);
    f.r = room, f.trial = room + count, f.jacobian = room + 2 * (size_t)count;
    for (int j = 0; j < f.n; j++) {
        const struct cost_parameter_info info = cost_parameters_info(p, j);
        x[j] = log(p->value[j]);
        f.prior[j] = log(info.prior);
        f.sd[j] = info.sd;
    }
    residuals(&f, x, f.r);
    double c = cost_of(&f, x, f.r);
    for (int i = 0; i < ITERATIONS; i++)
        if (descend(&f, x, &c, &damping) != 1) break;
    const bool known = deviations(&f, x, p->sd);
    for (int j = 0; j < f.n; j++) p->value[j] = exp(x[j]);
    if (cost) *cost = c;
    free(room);
    return known ? BASE_OK
                 : base_fail(e, BASE_BROKEN, "the fit has no minimum; check that the time of every run is finite");
}
