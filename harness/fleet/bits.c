/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranks are sorted by kind and trajectory, so that those that agree stand together. */
#include "fleet/bits.h"

#include <stdlib.h>
#include <string.h>

uint64_t fleet_trajectory(const struct fleet *f, int rank) {
    uint64_t trajectory = FLEET_TRAJECTORY;
    for (int i = 0; i < f->rounds; i++) trajectory = fleet_trajectory_add(trajectory, fleet_at(f, i, rank)->bits);
    return trajectory;
}

/* A rank and what it is sorted by. */
struct ballot {
    const char *kind;
    uint64_t trajectory;
    int rank, unit;
};

static int order(const void *a, const void *b) {
    const struct ballot *x = a, *y = b;
    const int kinds = strcmp(x->kind, y->kind);
    if (kinds) return kinds;
    if (x->trajectory != y->trajectory) return x->trajectory < y->trajectory ? -1 : 1;
    return x->unit != y->unit ? x->unit - y->unit : x->rank - y->rank;
}

/* All ranks, sorted, and room for a mark on each unit. */
struct ballots {
    struct ballot *all;
    int *mark;
};

static bool collect(const struct fleet *f, struct ballots *b) {
    b->all = calloc((size_t)f->ranks + 1, sizeof *b->all);
    b->mark = calloc((size_t)f->units + 1, sizeof *b->mark);
    const bool done = b->all && b->mark;
    for (int r = 0; done && r < f->ranks; r++)
        b->all[r] = (struct ballot){f->rank[r].kind, fleet_trajectory(f, r), r, f->rank[r].unit};
    if (done) qsort(b->all, (size_t)f->ranks, sizeof *b->all, order);
    return done;
}

static void release(struct ballots *b) {
    free(b->all), free(b->mark);
}

/* The end of those from `from` on that have its kind, and with `same` its trajectory. */
static int end_of(const struct ballot *all, int from, int end, bool same) {
    int to = from + 1;
    while (to < end && !strcmp(all[to].kind, all[from].kind) && (!same || all[to].trajectory == all[from].trajectory))
        to++;
    return to;
}

/* Ranks of one kind, all[from..to). */
struct kind {
    int from, to;
    int most;   /* first of those that more than half agree on; -1: there are none */
    bool alone; /* all are of one unit */
};

/* A unit has one vote for each trajectory of its ranks, however many ranks it has. Of a unit alone, ranks vote. */
static struct kind count(const struct ballots *b, int from, int to) {
    const struct ballot *all = b->all;
    struct kind k = {.from = from, .to = to, .most = -1};
    int units = 0, largest = 0;
    for (int at = from; at < to; at++) {
        units += b->mark[all[at].unit] != from + 1;
        b->mark[all[at].unit] = from + 1;
    }
    k.alone = units == 1;
    const int voters = k.alone ? to - from : units;
    for (int at = from, next; at < to; at = next) {
        int votes = 0;
        next = end_of(all, at, to, true);
        for (int i = at; i < next; i++) votes += k.alone || i == at || all[i].unit != all[i - 1].unit;
        if (votes == largest) k.most = -1;
        if (votes > largest) largest = votes, k.most = 2 * votes > voters ? at : -1;
    }
    return k;
}

int fleet_bits_open(const struct fleet *f, bool *again) {
    struct ballots b;
    const bool done = collect(f, &b);
    int open = 0;
    memset(again, 0, (size_t)f->ranks * sizeof *again);
    for (int from = 0, to; done && from < f->ranks; from = to) {
        to = end_of(b.all, from, f->ranks, false);
        const struct kind k = count(&b, from, to);
        for (int at = from; at < to && (k.alone || k.most < 0); at++) again[b.all[at].rank] = true, open++;
    }
    release(&b);
    return done ? open : -1;
}

/* The first round in which two ranks differ. */
static int parting(const struct fleet *f, int a, int b) {
    int round = 0;
    while (round < f->rounds && fleet_at(f, round, a)->bits == fleet_at(f, round, b)->bits) round++;
    return round;
}

/* The majority is right. */
static void judge_by_most(const struct fleet *f, const struct ballot *all, const struct kind *k,
                          struct fleet_bits *bits) {
    for (int at = k->from; at < k->to; at++) {
        struct fleet_bits *b = &bits[all[at].rank];
        if (all[at].trajectory == all[k->most].trajectory) continue;
        b->wrong = true;
        b->since = parting(f, all[at].rank, all[k->most].rank);
        b->why = "the bits of its steps differ from those of most peers";
    }
}

/* Nobody else confirms what remains: whoever repeats its own bits is right as far as it can tell. If two that do so
 * differ, one of them is wrong. */
static void judge_by_repeat(const struct fleet *f, const struct ballot *all, const struct kind *k,
                            struct fleet_bits *bits) {
    bool differ = false, repeated = true;
    int first = -1;
    for (int at = k->from; at < k->to; at++) {
        struct fleet_bits *b = &bits[all[at].rank];
        b->unchecked = true;
        repeated = repeated && f->repeats[all[at].rank];
        if (b->wrong) continue;
        b->wrong = f->repeats[all[at].rank] && f->again[all[at].rank] != all[at].trajectory;
        if (b->wrong) b->why = "its steps had other bits the second time";
        if (b->wrong) continue;
        if (first < 0) first = at;
        differ = differ || all[at].trajectory != all[first].trajectory;
    }
    for (int at = k->from; at < k->to && differ; at++) {
        struct fleet_bits *b = &bits[all[at].rank];
        if (b->wrong) continue;
        b->wrong = true;
        b->why = repeated ? "its peers have other bits, none a majority, and each repeats its own: one of them is wrong"
                          : "its peers have other bits, none a majority, and no step ran twice: one of them is wrong";
    }
}

bool fleet_bits_judge(const struct fleet *f, struct fleet_bits *bits) {
    struct ballots b;
    const bool done = collect(f, &b);
    for (int from = 0, to; done && from < f->ranks; from = to) {
        to = end_of(b.all, from, f->ranks, false);
        const struct kind k = count(&b, from, to);
        for (int at = from; at < to; at++)
            bits[b.all[at].rank] = (struct fleet_bits){.since = -1, .peers = to - from - 1};
        if (k.most >= 0) judge_by_most(f, b.all, &k, bits);
        if (k.most < 0 || k.alone) judge_by_repeat(f, b.all, &k, bits);
    }
    release(&b);
    return done;
}
