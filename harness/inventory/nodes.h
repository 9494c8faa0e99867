/* SPDX-License-Identifier: Apache-2.0
 *
 * Many nodes: gathered over MPI, equal ones grouped, and what differs between them. */
#ifndef TOISE_INVENTORY_NODES_H
#define TOISE_INVENTORY_NODES_H

#include <jansson.h>

#include "comm/comm.h"

/* The machine objects of all nodes, in their order, on rank 0: a new array; NULL on other ranks. A node's lowest rank
 * speaks for it. Collective. */
int inventory_gather(struct comm *world, const json_t *machine, json_t **machines, struct base_error *e);

/* The `result` of an info record, a new reference: {"nodes", "differences", "groups"}.
 *
 * groups: nodes with the same facts (facts.h), the largest group first, each with the machine of its first node.
 * differences: [{"key", "matters", "values": [{"value", "why" (it is unknown), "count", "hosts"}]}], the most telling
 * key and the commonest value first. Empty: all nodes are equal. Hosts are written as hosts.h does. */
json_t *inventory_compare(const json_t *machines);

#endif
