/* SPDX-License-Identifier: Apache-2.0
 *
 * Backwards: what a number of accelerator-hours buys, what a deadline takes, what memory takes. */
#ifndef TOISE_PROJECTION_BUDGET_H
#define TOISE_PROJECTION_BUDGET_H

#include "projection/cost.h"

/* Tokens that the projection's training reaches in `hours` accelerator-hours and in `days`, whichever ends first;
 * INFINITY leaves one of them out. Everything of t but its tokens counts. As good as 0: not even one job begins. */
double projection_budget_tokens(const struct projection *projection, const struct cost_parameters *p,
                                const struct projection_assumptions *t, double hours, double days);

/* The fewest accelerators, in nodes of 2^i or 3 x 2^i, by which t->tokens are done in `days`: projects them.
 * Where even the fastest count takes longer, *met is false and *out is that one. Errors: projection_make's. */
int projection_budget_deadline(const struct machine *m, const struct projection_question *q,
                               const struct fit_result *fitted, const struct projection_assumptions *t, double days,
                               int most, struct projection *out, struct cost_search *search, bool *met,
                               struct base_error *e);

/* Where a projection does not fit: the fastest layout that does on as many accelerators, whatever was given, else on
 * the fewest of the machine that will do. false: none of it fits, or *out is not filled. */
bool projection_budget_memory(const struct projection *over, const struct projection_question *q,
                              const struct fit_result *fitted, struct projection *out);

#endif
