/* SPDX-License-Identifier: Apache-2.0
 *
 * Scores, and predictions by fits on other rows. */
#include "fit/score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/stats.h"
#include "plan/ledger.h"

enum { TENTHS = 10, SEED = 1 };
static const char LATER[] = "2026-04";

struct sums {
    double error, bias, most, inside, score;
};

static void add(struct sums *s, const struct fit_prediction *p, double published) {
    const double error = p->step_s / published - 1, low = p->low_s / published, high = p->high_s / published;
    s->error += fabs(error);
    s->bias += error;
    s->most = fmax(s->most, fabs(error));
    s->inside += isnan(low) ? NAN : low <= 1 && high >= 1;
    s->score += high - low + 20 * (fmax(0, low - 1) + fmax(0, 1 - high));
}

struct fit_score fit_score(const struct fit_runs *runs, const struct fit_row *rows,
                           const struct fit_prediction *predictions,
                           bool (*take)(const struct fit_run *run, const void *context), const void *context) {
    struct fit_score s = {
        .mean = NAN, .median = NAN, .max = NAN, .bias = NAN, .coverage = NAN, .half_width = NAN, .interval_score = NAN};
    struct sums sums = {0};
    double *errors = malloc(2 * ((size_t)runs->count + 1) * sizeof *errors), *widths = errors + runs->count + 1;
    if (!errors) return s;
    for (int i = 0; i < runs->count; i++) {
        const struct fit_prediction *p = &predictions[i];
        if (rows[i].weight == 0 || isnan(p->step_s) || (take && !take(&runs->run[i], context))) continue;
        add(&sums, p, rows[i].measured_s);
        errors[s.n] = fabs(p->step_s / rows[i].measured_s - 1);
        widths[s.n++] = (p->high_s - p->low_s) / 2 / p->step_s;
    }
    if (s.n > 0)
        s = (struct fit_score){s.n,
                               sums.error / s.n,
                               base_stats_quantile(errors, s.n, 0.5),
                               sums.most,
                               sums.bias / s.n,
                               sums.inside / s.n,
                               base_stats_quantile(widths, s.n, 0.5),
                               sums.score / s.n};
    free(errors);
    return s;
}

static bool together(const struct fit_run *a, const struct fit_run *b, enum fit_split split) {
    return split == FIT_SPLIT_DEVICE ? !strcmp(a->accelerator, b->accelerator) : !strcmp(a->cluster, b->cluster);
}

/* Sets part[i] from 0 to the returned count - 1; -1 for weight 0. */
static int divide(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split, int *part) {
    int parts = 0;
    for (int i = 0; i < runs->count; i++) {
        part[i] = -1;
        if (rows[i].weight == 0) continue;
        if (split == FIT_SPLIT_TENTH) {
            part[i] = (int)(TENTHS * base_random_unit(SEED, BASE_STREAM_STATS, (uint64_t)i));
            continue;
        }
        if (split == FIT_SPLIT_LATER) {
            if (strcmp(runs->run[i].date, LATER) >= 0) part[i] = 0, parts = 1;
            continue;
        }
        for (int j = 0; j < i && part[i] < 0; j++)
            if (part[j] >= 0 && together(&runs->run[j], &runs->run[i], split)) part[i] = part[j];
        if (part[i] < 0) part[i] = parts++;
    }
    return split == FIT_SPLIT_TENTH ? TENTHS : parts;
}

/* The rows without one part, weighed again, as a source's weight depends on its number of rows. */
static void without(const struct fit_runs *runs, const struct fit_row *rows, const int *part, int left_out,
                    struct fit_row *kept) {
    memcpy(kept, rows, (size_t)runs->count * sizeof *kept);
    for (int i = 0; i < runs->count; i++)
        if (part[i] == left_out) kept[i].weight = 0;
    fit_weights(runs, kept);
}

/* Predicts a part's rows by a fit without them. */
static int leave_out_part(const struct fit_runs *runs, const struct fit_row *rows, const int *part, int g,
                          const struct cost_ablation *ablation, const struct cost_parameters *start, double *step_s,
                          struct base_error *e) {
    struct fit_row *kept = malloc(((size_t)runs->count + 1) * sizeof *kept);
    struct cost_parameters p = *start;
    if (!kept) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->count);
    without(runs, rows, part, g, kept);
    const int code = fit_parameters(kept, runs->count, ablation, &p, NULL, e);
    for (int i = 0; i < runs->count && !code; i++) {
        struct cost_step s;
        if (part[i] != g) continue;
        cost_step(rows[i].job, &p, ablation, &s);
        step_s[i] = s.total;
    }
    free(kept);
    return code;
}

int fit_leave_out(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split,
                  const struct cost_ablation *ablation, const struct cost_parameters *start, double *step_s,
                  struct base_error *e) {
    int *part = malloc(((size_t)runs->count + 1) * sizeof *part), code = BASE_OK;
    if (!part) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->count);
    const int parts = divide(runs, rows, split, part);
#pragma omp parallel for schedule(dynamic)
    for (int g = 0; g < parts; g++) {
        struct base_error own = {0};
        if (!leave_out_part(runs, rows, part, g, ablation, start, step_s, &own)) continue;
#pragma omp critical(fit_leave_out)
        code = base_fail(e, own.code, "%s", own.text);
    }
    for (int i = 0; i < runs->count && !code; i++)
        if (part[i] < 0) step_s[i] = NAN;
    free(part);
    return code;
}

