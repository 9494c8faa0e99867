/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 4
 *
 * Descriptions of different lengths arrive whole and in order, from one rank of each node. Every rank plays a node of
 * its own, then all are one node. */
#include <stdio.h>
#include <string.h>

#include "inventory/nodes.h"
#include "mpi/support/agreed.h"
#include "records/get.h"

/* A description whose length depends on the rank */
static json_t *description(int rank) {
    char host[32], text[4096];
    const size_t length = (size_t)(rank * 977 % 4000);
    snprintf(host, sizeof host, "n%d", rank);
    memset(text, 'x', sizeof text);
    text[length] = '\0';
    return json_pack("{s:s, s:s, s:s}", "host", host, "kernel", rank % 2 ? "odd" : "even", "board", text);
}

static void gathers(struct agreed *a, int nodes, const char *what) {
    json_t *mine = description(a->world.rank), *machines = NULL;
    struct base_error e = {0};
    bool good = inventory_gather(&a->world, mine, &machines, &e) == BASE_OK;
    good &= (machines != NULL) == (a->world.rank == 0) && (!machines || json_array_size(machines) == (size_t)nodes);
    for (int i = 0; machines && i < nodes; i++) {
        json_t *expected = description(i);
        good &= json_equal(json_array_get(machines, (size_t)i), expected);
        json_decref(expected);
    }
    agreed_check(a, good, what);
    json_decref(mine);
    json_decref(machines);
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    const int local = a.world.local_rank;
    a.world.local_rank = 0;
    gathers(&a, a.world.size, "a description of each node, in order");
    a.world.local_rank = a.world.rank;
    gathers(&a, 1, "the lowest rank speaks for its node");
    a.world.local_rank = local;
    return agreed_close(&a);
}
