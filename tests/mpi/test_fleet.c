/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 3 4
 *
 * Rounds of real ranks: all know the same samples, right bits agree, a flipped bit and garbled messages accuse their
 * rank, and a signal ends the rounds on all ranks. */
#include <math.h>
#include <signal.h>
#include <string.h>

#include "comm/comm.h"
#include "fleet/judge.h"
#include "guard/stop.h"
#include "inject/inject.h"
#include "mpi/support/agreed.h"
#include "unit/support/rig.h"

enum { ROUNDS = 8 };

/* A rank's work on a tiny model. */
struct work {
    struct plan plan;
    struct kernel_ops ops;
    struct measure_placement place;
    struct fleet_local local;
    struct fleet fleet;
};

static void work_open(struct agreed *a, struct work *w) {
    static const struct kernel_caches caches = {.l1 = 32 << 10, .l2 = 512 << 10, .l3 = 1 << 20};
    struct base_error e = {0};
    const struct model_config config = rig_config(1, 32, 2, 64, 16);
    struct plan_request request = rig_request(&config, KERNEL_F32, 8, 1, 1);
    request.caches = caches;
    *w = (struct work){.place = {.threads = 1, .cpus_per_thread = 1}};
    base_cpus_mask(&w->place.cpus);
    kernel_select(&w->ops, kernel_isa_best(), KERNEL_BACKEND_TOISE);
    agreed_check(a, plan_make(&w->plan, &request, &e) == BASE_OK, "the plan");
    agreed_check(a, fleet_local_open(&w->local, &w->plan, &w->ops, &w->place, 1, 1, &e) == BASE_OK, "the work");
}

/* Runs the rounds, and checks that all ranks know the same. */
static void run(struct agreed *a, struct work *w, const char *faults) {
    struct base_error e = {0};
    const struct fleet_options options = {.of = FLEET_RANKS, .rounds = ROUNDS, .message_bytes = 4096, .seed = 1};
    const struct fleet_rank mine = {.host = "host", .kind = "kind", .threads = 1};
    struct comm *world = &a->world;
    agreed_check(a, inject_open(faults, world->rank, world->node, world->size, world->nodes, &e) == BASE_OK, "faults");
    agreed_check(a, fleet_open(&w->fleet, &options, &mine, world, &e) == BASE_OK, "fleet_open");
    agreed_check(a, fleet_run(&w->fleet, &w->local, world, &e) == BASE_OK, "fleet_run");
    const size_t known = (size_t)w->fleet.rounds * (size_t)w->fleet.ranks * sizeof *w->fleet.sample;
    agreed_check(a, agreed_same(a, agreed_hash(w->fleet.sample, known)), "all ranks know the same samples");
}

/* Whether exactly this rank is wrong; -1: none is. */
static void wrong(struct agreed *a, struct work *w, int rank, const char *words) {
    struct fleet_judgement j;
    struct base_error e = {0};
    bool good = fleet_judge(&w->fleet, &j, &e) == BASE_OK;
    for (int u = 0; good && u < w->fleet.units; u++) good = (j.unit[u].state == FLEET_WRONG) == (u == rank);
    agreed_check(a, good, "who is wrong");
    agreed_check(a, rank < 0 || strstr(j.unit[rank].why, words), words);
    fleet_judgement_close(&j);
    fleet_close(&w->fleet);
}

static void honest(struct agreed *a, struct work *w) {
    run(a, w, NULL);
    bool good = w->fleet.rounds == ROUNDS;
    for (int i = 0; i < ROUNDS; i++)
        for (int r = 0; r < w->fleet.ranks; r++) {
            const struct fleet_sample *s = fleet_at(&w->fleet, i, r);
            good = good && s->seconds[FLEET_STEP] > 0 && s->seconds[FLEET_CORE] > 0 && s->seconds[FLEET_MEMORY] > 0;
            good = good && (s->partner < 0 ? isnan(s->seconds[FLEET_LINK]) : s->seconds[FLEET_LINK] > 0);
            good = good && s->garbled == 0 && s->bits == fleet_at(&w->fleet, i, 0)->bits;
            good = good && (s->partner < 0 || fleet_at(&w->fleet, i, s->partner)->partner == r);
        }
    agreed_check(a, good, "right samples");
    agreed_check(a, !w->fleet.repeats[0], "nobody runs twice");
    wrong(a, w, -1, "");
}

/* Rank 1 finds the first word of what it receives changed. */
static const struct comm_ops *right;
static uint64_t *last;
static void lie_receive(struct comm *c, void *x, size_t bytes, int from, int tag, struct comm_request *r) {
    last = x;
    right->receive_start(c, x, bytes, from, tag, r);
}
static void lie_wait(struct comm *c, struct comm_request *r) {
    right->wait(c, r);
    if (c->rank == 1) *last += 1;
}
static void liar(struct agreed *a, struct work *w) {
    struct comm_ops lying = *a->world.ops;
    right = a->world.ops;
    lying.receive_start = lie_receive, lying.wait = lie_wait;
    a->world.ops = &lying;
    run(a, w, NULL);
    a->world.ops = right;
    wrong(a, w, 1, "garbled");
}

static void stopped(struct agreed *a, struct work *w) {
    guard_stop_watch();
    if (a->world.rank == 2) raise(SIGTERM);
    run(a, w, NULL);
    agreed_check(a, w->fleet.rounds == 1 && w->fleet.stop == SIGTERM, "a signal to one rank ends the rounds of all");
    wrong(a, w, -1, "");
}

int main(void) {
    struct agreed a;
    struct work w;
    agreed_open(&a);
    work_open(&a, &w);
    honest(&a, &w);
    run(&a, &w, "bitflip:rank=1,step=3");
    wrong(&a, &w, 1, "differ from those of most peers, from round 4 on");
    liar(&a, &w);
    stopped(&a, &w);
    fleet_local_close(&w.local);
    return agreed_close(&a);
}