int fit_leave_out_intervals(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split,
                            const double *fold, const double *source, struct fit_prediction *predictions,
                            struct base_error *e) {
    const size_t count = (size_t)runs->count + 1;
    struct fit_residual *kept = malloc(count * sizeof *kept);
    struct fit_intervals *t = malloc(sizeof *t);
    int *part = malloc(count * sizeof *part), code = BASE_OK;
    if (!kept || !t || !part) code = base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->count);
    const int parts = code ? 0 : divide(runs, rows, split, part);
    for (int g = 0; g < parts && !code; g++) {
        int n = 0;
        for (int i = 0; i < runs->count; i++)
            if (part[i] >= 0 && part[i] != g)
                kept[n++] = (struct fit_residual){rows[i].job, log(fold[i] / rows[i].measured_s),
                                                  log(source[i] / rows[i].measured_s)};
        code = fit_intervals_fill(kept, n, t, e);
        for (int i = 0; i < runs->count && !code; i++) {
            struct fit_prediction *p = &predictions[i];
            if (part[i] < 0) *p = (struct fit_prediction){NAN, NAN, NAN};
            if (part[i] != g) continue;
            p->step_s = split == FIT_SPLIT_TENTH ? fold[i] : source[i];
            fit_interval(t, rows[i].job, p->step_s, &p->low_s, &p->high_s);
        }
    }
    free(kept), free(t), free(part);
    return code;
}

static double model_flop(const struct cost_job *job) {
    return plan_flop_count(&job->model, &job->batch, PLAN_RECOMPUTE_NONE).model;
}

struct rate {
    double log_share, weight; /* log_share: of the peak */
};

static int by_share(const void *a, const void *b) {
    const double x = ((const struct rate *)a)->log_share, y = ((const struct rate *)b)->log_share;
    return (x > y) - (x < y);
}

int fit_naive_rate(const struct machine_class *class, bool low) {
    return 2 * class->index + low;
}

static int rate_of(const struct cost_job *job) {
    return fit_naive_rate(job->platform.class, job->traits.precision != COST_16BIT);
}

/* The weighted median share of the peak over the rows of a rate; NAN: no rows. */
static double share_of(const struct fit_row *kept, int count, int which, struct rate *rates) {
    double half = 0;
    int n = 0;
    for (int i = 0; i < count; i++) {
        const struct cost_job *job = kept[i].job;
        if (kept[i].weight == 0 || rate_of(job) != which) continue;
        rates[n].log_share = log(model_flop(job) / (job->accelerators * kept[i].measured_s * cost_job_peak(job)));
        rates[n].weight = kept[i].weight;
        half += rates[n++].weight / 2;
    }
    qsort(rates, (size_t)n, sizeof *rates, by_share);
    for (int i = 0; i < n; i++)
        if ((half -= rates[i].weight) <= 0) return exp(rates[i].log_share);
    return NAN;
}

static void shares_of(const struct fit_row *kept, int count, double shares[FIT_RATES], struct rate *rates) {
    double seen[FIT_RATES];
    int n = 0;
    for (int d = 0; d < FIT_RATES; d++) {
        shares[d] = share_of(kept, count, d, rates);
        if (!isnan(shares[d])) seen[n++] = shares[d];
    }
    for (int d = 0; d < FIT_RATES && n > 0; d++)
        if (isnan(shares[d])) shares[d] = base_stats_quantile(seen, n, 0.5);
}

int fit_naive_shares(const struct fit_row *rows, int count, double shares[FIT_RATES], struct base_error *e) {
    struct rate *rates = malloc(((size_t)count + 1) * sizeof *rates);
    if (!rates) return base_fail(e, BASE_BROKEN, "out of memory for %d rows", count);
    shares_of(rows, count, shares, rates);
    free(rates);
    return BASE_OK;
}

double fit_naive_step(const struct cost_job *job, const double shares[FIT_RATES]) {
    return model_flop(job) / (job->accelerators * cost_job_peak(job) * shares[rate_of(job)]);
}

int fit_naive(const struct fit_runs *runs, const struct fit_row *rows, enum fit_split split, double *step_s,
              struct base_error *e) {
    const size_t count = (size_t)runs->count + 1;
    struct fit_row *kept = malloc(count * sizeof *kept);
    struct rate *rates = malloc(count * sizeof *rates);
    int *part = malloc(count * sizeof *part), code = BASE_OK;
    if (!kept || !rates || !part) code = base_fail(e, BASE_BROKEN, "out of memory for %d rows", runs->count);
    const int parts = code ? 0 : divide(runs, rows, split, part);
    for (int g = 0; g < parts; g++) {
        double shares[FIT_RATES];
        without(runs, rows, part, g, kept);
        shares_of(kept, runs->count, shares, rates);
        for (int i = 0; i < runs->count; i++)
            if (part[i] == g) step_s[i] = fit_naive_step(rows[i].job, shares);
    }
    for (int i = 0; i < runs->count && !code; i++)
        if (part[i] < 0) step_s[i] = NAN;
    free(kept), free(rates), free(part);
    return code;
}
