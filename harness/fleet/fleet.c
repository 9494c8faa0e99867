/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds. Ranks start each part of a round together, so that neighbours disturb each other as they do in training.
 */
#include "fleet/fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fleet/bits.h"
#include "fleet/rotation.h"
#include "guard/stop.h"
#include "guard/watchdog.h"
#include "inject/inject.h"

enum { EXCHANGES = 4 }; /* of a pair in a round, one after the other */

/* What one rank needs for the messages. */
struct post {
    struct comm plane; /* one rank of each unit, by unit; without ranks where a unit has more than the others */
    bool made;         /* it is not the world itself */
    struct comm *comm;
    uint64_t *to, *from; /* [words] */
    int64_t words;
};

int fleet_make(struct fleet *f, const struct fleet_options *options, int ranks, int units, struct base_error *e) {
    *f = (struct fleet){.options = *options, .ranks = ranks, .units = units};
    const size_t n = (size_t)ranks;
    f->rank = calloc(n, sizeof *f->rank);
    f->first = calloc((size_t)units, sizeof *f->first);
    f->next = calloc(n, sizeof *f->next);
    f->sample = calloc(n * (size_t)options->rounds, sizeof *f->sample);
    f->again = calloc(n, sizeof *f->again);
    f->repeats = calloc(n, sizeof *f->repeats);
    if (f->rank && f->first && f->next && f->sample && f->again && f->repeats) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "out of memory for %d rounds of %d ranks", options->rounds, ranks);
}

void fleet_link(struct fleet *f) {
    for (int u = 0; u < f->units; u++) f->first[u] = -1;
    for (int r = f->ranks - 1; r >= 0; r--) {
        f->next[r] = f->first[f->rank[r].unit];
        f->first[f->rank[r].unit] = r;
    }
}

int fleet_open(struct fleet *f, const struct fleet_options *options, const struct fleet_rank *mine, struct comm *world,
               struct base_error *e) {
    const bool nodes = options->of == FLEET_NODES;
    struct fleet_rank own = *mine;
    own.node = world->node;
    own.unit = nodes ? world->node : world->rank;
    const int code = comm_agree(world, fleet_make(f, options, world->size, nodes ? world->nodes : world->size, e), e);
    if (code) return code;
    world->ops->all_gather(world, &own, sizeof own, f->rank);
    fleet_link(f);
    return BASE_OK;
}

void fleet_close(struct fleet *f) {
    free(f->rank), free(f->first), free(f->next), free(f->sample), free(f->again), free(f->repeats);
    *f = (struct fleet){0};
}

static void post_close(struct post *p) {
    if (p->made) comm_close(&p->plane);
    free(p->to), free(p->from);
}

/* Each unit has as many ranks in the exchange as the unit with the fewest. */
static int post_open(struct post *p, const struct fleet *f, struct comm *world, struct base_error *e) {
    *p = (struct post){.comm = world, .words = f->options.message_bytes / (int64_t)sizeof *p->to};
    p->to = calloc((size_t)p->words + 1, sizeof *p->to);
    p->from = calloc((size_t)p->words + 1, sizeof *p->from);
    int code = p->to && p->from ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for messages");
    if ((code = comm_agree(world, code, e)) || f->options.of == FLEET_RANKS) return code;
    double least = -world->local_size;
    world->ops->max(world, &least, 1);
    const int colour = world->local_rank < -(int)least ? world->local_rank : -1;
    if ((code = comm_split(world, colour, world->node, &p->plane, e))) return code;
    p->made = true;
    p->comm = &p->plane;
    return BASE_OK;
}

/* What a unit sends in a round: known to whoever gets it. */
static uint64_t word(int unit, int round, int64_t i) {
    return (((uint64_t)unit << 32 | (uint32_t)round) + (uint64_t)i) * 0x9e3779b97f4a7c15u;
}

static void exchange(const struct post *p, int partner, size_t bytes) {
    struct comm_request out, in;
    struct comm *c = p->comm;
    c->ops->receive_start(c, p->from, bytes, partner, 0, &in);
    c->ops->send_start(c, p->to, bytes, partner, 0, &out);
    c->ops->wait(c, &in);
    c->ops->wait(c, &out);
}

/* The rank of the unit that a rank sends to: the one as far down its list as the sender in its own. */
static int counterpart(const struct fleet *f, int rank, int unit) {
    int peer = f->first[unit];
    for (int r = f->first[f->rank[rank].unit]; r != rank && f->next[peer] >= 0; r = f->next[r]) peer = f->next[peer];
    return peer;
}

