/* SPDX-License-Identifier: Apache-2.0
 *
 * Splits the world by node, and across nodes. */
#include "collectives/group.h"

static const char *const names[COLLECTIVES_SCOPES] = {"all", "intra", "inter"};

const char *collectives_group_name(int scope) {
    return scope < COLLECTIVES_SCOPES ? names[scope] : NULL;
}

/* The most ranks of a node. */
static int widest(struct comm *world) {
    double ranks = world->local_size;
    world->ops->max(world, &ranks, 1);
    return (int)ranks;
}

unsigned collectives_groups_of(struct comm *world) {
    const unsigned all = 1u << COLLECTIVES_ALL;
    const bool differ = world->nodes > 1 && widest(world) > 1;
    return differ ? all | 1u << COLLECTIVES_INTRA | 1u << COLLECTIVES_INTER : all;
}

int collectives_group_open(struct collectives_group *g, struct comm *world, enum collectives_scope scope,
                           struct base_error *e) {
    const int most = widest(world), nodes = world->nodes;
    int code = BASE_OK;
    *g = (struct collectives_group){.scope = scope, .comm = world, .ranks = world->size, .nodes = nodes, .groups = 1};
    if (scope == COLLECTIVES_ALL) return BASE_OK;
    if (scope == COLLECTIVES_INTRA && most < 2)
        code = base_fail(e, BASE_USAGE, "no node has two ranks, so there is no group intra; start several on a node");
    if (scope == COLLECTIVES_INTER && nodes < 2)
        code = base_fail(e, BASE_USAGE, "all ranks are on one node, so there is no group inter; start them on several");
    if (code) return code;
    const int first = world->local_rank == 0 ? 0 : -1;
    code = comm_split(world, scope == COLLECTIVES_INTRA ? world->node : first, world->rank, &g->made, e);
    if (code) return code;
    g->comm = &g->made;
    g->ranks = scope == COLLECTIVES_INTRA ? most : nodes;
    g->nodes = scope == COLLECTIVES_INTRA ? 1 : nodes;
    g->groups = scope == COLLECTIVES_INTRA ? nodes : 1;
    return BASE_OK;
}

void collectives_group_close(struct collectives_group *g) {
    if (g->comm == &g->made) comm_close(&g->made);
}
