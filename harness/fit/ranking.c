/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds sweeps from their first run, takes medians of repeats, and compares pairs. */
#include "fit/ranking.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "fit/interval.h"

static const double APART = 0.03; /* in log time: less is noise */

struct layout {
    const struct fit_run *run; /* the first of its repeats */
    double published, predicted;
};

static bool same_sweep(const struct fit_run *a, const struct fit_run *b) {
    const struct cost_job *x = &a->job, *y = &b->job;
    return !strcmp(a->source, b->source) && !strcmp(a->model, b->model) && x->accelerators == y->accelerators &&
           x->batch.global_batch == y->batch.global_batch && x->batch.seq == y->batch.seq &&
           cost_job_peak(x) == cost_job_peak(y) && x->traits.precision == y->traits.precision &&
           x->layout.recompute == y->layout.recompute;
}

static bool same_layout(const struct fit_run *a, const struct fit_run *b) {
    const struct plan_layout *x = &a->job.layout, *y = &b->job.layout;
    return x->tp == y->tp && x->pp == y->pp && x->cp == y->cp && x->ep == y->ep && x->vp == y->vp && x->dp == y->dp &&
           x->zero == y->zero && a->job.layout.micro_batch == b->job.layout.micro_batch;
}

/* Whether an earlier row of weight > 0 has the same sweep (and layout). */
static bool seen(const struct fit_runs *runs, const struct fit_row *rows, int i, bool layout) {
    for (int j = 0; j < i; j++)
        if (rows[j].weight > 0 && same_sweep(&runs->run[j], &runs->run[i]) &&
            (!layout || same_layout(&runs->run[j], &runs->run[i])))
            return true;
    return false;
}

/* The layouts of the sweep whose first row is `first`. room: [2 * runs->count] */
static int collect(const struct fit_runs *runs, const struct fit_row *rows, const double *step_s, int first,
                   struct layout *layouts, double *room) {
    double *published = room, *predicted = room + runs->count;
    int count = 0;
    for (int i = first; i < runs->count; i++) {
        int n = 0;
        if (rows[i].weight == 0 || !same_sweep(&runs->run[first], &runs->run[i]) || seen(runs, rows, i, true)) continue;
        for (int j = i; j < runs->count; j++) {
            if (rows[j].weight == 0 || !same_sweep(&runs->run[i], &runs->run[j]) ||
                !same_layout(&runs->run[i], &runs->run[j]))
                continue;
            published[n] = rows[j].measured_s;
            predicted[n++] = step_s[j];
        }
        layouts[count++] = (struct layout){&runs->run[i], base_stats_quantile(published, n, 0.5),
                                           base_stats_quantile(predicted, n, 0.5)};
    }
    return count;
}

static int by_prediction(const void *a, const void *b) {
    const double x = ((const struct layout *)a)->predicted, y = ((const struct layout *)b)->predicted;
    return (x > y) - (x < y);
}

/* Sorts the layouts by their prediction. false: the published times do not differ. */
static bool judge(struct layout *layouts, int count, struct fit_sweep *s) {
    double most = 0;
    int best = 0;
    qsort(layouts, (size_t)count, sizeof *layouts, by_prediction);
    for (int i = 0; i < count; i++) {
        most = fmax(most, layouts[i].published);
        if (layouts[i].published < layouts[best].published) best = i;
    }
    const double least = layouts[best].published;
    *s = (struct fit_sweep){.run = layouts[best].run, .layouts = count, .rank = 1};
    for (int i = 0; i < best; i++) s->rank += layouts[i].predicted < layouts[best].predicted;
    s->regret = layouts[0].published / least - 1;
    s->regret_of_three = fmin(layouts[0].published, fmin(layouts[1].published, layouts[2].published)) / least - 1;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++) {
            const double apart = log(layouts[i].published / layouts[j].published);
            if (fabs(apart) <= APART) continue;
            s->pairs++;
            s->pairs_right += apart > 0 && layouts[i].predicted > layouts[j].predicted;
        }
    return most >= (1 + APART) * least;
}

int fit_sweeps(const struct fit_runs *runs, const struct fit_row *rows, const double *step_s, struct fit_sweep *sweeps,
               int most) {
    const size_t room = (size_t)runs->count + 1;
    struct layout *layouts = malloc(room * sizeof *layouts);
    double *values = malloc(2 * room * sizeof *values);
    int count = layouts && values ? 0 : -1;
    for (int i = 0; i < runs->count && count >= 0; i++) {
        struct fit_sweep s;
        if (rows[i].weight == 0 || seen(runs, rows, i, false)) continue;
        const int n = collect(runs, rows, step_s, i, layouts, values);
        if (n < FIT_SWEEP_LEAST || !judge(layouts, n, &s)) continue;
        if (count < most) sweeps[count] = s;
        count++;
    }
    free(layouts), free(values);
    return count;
}
