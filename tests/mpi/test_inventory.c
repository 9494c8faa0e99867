/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 4
 *
 * Descriptions of different lengths arrive whole and in order, from one rank of each node. Every rank plays a node of
 * its own, then all are one node. Ranks that are not alike are told so, with hosts. */
#include <stdio.h>
#include <string.h>

#include "inventory/alike.h"
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

/* Whether `say` has each of the two texts, unless one rank has nothing to differ from. */
static bool tells(const struct agreed *a, bool alike, const char *say, const char *one, const char *other) {
    if (a->world.size == 1) return alike && !say[0];
    return !alike && strstr(say, one) && strstr(say, other) && strstr(say, " on ");
}

static void texts(struct agreed *a) {
    char say[512] = "x";
    const bool last = a->world.rank == a->world.size - 1;
    agreed_check(a, inventory_alike(&a->world, "toise 1", say, sizeof say) && !say[0], "the same text");
    bool alike = inventory_alike(&a->world, last ? "toise 2" : "toise 1", say, sizeof say);
    agreed_check(a, tells(a, alike, say, "toise 1 on ", "toise 2 on "), "one rank's text differs");
    agreed_check(a, a->world.size < 3 || !strncmp(say, "toise 1", 7), "what most have comes first");
    alike = inventory_alike(&a->world, last ? "" : "toise 1", say, sizeof say);
    agreed_check(a, a->world.size == 1 ? alike : !alike && say[0], "one rank has no text");
}

static void values(struct agreed *a) {
    char say[512], tail[1024];
    const int last = a->world.rank == a->world.size - 1;
    json_t *mine = json_pack("{s:i, s:i, s:{s:i}}", "a", 1, "layers", 12 - last, "z", "b", last);
    bool alike = inventory_alike_json(&a->world, mine, say, sizeof say);
    agreed_check(a, tells(a, alike, say, "\"layers\": 12 on ", "\"layers\": 11 on ") && !strstr(say, "\"b\""),
                 "the first line that differs");
    json_object_set_new(mine, "layers", json_integer(12));
    if (last) json_object_set_new(mine, "zz", json_true());
    alike = inventory_alike_json(&a->world, mine, say, sizeof say);
    agreed_check(a, alike == (a->world.size == 1) && !say[0] == alike, "a line more");
    json_decref(mine);
    memset(tail, 'x', sizeof tail - 1);
    tail[sizeof tail - 1] = '\0';
    tail[sizeof tail - 2] = last ? 'y' : 'x';
    mine = json_pack("{s:s}", "long", tail);
    alike = inventory_alike_json(&a->world, mine, say, sizeof say);
    agreed_check(a, alike == (a->world.size == 1) && !say[0] == alike, "lines that differ in a far place");
    json_decref(mine);
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
    texts(&a);
    values(&a);
    return agreed_close(&a);
}
