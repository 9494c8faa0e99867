/* SPDX-License-Identifier: Apache-2.0
 *
 * The inverse of a projection: tokens for a budget, accelerators for a deadline, a layout or machine size that fits. */
#ifndef TOISE_PROJECTION_BUDGET_H
#define TOISE_PROJECTION_BUDGET_H

#include "projection/cost.h"

/* Tokens that the projection's training processes in `hours` accelerator-hours and in `days`, whichever ends first.
 * INFINITY sets no limit. t->tokens is ignored. Close to 0: the time is too short for a first step. */
double projection_budget_tokens(const struct projection *projection, const struct cost_parameters *p,
                                const struct projection_assumptions *t, double hours, double days);

/* Projects the fewest accelerators, in 2^i or 3 x 2^i nodes, that process t->tokens in `days`. If none do, *met is
 * false and *out is the fastest. Errors are those of projection_make. */
int projection_budget_deadline(const struct machine *m, const struct projection_question *q,
                               const struct fit_result *fitted, const struct projection_assumptions *t, double days,
                               int most, struct projection *out, struct cost_search *search, bool *met,
                               struct base_error *e);

/* For a projection that does not fit: projects the fastest layout that fits, whatever layout was asked for. It takes as
 * many accelerators, or the fewest of the machine that work. false: nothing fits, and *out is undefined. */
bool projection_budget_memory(const struct projection *over, const struct projection_question *q,
                              const struct fit_result *fitted, struct projection *out);

#endif
