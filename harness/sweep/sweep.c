/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over runs: split off the group, train, wake the others, hand the record over. */
#include "sweep/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "guard/stop.h"
#include "guard/watchdog.h"
#include "records/get.h"

/* One sweep's state besides the caller's. */
struct loop {
    struct sweep *s;
    struct comm *world;
    double began, longest; /* clock; seconds of the longest run */
};

struct record_scaling sweep_scaling(const struct sweep *s, const struct sweep_run *run) {
    return (struct record_scaling){
        .mode = s->mode, .unit = s->unit, .n = s->points->at[run->point].n, .repeat = run->repeat, .order = run->order};
}

/* A message to rank 0: the record as text. A rank that cannot make the text sends none. */
static void send(struct comm *world, const json_t *record) {
    char *text = json_dumps(record, JSON_COMPACT);
    struct comm_request length, all;
    size_t bytes = text ? strlen(text) : 0;
    world->ops->send_start(world, &bytes, sizeof bytes, 0, 0, &length);
    world->ops->wait(world, &length);
    world->ops->send_start(world, text, bytes, 0, 0, &all);
    world->ops->wait(world, &all);
    free(text);
}

static json_t *receive(struct comm *world, int from) {
    struct comm_request request;
    size_t bytes;
    world->ops->receive_start(world, &bytes, sizeof bytes, from, 0, &request);
    world->ops->wait(world, &request);
    char *text = malloc(bytes + 1);
    if (!text) comm_abort(world, BASE_BROKEN); /* the sender waits */
    world->ops->receive_start(world, text, bytes, from, 0, &request);
    world->ops->wait(world, &request);
    json_t *record = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, NULL);
    free(text);
    return record;
}

/* Gives the record of the group's rank 0 to the world's. Returns it there, else NULL. Takes over `record`. */
static json_t *hand_over(struct comm *world, int leader, json_t *record) {
    json_t *taken = NULL;
    if (leader == 0 && world->rank == 0) return record;
    if (world->rank == 0) taken = receive(world, leader);
    if (world->rank == leader && leader) send(world, record);
    json_decref(record);
    return taken;
}

/* Trains one run on its group. The ranks outside sleep meanwhile. Collective over the world. */
static int train(struct loop *l, const struct sweep_run *run, json_t **record, struct base_error *e) {
    struct sweep *s = l->s;
    struct comm group;
    int code = sweep_units_group(s->units, l->world, run->first, s->points->at[run->point].n, &group, e);
    if (code) return code;
    guard_phase(group.size ? "start of a run" : "asleep while others run");
    if (group.size) {
        code = s->train(s->context, &group, run, record, e);
        comm_close(&group);
    }
    l->world->ops->rest(l->world);
    return comm_agree(l->world, code, e);
}

/* The base's figures for all ranks, after its first run. */
static int keep_base(struct loop *l, const json_t *record, struct base_error *e) {
    struct sweep *s = l->s;
    const bool failed = record && !strcmp(record_text(record, "status"), "FAILED");
    int code = sweep_base_share(&s->base, failed ? NULL : record, l->world, e);
    if (!code && !s->base.steps)
        snprintf(s->why, sizeof s->why, "the base has no losses, so no other point can be checked");
    return code;
}

/* One run from split to record. */
static int run_one(struct loop *l, const struct sweep_run *run, struct base_error *e) {
    struct sweep *s = l->s;
    const double started = base_clock_now();
    json_t *record = NULL;
    int code = train(l, run, &record, e);
    if (code) {
        json_decref(record);
        return code;
    }
    record = hand_over(l->world, sweep_units_leader(s->units, run->first), record);
    if (l->world->rank == 0 && !record) code = base_fail(e, BASE_BROKEN, "out of memory for a record");
    if (!(code = comm_agree(l->world, code, e)) && !s->done) code = keep_base(l, record, e);
    if (!code && l->world->rank == 0)
        code = s->take(s->context, run, record, e);
    else
        json_decref(record);
    s->done++;
    l->longest = fmax(l->longest, base_clock_now() - started);
    return comm_agree(l->world, code, e);
}

/* Whether to end before the next run. All ranks decide alike: a signal may have reached one of them alone. */
static bool ends(struct loop *l) {
    struct sweep *s = l->s;
    double ask[2] = {guard_stop_asked(), base_clock_now() - l->began + l->longest > s->budget_s};
    l->world->ops->max(l->world, ask, 2);
    if (ask[0] > 0)
        snprintf(s->why, sizeof s->why, "%s ended it after %d of %d runs", guard_stop_name((int)ask[0]), s->done,
                 s->order->count);
    else if (ask[1] > 0 && s->done)
        snprintf(s->why, sizeof s->why, "the budget of %g s ended it after %d of %d runs", s->budget_s, s->done,
                 s->order->count);
    return s->why[0];
}

int sweep_run(struct sweep *s, struct comm *world, struct base_error *e) {
    struct loop l = {.s = s, .world = world, .began = base_clock_now()};
    int code = BASE_OK;
    s->base = (struct sweep_base){0};
    s->done = 0;
    s->why[0] = 0;
    for (int i = 0; i < s->order->count && !code && !ends(&l); i++) {
        if (i == s->order->ahead) code = comm_agree(world, world->rank ? BASE_OK : s->predict(s->context, e), e);
        if (!code) code = run_one(&l, &s->order->runs[i], e);
    }
    return code;
}

void sweep_close(struct sweep *s) {
    sweep_base_close(&s->base);
}
