/* SPDX-License-Identifier: Apache-2.0
 *
 * Projections with the catalogue's parameters, models and machines, shared by their tests. A failure ends the test. */
#ifndef TOISE_TESTS_PROJECTIONS_H
#define TOISE_TESTS_PROJECTIONS_H

#include "projection/cost.h"

extern struct fit_result projections_fitted;
extern struct model_config projections_bloom;

/* For cmocka_run_group_tests; skips if the build has no catalogue. */
int projections_open(void **state);
int projections_close(void **state);

void projections_model(const char *name, struct model_config *config);
struct machine projections_machine(const char *name); /* the caller closes it */
/* A layout like published ones: ZeRO-1, full recompute; the others determine the data-parallel ranks. */
struct plan_layout projections_layout(int tp, int pp, int64_t micro_batch);
/* BLOOM on 384 A100. */
struct projection_question projections_bloom_question(void);
struct projection projections_make(const struct machine *m, const struct projection_question *q);

#endif
