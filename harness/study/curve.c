/* SPDX-License-Identifier: Apache-2.0
 *
 * Predicts a curve by parameters fitted without it. */
#include "study/curve.h"

#include <math.h>
#include <stdlib.h>

static const struct cost_ablation whole;

/* Whether every run of the series has a class with fitted runs, which give its interval. */
static bool classes_seen(const struct study_curve *c) {
    for (int i = 0; i < c->count; i++) {
        double low, high;
        if (!fit_interval(&c->fitted.intervals, &c->runs.run[c->points[i].run].job, 1, &low, &high)) return false;
    }
    return true;
}

/* Fits parameters, and intervals from the residuals of the same runs with their tenth left out. Residuals with the
 * source left out need one fit per source, so they are made only if some class has no fitted run. */
static int fit(struct study_curve *c, double *fold, double *source, const struct study_validate_watch *watch,
               struct base_error *e) {
    struct cost_parameters p;
    int code = cost_parameters_prior(&p, e);
    watch->phase(watch->context, "the fit without this series");
    if (!code) code = fit_parameters(c->fit, c->runs.count, &whole, &p, NULL, e);
    watch->phase(watch->context, "its intervals: fits without each tenth");
    if (!code) code = fit_leave_out(&c->runs, c->fit, FIT_SPLIT_TENTH, &whole, &p, fold, e);
    if (!code) code = fit_result_make(&c->runs, c->fit, &p, fold, fold, &c->fitted, e);
    if (code || classes_seen(c)) return code;
    watch->phase(watch->context, "its intervals: fits without each source");
    code = fit_leave_out(&c->runs, c->fit, FIT_SPLIT_SOURCE, &whole, &p, source, e);
    fit_result_free(&c->fitted);
    if (!code) code = fit_result_make(&c->runs, c->fit, &p, fold, source, &c->fitted, e);
    return code;
}

int study_curve_predict(struct study_curve *c, const struct study_validate_watch *watch, struct base_error *e) {
    const size_t n = (size_t)c->runs.count + 1;
    double *room = malloc(2 * n * sizeof *room);
    if (!room) return base_fail(e, BASE_BROKEN, "out of memory for %zu rows", n);
    const int code = fit(c, room, room + n, watch, e);
    free(room);
    for (int i = 0; i < c->count && !code; i++) {
        const int run = c->points[i].run;
        const struct cost_job *job = &c->runs.run[run].job;
        struct fit_prediction *p = &c->predictions[run];
        struct cost_step s;
        cost_step(job, &c->fitted.parameters, &whole, &s);
        p->step_s = s.total;
        fit_interval(&c->fitted.intervals, job, s.total, &p->low_s, &p->high_s);
        c->rates[run] = (struct fit_prediction){fit_naive_step(job, c->fitted.naive_share), NAN, NAN};
    }
    return code;
}

void study_curve_close(struct study_curve *c) {
    fit_result_free(&c->fitted);
    free(c->points), free(c->fit), free(c->drawn), free(c->predictions), free(c->rates);
    fit_runs_free(&c->runs);
    json_decref(c->file);
}
