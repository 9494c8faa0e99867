/* SPDX-License-Identifier: Apache-2.0
 *
 * Amdahl's law and the universal scalability law. Both are linear in the cost n / rate: a0 + a1 (n - 1) + a2 n (n - 1).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scale/least.h"
#include "scale/model.h"

static double usl_rate(const struct scale_model *m, const double *a, double n) {
    (void)m;
    return n / (a[0] + a[1] * (n - 1) + a[2] * n * (n - 1));
}

static double rate_one(const double *a) {
    return 1 / a[0];
}

static double contention(const double *a) {
    return a[1] / a[0];
}

static double coherence(const double *a) {
    return a[2] / a[0];
}

/* The n of the highest rate; INFINITY: there is none. */
static double peak(const double *a) {
    return a[2] > 0 ? sqrt(fmax(0, a[0] - a[1]) / a[2]) : INFINITY;
}

static const struct scale_parameter AMDAHL[] = {
    {"rate_1_tokens_per_s", rate_one}, {"serial_share", contention}, {NULL, NULL}};
static const struct scale_parameter USL[] = {{"rate_1_tokens_per_s", rate_one},
                                             {"contention", contention},
                                             {"coherence", coherence},
                                             {"peak_n", peak},
                                             {NULL, NULL}};

/* Whether each point with a rate has one run of each repeat: then what a repeat adds to all its runs can be taken out.
 */
static bool balanced(const struct scale_curve *c) {
    const struct scale_point *first = NULL;
    for (int k = 0; k < c->count; k++) {
        const struct scale_point *p = &c->points[k];
        if (!scale_point_rated(p)) continue;
        if (!first) first = p;
        if (p->count != first->count || p->count < 2) return false;
        for (int i = 0; i < p->count; i++)
            if (!p->runs[i].repeat || p->runs[i].repeat != first->runs[i].repeat ||
                strcmp(scale_launch(&p->runs[i]), scale_launch(&first->runs[i])) != 0)
                return false;
    }
    return first;
}

/* The runs as data, by point. shared: the mean of each repeat's deviations is taken out. Returns their number. */
static int data_of(const struct scale_curve *c, struct scale_datum *data, bool shared) {
    int n = 0, points = 0;
    for (int k = 0; k < c->count; k++) {
        const struct scale_point *p = &c->points[k];
        if (!scale_point_rated(p)) continue;
        for (int i = 0; i < p->count; i++) {
            double off = 0;
            int of = 0;
            for (int j = 0; j < c->count && shared; j++)
                if (scale_point_rated(&c->points[j]))
                    off += log(c->points[j].runs[i].rate / c->points[j].rate.value), of++;
            const double cost = p->n / p->runs[i].rate * (of ? exp(off / of) : 1), x = p->n;
            data[n++] = (struct scale_datum){
                .x = {1, x - 1, x * (x - 1)}, .y = cost, .scale = p->n / p->rate.value, .point = points};
        }
        points++;
    }
    return n;
}

static int rated_points(const struct scale_curve *c) {
    int n = 0;
    for (int k = 0; k < c->count; k++) n += scale_point_rated(&c->points[k]);
    return n;
}

static int fit(struct scale_model *m, const struct scale_datum *data, int n, int lost, struct base_error *e) {
    struct scale_least f;
    if (!scale_least_fit(&f, data, n, m->terms, lost)) {
        snprintf(m->refused, sizeof m->refused, "the points do not tell its parameters apart");
        return BASE_OK;
    }
    memcpy(m->value, f.a, sizeof f.a);
    m->misfit = f.misfit, m->lack_p = f.lack_p;
    const int code = scale_model_open(m, e);
    for (int i = 0; i < SCALE_DRAWS && !code; i++) {
        memset(m->draw[i], 0, sizeof *m->draw);
        scale_least_draw(&f, (uint64_t)m->terms, i, m->draw[i]);
    }
    return code;
}

int scale_laws_fit(const struct scale_curve *c, struct scale_model laws[2], struct base_error *e) {
    const int points = rated_points(c);
    const bool shared = balanced(c);
    struct scale_datum *data = malloc((size_t)c->run_count * sizeof *data);
    if (!data) return base_fail(e, BASE_BROKEN, "out of memory for %d runs", c->run_count);
    const int n = data_of(c, data, shared), lost = shared && points ? n / points - 1 : 0;
    int code = BASE_OK;
    for (int law = SCALE_AMDAHL; law <= SCALE_USL && !code; law++) {
        struct scale_model *m = &laws[law];
        *m = (struct scale_model){.name = law == SCALE_AMDAHL ? "amdahl" : "usl",
                                  .terms = law == SCALE_AMDAHL ? 2 : 3,
                                  .parameters = law == SCALE_AMDAHL ? AMDAHL : USL,
                                  .rate = usl_rate,
                                  .curve = c,
                                  .run_sd = c->run_df > 0 ? c->run_sd : SCALE_ASSUMED_SD,
                                  .run_sd_assumed = !(c->run_df > 0)};
        if (law == SCALE_AMDAHL && c->mode == RECORD_WEAK)
            snprintf(m->refused, sizeof m->refused, "it is about a fixed amount of work, and weak scaling has none");
        else if (points <= m->terms)
            snprintf(m->refused, sizeof m->refused, "it has %d parameters and needs %d points, not %d", m->terms,
                     m->terms + 1, points);
        else
            code = fit(m, data, n, lost, e);
    }
    free(data);
    return code;
}
