/* SPDX-License-Identifier: Apache-2.0
 *
 * Bisects over tokens, and tries counts of nodes in rising order. A training's time grows with its tokens. It falls
 * with accelerators only as long as the batch divides among them. */
#include "projection/budget.h"

#include <math.h>

enum { HALVES = 40 };

/* Time jumps at every new job, so tokens are bisected. `most` is what steps alone would reach. */
double projection_budget_tokens(const struct projection *x, const struct cost_parameters *p,
                                const struct projection_assumptions *t, double hours, double days) {
    const double wall_s = fmin(hours * 3600 / x->accelerators, days * 86400);
    const double most = wall_s * (double)x->job.batch.global_batch * (double)x->job.batch.seq / x->step.total;
    struct projection_assumptions assumptions = *t;
    double least = 0, span = most;
    for (int i = 0; i < HALVES; i++) {
        struct projection_cost cost;
        struct base_error ignored;
        span /= 2;
        assumptions.tokens = least + span;
        if (!projection_cost_fill(x, p, &assumptions, &cost, &ignored) && cost.wall_s <= wall_s)
            least = assumptions.tokens;
    }
    return least > 0 ? least : assumptions.tokens;
}

/* The next larger count of nodes, 2^i or 3 x 2^i. */
static double after(double nodes) {
    const double power = exp2(floor(log2(nodes)));
    return power > 1 && nodes < 1.5 * power ? 1.5 * power : 2 * power;
}

struct found {
    struct projection projection;
    struct cost_search search;
    double days;
};

static int try(const struct machine *m, const struct projection_question *q, const struct fit_result *fitted,
               const struct projection_assumptions *t, int most, struct found *f, struct base_error *e) {
    struct projection_cost cost;
    int code = projection_make(m, q, fitted, most, &f->projection, &f->search, e);
    if (code) return code;
    code = projection_cost_fill(&f->projection, &fitted->parameters, t, &cost, e);
    f->days = f->projection.fits ? cost.wall_s / 86400 : INFINITY;
    return code;
}

int projection_budget_deadline(const struct machine *m, const struct projection_question *q,
                               const struct fit_result *fitted, const struct projection_assumptions *t, double days,
                               int most, struct projection *out, struct cost_search *search, bool *met,
                               struct base_error *e) {
    const double node = m->node.accelerators.value;
    const double all = projection_round_accelerators(m, m->accelerators.value) / node;
    struct projection_question asked = *q;
    struct found best = {.days = INFINITY};
    bool any = false;
    *met = false;
    *search = (struct cost_search){0};
    for (double nodes = 1, next; nodes > 0 && !*met; nodes = next) {
        struct found f = {.days = INFINITY};
        struct base_error ignored;
        next = nodes >= all ? 0 : after(nodes);
        asked.accelerators = nodes * node;
        const int code = try(m, &asked, fitted, t, most, &f, next > 0 || any ? &ignored : e);
        if (code && !(next > 0 || any)) return cost_search_free(&f.search), code;
        if (!code && (!any || f.days < best.days)) {
            cost_search_free(&best.search);
            best = f, any = true;
        } else {
            cost_search_free(&f.search);
        }
        *met = best.days <= days;
    }
    *out = best.projection, *search = best.search;
    return BASE_OK;
}

bool projection_budget_memory(const struct projection *over, const struct projection_question *q,
                              const struct fit_result *fitted, struct projection *out) {
    const struct machine *m = over->machine;
    const double node = m->node.accelerators.value;
    struct projection_question free_layout = *q;
    const int schedule = q->choice.schedule;
    struct projection_question defaults;
    projection_question_default(q->config, &defaults);
    free_layout.choice = defaults.choice;
    free_layout.choice.schedule = schedule;
    free_layout.accelerators = over->accelerators;
    for (double nodes = ceil(over->accelerators / node); free_layout.accelerators <= m->accelerators.high;
         nodes = after(nodes), free_layout.accelerators = nodes * node) {
        struct cost_search search;
        struct base_error ignored;
        const int code = projection_make(m, &free_layout, fitted, 1, out, &search, &ignored);
        cost_search_free(&search);
        if (!code && out->fits) return true;
    }
    return false;
}
