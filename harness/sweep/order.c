/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws the order of runs, and the units of each. */
#include "sweep/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"

/* Numbers of one seed, drawn one after the other. */
struct draw {
    uint64_t seed, next;
};

/* A number from 0 to n - 1. */
static int draw(struct draw *d, int n) {
    return (int)(base_random_unit(d->seed, BASE_STREAM_SWEEP, d->next++) * n);
}

/* Fisher and Yates's shuffle of x[count]. */
static void shuffle(struct draw *d, int *x, int count) {
    for (int i = count - 1; i > 0; i--) {
        const int j = draw(d, i + 1), kept = x[i];
        x[i] = x[j];
        x[j] = kept;
    }
}

/* Where a block of n units begins that has this one. Blocks that fill the allocation are aligned, as switches group
 * nodes so. */
static int block(struct draw *d, int units, int n, int has) {
    if (units % n == 0) return has - has % n;
    const int low = has - n + 1 > 0 ? has - n + 1 : 0, high = has < units - n ? has : units - n;
    return low + draw(d, high - low + 1);
}

/* Two thirds of the points are measured before the others are predicted, as laws need several points. */
static int larger_of(int running) {
    return running < 2 ? 0 : running < 6 ? 1 : running / 3;
}

int sweep_order_make(struct sweep_order *o, const struct sweep_points *points, int units, int repeats, uint64_t seed,
                     struct base_error *e) {
    int ascending[SWEEP_POINTS_MOST] = {0}, now[SWEEP_POINTS_MOST], count = 0;
    struct draw d = {.seed = seed};
    for (int i = 0; i < points->count; i++)
        if (!points->at[i].skipped[0]) ascending[count++] = i;
    *o = (struct sweep_order){.larger = larger_of(count), .count = repeats * count};
    o->ahead = o->larger ? count - o->larger : o->count;
    if (!(o->runs = calloc((size_t)o->count, sizeof *o->runs)))
        return base_fail(e, BASE_BROKEN, "out of memory for %d runs", o->count);
    for (int r = 0; r < repeats; r++) {
        const int has = draw(&d, units);
        memcpy(now, ascending, sizeof now);
        if (r == 0) {
            shuffle(&d, now + 1, count - o->larger - 1);
            shuffle(&d, now + count - o->larger, o->larger);
        } else {
            shuffle(&d, now, count);
        }
        for (int i = 0; i < count; i++)
            o->runs[r * count + i] = (struct sweep_run){
                .point = now[i], .repeat = r + 1, .order = i + 1, .first = block(&d, units, points->at[now[i]].n, has)};
    }
    return BASE_OK;
}

void sweep_order_close(struct sweep_order *o) {
    free(o->runs);
}
