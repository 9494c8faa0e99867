/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens the watchdog: ranks exchange over MPI what the watchdogs need to find each other without it. Then the world's
 * operations say when a rank waits. */
#include "cli/guard.h"

#include <stdlib.h>

#include "guard/watchdog.h"

/* clang-format off */
const struct cli_option cli_guard_option[] = {
    {.name = "--timeout", .kind = CLI_NUMBER, .min = 0, .max = 1e6, .fallback = "300", .hint = "S",
     .help = "end all ranks with exit code 4 once a rank was killed, is stopped, or makes no progress for S seconds; 0 "
             "never does"},
    {.name = NULL},
};
/* clang-format on */

/* The operations of the world, which these forward to. */
static const struct comm_ops *inner;
static struct comm_ops guarded;
static struct comm *watched;

static void progress(struct comm *c) {
    guard_progress();
    inner->progress(c);
}
static void wait(struct comm *c, struct comm_request *request) {
    guard_waiting(true);
    inner->wait(c, request);
    guard_waiting(false);
}
static void sum(struct comm *c, double *x, int n) {
    guard_waiting(true);
    inner->sum(c, x, n);
    guard_waiting(false);
}
static void max(struct comm *c, double *x, int n) {
    guard_waiting(true);
    inner->max(c, x, n);
    guard_waiting(false);
}
static void barrier(struct comm *c) {
    guard_waiting(true);
    inner->barrier(c);
    guard_waiting(false);
}
static void rest(struct comm *c) {
    guard_waiting(true);
    inner->rest(c);
    guard_waiting(false);
}
static void broadcast(struct comm *c, void *data, size_t bytes) {
    guard_waiting(true);
    inner->broadcast(c, data, bytes);
    guard_waiting(false);
}
static void all_gather(struct comm *c, const void *mine, size_t bytes, void *all) {
    guard_waiting(true);
    inner->all_gather(c, mine, bytes, all);
    guard_waiting(false);
}
static int agree(struct comm *c, int code, struct base_error *e) {
    guard_waiting(true);
    code = inner->agree(c, code, e);
    guard_waiting(false);
    return code;
}
static int split(struct comm *c, int colour, int key, struct comm *group, struct base_error *e) {
    guard_waiting(true);
    const int code = inner->split(c, colour, key, group, e);
    guard_waiting(false);
    if (!code && group->ops == inner) group->ops = &guarded;
    return code;
}

/* The watchdog ends with the world, after all ranks came here. What the world does at its own end is not watched, as
 * MPI_Finalize. */
static void close_comm(struct comm *c) {
    if (c == watched) {
        guard_phase("the end");
        barrier(c);
        guard_watchdog_close();
        watched = NULL;
    }
    inner->close(c);
}

static void wrap(struct comm *world) {
    inner = world->ops;
    guarded = *inner;
    guarded.progress = progress, guarded.wait = wait;
    guarded.sum = sum, guarded.max = max;
    guarded.barrier = barrier, guarded.rest = rest;
    guarded.broadcast = broadcast, guarded.all_gather = all_gather;
    guarded.agree = agree, guarded.split = split, guarded.close = close_comm;
    world->ops = &guarded;
    watched = world;
}

/* The leader of each node learns of all nodes, and tells its node's ranks where their memory is. */
static int meet(struct comm *world, struct comm *leaders, struct comm *node, const struct guard_place *place,
                struct base_error *e) {
    const bool leader = place->local_rank == 0;
    struct guard_host mine = {0}, *hosts = leader ? calloc((size_t)place->nodes, sizeof *hosts) : NULL;
    struct guard_key key = {0};
    uint64_t token = guard_random();
    int code = leader ? guard_watchdog_host(place, &mine, e) : BASE_OK;
    if (leader && !hosts) code = base_fail(e, BASE_BROKEN, "out of memory for the names of %d nodes", place->nodes);
    world->ops->broadcast(world, &token, sizeof token);
    if (!(code = comm_agree(world, code, e))) {
        leaders->ops->all_gather(leaders, &mine, sizeof mine, hosts);
        code = comm_agree(world, leader ? guard_watchdog_make(place, hosts, token, &key, e) : BASE_OK, e);
    }
    free(hosts);
    if (code) return code;
    node->ops->broadcast(node, &key, sizeof key);
    return comm_agree(world, guard_watchdog_join(place, &key, e), e);
}

static int open_at(struct comm *world, const struct guard_place *place, double timeout_s, struct base_error *e) {
    struct comm leaders, node;
    int code = comm_split(world, place->local_rank ? -1 : 0, place->node, &leaders, e);
    if (code) return code;
    if (!(code = comm_split(world, place->node, place->local_rank, &node, e))) {
        code = meet(world, &leaders, &node, place, e);
        comm_close(&node);
    }
    comm_close(&leaders);
    if (!code) code = comm_agree(world, guard_watchdog_start(timeout_s, e), e);
    if (code) guard_watchdog_close();
    return code;
}

int cli_guard_open(struct comm *world, double timeout_s, struct base_error *e) {
    const struct guard_place together = {world->rank, world->node, world->nodes, world->local_rank, world->local_size};
    const struct guard_place alone = {world->rank, world->rank, world->size, 0, 1};
    if (timeout_s > 0 && timeout_s < 1)
        return base_fail(e, BASE_USAGE, "--timeout %g: give at least 1 second, or 0 for no watchdog", timeout_s);
    if (timeout_s == 0 || watched) return BASE_OK;
    int code = open_at(world, &together, timeout_s, e);
    if (code == BASE_NO) code = open_at(world, &alone, timeout_s, e);
    if (code) return code;
    *e = (struct base_error){0};
    wrap(world);
    return BASE_OK;
}
