/* SPDX-License-Identifier: Apache-2.0
 *
 * The groups in which operations are timed: all ranks; the ranks of each node, all nodes at once; and one rank of each
 * node. So what happens inside nodes and between them stands apart. */
#ifndef TOISE_COLLECTIVES_GROUP_H
#define TOISE_COLLECTIVES_GROUP_H

#include "comm/comm.h"

enum collectives_scope { COLLECTIVES_ALL, COLLECTIVES_INTRA, COLLECTIVES_INTER, COLLECTIVES_SCOPES };

struct collectives_group {
    enum collectives_scope scope;
    struct comm *comm; /* the world, or `made`; without ranks on a rank that is in no group */
    struct comm made;
    int ranks, nodes; /* of one group, the largest */
    int groups;       /* at once */
};

/* "all", "intra", "inter"; NULL after the last */
const char *collectives_group_name(int scope);
/* Bits of 1 << scope: those that differ. Of ranks on one node, or with one rank a node, these are only all. */
unsigned collectives_groups_of(struct comm *world);
/* BASE_USAGE on all ranks: these ranks have no such group. Collective, as all of these. */
int collectives_group_open(struct collectives_group *g, struct comm *world, enum collectives_scope scope,
                           struct base_error *e);
void collectives_group_close(struct collectives_group *g);

#endif
