/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits the world by the coordinates of plan_layout_place. */
#include "parallel/groups.h"

/* Makes the next group of the ranks of `from` that have this colour. */
static int make(struct parallel_groups *g, struct comm *from, int colour, int key, struct comm **group,
                struct base_error *e) {
    const int code = comm_split(from, colour, key, &g->split[g->made], e);
    if (!code) *group = &g->split[g->made++];
    return code;
}

int parallel_groups_open(struct parallel_groups *g, const struct plan *plan, struct comm *world, struct base_error *e) {
    const struct plan_layout *l = &plan->request.layout;
    const int sharing = model_part_sharing(&plan->shape.part);
    *g = (struct parallel_groups){.data = world};
    if (world->size != plan_layout_world(l) || world->rank != plan->request.rank)
        return base_fail(e, BASE_BROKEN, "bug: rank %d of %d executes the plan of rank %d of %d", world->rank,
                         world->size, plan->request.rank, plan_layout_world(l));
    if (l->tp == 1) return BASE_OK;
    int code = make(g, world, plan->place.dp, plan->place.tp, &g->tensor, e);
    if (!code) code = make(g, world, plan->place.tp, plan->place.dp, &g->data, e);
    if (!code && sharing > 1) code = make(g, g->tensor, plan->place.tp / sharing, plan->place.tp, &g->sharing, e);
    return code;
}

void parallel_groups_close(struct parallel_groups *g) {
    while (g->made) comm_close(&g->split[--g->made]);
    *g = (struct parallel_groups){0};
}
