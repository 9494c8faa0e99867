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
    return x->rank - y->rank;
}

static struct ballot *collect(const struct fleet *f) {
    struct ballot *all = calloc((size_t)f->ranks + 1, sizeof *all);
    for (int r = 0; all && r < f->ranks; r++)
        all[r] = (struct ballot){f->rank[r].kind, fleet_trajectory(f, r), r, f->rank[r].unit};
    if (all) qsort(all, (size_t)f->ranks, sizeof *all, order);
    return all;
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
    int most;   /* first of the largest group that agrees; -1: another is as large */
    bool alone; /* all are of one unit */
};

static struct kind count(const struct ballot *all, int from, int to) {
    struct kind k = {.from = from, .to = to, .most = from, .alone = true};
    int largest = 0;
    for (int at = from, next; at < to; at = next) {
        next = end_of(all, at, to, true);
        if (next - at == largest) k.most = -1;
        if (next - at > largest) largest = next - at, k.most = at;
    }
    for (int at = from; at < to; at++) k.alone = k.alone && all[at].unit == all[from].unit;
    return k;
}

int fleet_bits_open(const struct fleet *f, bool *again) {
    struct ballot *all = collect(f);
    int open = 0;
    memset(again, 0, (size_t)f->ranks * sizeof *again);
    for (int from = 0, to; all && from < f->ranks; from = to) {
        to = end_of(all, from, f->ranks, false);
        const struct kind k = count(all, from, to);
        for (int at = from; at < to && (k.alone || k.most < 0); at++) again[all[at].rank] = true, open++;
    }
    free(all);
    return open;
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
    bool differ = false;
    int first = -1;
    for (int at = k->from; at < k->to; at++) {
        struct fleet_bits *b = &bits[all[at].rank];
        b->unchecked = true;
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
        b->why = "its peers have other bits, none a majority, and each repeats its own: one of them is wrong";
    }
}

void fleet_bits_judge(const struct fleet *f, struct fleet_bits *bits) {
    struct ballot *all = collect(f);
    for (int from = 0, to; all && from < f->ranks; from = to) {
        to = end_of(all, from, f->ranks, false);
        const struct kind k = count(all, from, to);
        for (int at = from; at < to; at++)
            bits[all[at].rank] = (struct fleet_bits){.since = -1, .peers = to - from - 1};
        if (k.most >= 0) judge_by_most(f, all, &k, bits);
        if (k.most < 0 || k.alone) judge_by_repeat(f, all, &k, bits);
    }
    free(all);
}
