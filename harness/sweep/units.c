/* SPDX-License-Identifier: Apache-2.0
 *
 * Orders the ranks node by node, whatever the launcher's placement, so that neighbours are in one group. */
#include "sweep/units.h"

#include <stdlib.h>

#include "sweep/points.h"

/* Where a rank is; ranks are ordered by both. */
struct where {
    int node, local;
};

static bool before(const struct where *a, const struct where *b) {
    return a->node != b->node ? a->node < b->node : a->local < b->local;
}

/* Nodes must have the same number of ranks, or n nodes could be different numbers of ranks. */
static int check_even(struct comm *world, struct base_error *e) {
    double most[2] = {world->local_size, -world->local_size};
    world->ops->max(world, most, 2);
    if (most[0] == -most[1]) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "nodes have %.0f to %.0f ranks: start the same number on each, or take ranks with --unit rank",
                     -most[1], most[0]);
}

int sweep_units_open(struct sweep_units *u, struct comm *world, enum record_scaling_unit unit, struct base_error *e) {
    const struct where mine = {world->node, world->local_rank};
    *u = (struct sweep_units){.ranks = unit == RECORD_NODE ? world->local_size : 1};
    if (unit == RECORD_NODE && check_even(world, e)) return BASE_USAGE;
    u->count = world->size / u->ranks;
    struct where *all = calloc((size_t)world->size, sizeof *all);
    int *places = calloc((size_t)world->size, sizeof *places);
    u->rank_at = calloc((size_t)world->size, sizeof *u->rank_at);
    const bool ok = all && places && u->rank_at;
    const int code =
        comm_agree(world, ok ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d ranks", world->size), e);
    if (!code) {
        world->ops->all_gather(world, &mine, sizeof mine, all);
        for (int r = 0; r < world->size; r++) u->place += before(&all[r], &mine);
        world->ops->all_gather(world, &u->place, sizeof u->place, places);
        for (int r = 0; r < world->size; r++) u->rank_at[places[r]] = r;
    }
    free(all), free(places);
    return code;
}

void sweep_units_close(struct sweep_units *u) {
    free(u->rank_at);
}

int sweep_units_group(const struct sweep_units *u, struct comm *world, int first, int n, struct comm *group,
                      struct base_error *e) {
    const int unit = u->place / u->ranks;
    return comm_split(world, unit >= first && unit < first + n ? 0 : -1, u->place, group, e);
}
