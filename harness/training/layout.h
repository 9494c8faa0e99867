/* SPDX-License-Identifier: Apache-2.0
 *
 * The flags that say how ranks share a step, of commands that train one or price it. */
#ifndef TOISE_TRAINING_LAYOUT_H
#define TOISE_TRAINING_LAYOUT_H

#include "cli/cli.h"
#include "plan/plan.h"

/* NULL and 0: not given. */
struct training_layout {
    int64_t tp, cp, pp, vp, ep, zero, reproducible, micro_batch;
    int recompute, schedule;
    bool sp;
    const char *stage_layers, *route;
};
extern const struct cli_option training_layout_options[];

/* Data parallel ranks are what remains of `world`; the micro-batch may be 0. BASE_USAGE: nothing remains. Then, once
 * the number of layers is known, --stage-layers. */
int training_layout_resolve(const struct training_layout *flags, int world, struct plan_layout *layout,
                            struct base_error *e);
int training_layout_stages(const struct training_layout *flags, struct plan_request *request, struct base_error *e);
/* --route: who chooses experts. BASE_USAGE: no such word. */
int training_layout_route(const struct training_layout *flags, uint64_t seed, struct model_route *route,
                          struct base_error *e);
/* The global batch unless --gbs is given: 4 sequences, or one for each data parallel rank, of pipelines four for each
 * stage, which keeps their bubble small. */
int64_t training_layout_batch(const struct plan_layout *layout);
/* The micro-batch unless --mbs is given: of `local` ranks on a node with so many bytes available, negative: unknown. */
void training_layout_micro_batch(struct plan_request *request, int local, double available);

#endif
