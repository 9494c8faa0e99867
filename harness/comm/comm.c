/* SPDX-License-Identifier: Apache-2.0
 *
 * Functions that forward to the backend's table. */
#include "comm/comm.h"

int comm_agree(struct comm *world, int code, struct base_error *e) {
    return world->ops->agree(world, code, e);
}

int comm_split(struct comm *world, int colour, int key, struct comm *group, struct base_error *e) {
    return world->ops->split(world, colour, key, group, e);
}

void comm_close(struct comm *comm) {
    comm->ops->close(comm);
    comm_empty(comm);
}