/* A short message first: it makes the connection, and waits for the partner. */
static void meet(const struct fleet *f, const struct post *p, int rank, struct fleet_sample *s) {
    const int unit = f->rank[rank].unit, peer = counterpart(f, rank, s->partner);
    const double factor = inject_link_factor(peer, f->rank[peer].node);
    const size_t bytes = (size_t)p->words * sizeof *p->to;
    for (int64_t i = 0; i < p->words; i++) p->to[i] = word(unit, f->rounds, i);
    memset(p->from, 0, bytes);
    exchange(p, s->partner, sizeof *p->to);
    const double start = base_clock_now();
    for (int i = 0; i < EXCHANGES; i++) exchange(p, s->partner, bytes);
    inject_stretch(factor, start, NULL, NULL);
    s->seconds[FLEET_LINK] = (base_clock_now() - start) / EXCHANGES;
    for (int64_t i = 0; i < p->words; i++) s->garbled += p->from[i] != word(s->partner, f->rounds, i);
}

/* All ranks start a part of the round together. Those that are early sleep meanwhile, so as not to disturb the rest. */
static void start(struct comm *world, const char *part) {
    guard_phase(part);
    world->ops->rest(world);
    world->ops->barrier(world);
}

static void measure(const struct fleet *f, struct fleet_local *l, struct post *p, struct comm *world,
                    struct fleet_sample *s) {
    const int units = p->comm->size, unit = p->comm->rank;
    *s = (struct fleet_sample){.seconds[FLEET_LINK] = NAN, .partner = -1};
    guard_step(f->rounds);
    start(world, "step");
    s->seconds[FLEET_STEP] = fleet_local_step(l, f->rounds, &s->bits, &s->others);
    start(world, "core clock");
    s->seconds[FLEET_CORE] = fleet_local_core(l);
    start(world, "memory");
    s->seconds[FLEET_MEMORY] = fleet_local_memory(l);
    start(world, "messages");
    inject_hang("messages", f->rounds);
    if (units > 1) {
        const int matching = fleet_rotation_matching(units, f->options.seed, f->rounds);
        s->partner = fleet_rotation_partner(units, matching, unit);
    }
    if (s->partner >= 0) meet(f, p, world->rank, s);
    s->stop = guard_stop_asked();
}

/* The signal that told any rank to stop. */
static int stop_of(const struct fleet *f, int round) {
    for (int r = 0; r < f->ranks; r++)
        if (fleet_at(f, round, r)->stop) return fleet_at(f, round, r)->stop;
    return 0;
}

static void run_again(struct fleet *f, struct fleet_local *l, struct comm *world) {
    uint64_t mine = FLEET_TRAJECTORY, bits;
    double others;
    guard_phase("repeated steps");
    if (f->repeats[world->rank]) {
        fleet_local_start(l);
        for (int i = 0; i < f->rounds && !guard_stop_asked(); i++) {
            guard_step(i);
            fleet_local_step(l, i, &bits, &others);
            mine = fleet_trajectory_add(mine, bits);
        }
    }
    double stop = guard_stop_asked();
    world->ops->max(world, &stop, 1);
    if ((f->stop = (int)stop)) memset(f->repeats, 0, (size_t)f->ranks * sizeof *f->repeats);
    world->ops->all_gather(world, &mine, sizeof mine, f->again);
}

/* A rank that was interrupted while it sized its register-only loop has too short a one, which is slower. */
static void agree_on_peak(struct fleet_local *l, struct comm *world) {
    double rounds = (double)l->peak.rounds;
    world->ops->max(world, &rounds, 1);
    l->peak.rounds = (int64_t)rounds;
}

int fleet_run(struct fleet *f, struct fleet_local *l, struct comm *world, struct base_error *e) {
    struct post post;
    struct fleet_sample mine;
    int code = post_open(&post, f, world, e);
    if (code) return post_close(&post), code;
    guard_phase("warm-up");
    agree_on_peak(l, world);
    fleet_local_warm(l);
    while (f->rounds < f->options.rounds && !f->stop) {
        if (f->options.on_round) f->options.on_round(f->options.context, f->rounds);
        measure(f, l, &post, world, &mine);
        world->ops->all_gather(world, &mine, sizeof mine, &f->sample[(int64_t)f->rounds * f->ranks]);
        f->stop = stop_of(f, f->rounds++);
    }
    const int open = f->stop ? 0 : fleet_bits_open(f, f->repeats);
    code = open < 0 ? base_fail(e, BASE_BROKEN, "out of memory to compare the bits of %d ranks", f->ranks) : BASE_OK;
    if (!(code = comm_agree(world, code, e)) && open > 0) run_again(f, l, world);
    post_close(&post);
    return code;
}

const char *fleet_host(const struct fleet *f, int unit) {
    return f->rank[f->first[unit]].host;
}

bool fleet_has_host(const struct fleet *f, const char *host) {
    const size_t plain = strcspn(host, ".");
    for (int u = 0; u < f->units; u++) {
        const char *known = fleet_host(f, u);
        const bool whole = strchr(known, '.') && host[plain];
        if (whole ? !strcmp(known, host) : strcspn(known, ".") == plain && !strncmp(known, host, plain)) return true;
    }
    return false;
}

void fleet_name(const struct fleet *f, int unit, char *text, size_t size) {
    const bool node = f->options.of == FLEET_NODES;
    node ? snprintf(text, size, "%s", fleet_host(f, unit))
         : snprintf(text, size, "rank %d on %s", unit, fleet_host(f, unit));
}
