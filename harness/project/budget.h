/* SPDX-License-Identifier: Apache-2.0
 *
 * Backwards: what a number of accelerator-hours buys, what a deadline takes, what memory takes. */
#ifndef TOISE_PROJECT_BUDGET_H
#define TOISE_PROJECT_BUDGET_H

#include "project/bill.h"

/* Tokens that the projection's training reaches in `hours` accelerator-hours and in `days`, whichever ends first;
 * INFINITY leaves one of them out. Everything of t but its tokens counts. As good as 0: not even one job begins. */
double project_budget_tokens(const struct project_projection *projection, const struct project_parameters *p,
                             const struct project_terms *t, double hours, double days);

/* The fewest accelerators, in nodes of 2^i or 3 x 2^i, by which t->tokens are done in `days`: projects them.
 * Where even the fastest count takes longer, *met is false and *out is that one. Errors: project_projection_make's. */
int project_budget_deadline(const struct project_machine *m, const struct project_question *q,
                            const struct project_fitted *fitted, const struct project_terms *t, double days, int most,
                            struct project_projection *out, struct project_search *search, bool *met,
                            struct base_error *e);

/* Where a projection does not fit: the fastest layout that does on as many accelerators, whatever was given, else on
 * the fewest of the machine that will do. false: none of it fits, or *out is not filled. */
bool project_budget_memory(const struct project_projection *over, const struct project_question *q,
                           const struct project_fitted *fitted, struct project_projection *out);

#endif
