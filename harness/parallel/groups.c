/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits the world by the coordinates of plan_grid_place. */
#include "parallel/groups.h"

/* Makes the next group of the ranks of `from` that have this colour. */
static int make(struct parallel_groups *g, struct comm *from, int colour, int key, struct comm **group,
                struct base_error *e) {
    const int code = comm_split(from, colour, key, &g->split[g->made], e);
    if (!code) *group = &g->split[g->made++];
    return code;
}

struct parallel_group parallel_group(const struct parallel_groups *g, int i) {
    struct comm *same = g->experts ? g->same_experts : NULL;
    const struct parallel_group all[PARALLEL_GROUPS] = {{"ep", PLAN_EP, g->experts}, {"edp", PLAN_DP, same},
                                                        {"dp", PLAN_DP, g->data},    {"tp", PLAN_TP, g->tensor},
                                                        {"kv", PLAN_TP, g->sharing}, {"cp", PLAN_CP, g->context},
                                                        {"pp", PLAN_PP, g->stages},  {"ends", PLAN_PP, g->ends}};
    return all[i];
}

int parallel_groups_open(struct parallel_groups *g, const struct plan *plan, struct comm *world, struct base_error *e) {
    const struct plan_layout *l = &plan->request.layout;
    const int sharing = model_part_sharing(&plan->shape.part);
    *g = (struct parallel_groups){.data = world, .same_experts = world};
    if (world->size != plan_layout_world(l) || world->rank != plan->request.rank)
        return base_fail(e, BASE_BROKEN, "bug: rank %d of %d executes the plan of rank %d of %d", world->rank,
                         world->size, plan->request.rank, plan_layout_world(l));
    const int *at = plan->place.at, replica = plan_grid_replica(l, &plan->place);
    const int replicas = plan_layout_replicas(l), part = at[PLAN_PP] * l->tp + at[PLAN_TP];
    int code = BASE_OK;
    if (l->tp > 1) code = make(g, world, at[PLAN_PP] * replicas + replica, at[PLAN_TP], &g->tensor, e);
    if (!code && (l->tp > 1 || l->pp > 1 || l->cp > 1)) code = make(g, world, part, replica, &g->data, e);
    g->same_experts = g->data;
    const int expert = plan_grid_expert(l, &plan->place), copy = plan_grid_expert_replica(l, &plan->place);
    if (!code && plan_layout_expert_ranks(l) > 1) code = make(g, g->data, copy, expert, &g->experts, e);
    if (!code && plan_layout_expert_ranks(l) > 1) code = make(g, g->data, expert, copy, &g->same_experts, e);
    if (!code && sharing > 1) code = make(g, g->tensor, at[PLAN_TP] / sharing, at[PLAN_TP], &g->sharing, e);
    if (!code && l->cp > 1) code = make(g, g->data, at[PLAN_DP], at[PLAN_CP], &g->context, e);
    if (!code && l->pp > 1) code = make(g, world, replica * l->tp + at[PLAN_TP], at[PLAN_PP], &g->stages, e);
    const bool is_end = at[PLAN_PP] == 0 || at[PLAN_PP] == l->pp - 1;
    if (!code && l->pp > 1) code = make(g, g->stages, is_end ? 0 : -1, at[PLAN_PP], &g->ends, e);
    if (!is_end) g->ends = NULL;
    g->data->tree = l->reproducible > 0;
    if (g->tensor) g->tensor->tree = l->reproducible > 0;
    for (int i = 0; i < PARALLEL_GROUPS && !code; i++) {
        const struct parallel_group each = parallel_group(g, i);
        if (each.comm) each.comm->meter = &g->meter[each.axis];
    }
    return code;
}

void parallel_groups_close(struct parallel_groups *g) {
    if (g->data) g->data->meter = NULL, g->data->tree = false; /* it may be the world */
    while (g->made) comm_close(&g->split[--g->made]);
    *g = (struct parallel_groups){0};
}
