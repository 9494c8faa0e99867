/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the ranks of a run are: hosts, the switches between them, and nodes of the job that got none. */
#ifndef TOISE_INVENTORY_PLACE_H
#define TOISE_INVENTORY_PLACE_H

#include <jansson.h>

#include "comm/comm.h"

/* A new object on rank 0, NULL on others. Hosts are written as hosts.h does. Collective.
 *
 * "hosts" has the nodes with ranks. "switches" is [{"name": "core.leaf1", "hosts": "n[1-2]"}]: the switches above each
 * node, the outermost first. It is by SLURM_TOPOLOGY_ADDR, which srun sets, else by `scontrol show topology`. It is
 * absent if they are unknown, or if the network is flat.
 *
 * "unused" has the nodes of the Slurm job without a rank, and is absent if there are none. "asked" is the number of
 * nodes that the job asked for, if it got fewer. It is by TOISE_NODES_ASKED, which the job scripts set. */
int inventory_place(struct comm *world, json_t **place, struct base_error *e);

/* {"n1": "core.leaf1", ...}, a new object: the switches above each host, from what `scontrol show topology` prints. */
json_t *inventory_switches(const char *topology);

#endif
