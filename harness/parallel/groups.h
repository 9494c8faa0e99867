/* SPDX-License-Identifier: Apache-2.0
 *
 * The groups that a rank belongs to: those with whom it shares layers (tensor parallel) or sequences (context
 * parallel), those that have the layers before and after (pipeline), and those that hold the same part (replicas). Of
 * replicas some together have all experts (expert parallel), and others hold the same ones. */
#ifndef TOISE_PARALLEL_GROUPS_H
#define TOISE_PARALLEL_GROUPS_H

#include "comm/comm.h"
#include "plan/plan.h"

enum { PARALLEL_GROUPS = 8 };

struct parallel_groups {
    struct comm split[PARALLEL_GROUPS];
    int made;                              /* of them */
    struct comm *tensor, *data;            /* data: replicas, maybe the world; tensor NULL: the model is whole */
    struct comm *context;                  /* in the order of a ring; NULL: a rank has whole sequences */
    struct comm *sharing;                  /* tensor parallel ranks that hold the same key/value head; NULL: none do */
    struct comm *experts;                  /* each with others; NULL: a rank has all */
    struct comm *same_experts;             /* `data` if a rank has all */
    struct comm *stages;                   /* pipeline stages, in order; NULL: there is one */
    struct comm *ends;                     /* the first and the last of them; NULL: not for this rank */
    struct comm_meter meter[PLAN_TALKING]; /* by the axis whose ranks talk: of `sharing` tensor's, of `same_experts`
                                            * data's, of `ends` stages' */
};

/* All of them: their names in the ledger, and the axis whose ranks talk. comm NULL: this rank is in none. */
struct parallel_group {
    const char *name;
    enum plan_axis axis;
    struct comm *comm;
};
struct parallel_group parallel_group(const struct parallel_groups *groups, int i);

/* Collective. They stay where they are. Close them before the world. */
int parallel_groups_open(struct parallel_groups *groups, const struct plan *plan, struct comm *world,
                         struct base_error *e);
void parallel_groups_close(struct parallel_groups *groups);

#endif
