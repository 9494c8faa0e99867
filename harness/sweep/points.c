/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the counts of a curve, and says which counts the batch divides over. */
#include "sweep/points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { UNITS_MOST = 1 << 24 };

const char *sweep_unit_text(enum record_scaling_unit unit, int n) {
    static const char *const words[2][2] = {[RECORD_NODE] = {"node", "nodes"}, [RECORD_RANK] = {"rank", "ranks"}};
    return words[unit][n != 1];
}

int sweep_points_read(const char *list, const char *flag, int *n, int *count, struct base_error *e) {
    const char *words[SWEEP_POINTS_MOST];
    char text[512], *end;
    *count = base_text_words(list, text, sizeof text, words, SWEEP_POINTS_MOST);
    if (*count < 1)
        return base_fail(e, BASE_USAGE, "%s: \"%.64s\" is not a list of up to %d numbers; write %s 1,2,4", flag, list,
                         SWEEP_POINTS_MOST, flag);
    for (int i = 0; i < *count; i++) {
        const long x = strtol(words[i], &end, 10);
        if (end == words[i] || *end || x < 1 || x > UNITS_MOST)
            return base_fail(e, BASE_USAGE, "%s: \"%.64s\" is not a whole number from 1 to %d; write %s 1,2,4", flag,
                             words[i], UNITS_MOST, flag);
        n[i] = (int)x;
    }
    return BASE_OK;
}

static int ascending(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Sequences that must divide the batch at n units: one micro-batch on each rank. */
static int64_t portion(const struct sweep_request *r, int64_t n) {
    return (r->mode == RECORD_STRONG ? n : 1) * r->ranks * (r->micro_batch ? r->micro_batch : 1);
}
static bool divides(const struct sweep_request *r, int64_t n) {
    return r->batch % portion(r, n) == 0;
}

/* Fills the nearest counts that divide, and the reason. Only a fixed global batch can divide over some counts alone. */
static void skip(struct sweep_point *p, const struct sweep_request *r) {
    char micro[64] = "", near[64] = "none divides";
    int64_t above = p->n + 1;
    for (p->below = p->n - 1; p->below > 0 && !divides(r, p->below);) p->below--;
    while (portion(r, above) <= r->batch && !divides(r, above)) above++;
    p->above = portion(r, above) <= r->batch ? (int)above : 0;
    if (r->micro_batch) snprintf(micro, sizeof micro, " in micro-batches of %lld", (long long)r->micro_batch);
    if (p->below && p->above)
        snprintf(near, sizeof near, "the nearest that divide are %d and %d", p->below, p->above);
    else if (p->below || p->above)
        snprintf(near, sizeof near, "the nearest that divides is %d", p->below ? p->below : p->above);
    snprintf(p->skipped, sizeof p->skipped, "%lld sequences do not divide over %d rank%s%s; of %s, %s",
             (long long)r->batch, p->ranks, p->ranks == 1 ? "" : "s", micro, sweep_unit_text(r->unit, 2), near);
}

static struct sweep_point point(const struct sweep_request *r, int n) {
    struct sweep_point p = {
        .n = n, .ranks = n * r->ranks, .global_batch = r->mode == RECORD_STRONG ? r->batch : n * r->batch};
    if (!divides(r, n)) skip(&p, r);
    return p;
}

/* 1, 2, 4, ... and all units. */
static int usual(int units, int *n) {
    int count = 0;
    for (int64_t i = 1; i < units && count < SWEEP_POINTS_MOST - 1; i *= 2) n[count++] = (int)i;
    n[count++] = units;
    return count;
}

/* The batch of a unit is the same at every count, so no count helps. */
static int check_unit(const struct sweep_request *r, struct base_error *e) {
    if (r->mode == RECORD_STRONG || divides(r, 1)) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "the %lld sequences of each %s do not divide over its %d ranks%s: start a number of ranks that "
                     "divides them%s",
                     (long long)r->batch, sweep_unit_text(r->unit, 1), r->ranks,
                     r->micro_batch ? " in micro-batches of --mbs" : "", r->micro_batch ? ", or leave out --mbs" : "");
}

static int check_counts(const struct sweep_request *r, const int *n, int count, struct base_error *e) {
    for (int i = 1; i < count; i++)
        if (n[i] == n[i - 1]) return base_fail(e, BASE_USAGE, "--counts: %d is given twice", n[i]);
    if (n[count - 1] <= r->units) return BASE_OK;
    return base_fail(e, BASE_USAGE, "--counts: %d %s, but this run has %d; leave it out, or start more", n[count - 1],
                     sweep_unit_text(r->unit, 2), r->units);
}

int sweep_points_make(struct sweep_points *points, const struct sweep_request *r, const int *n, int count,
                      struct base_error *e) {
    int counts[SWEEP_POINTS_MOST];
    if (count) memcpy(counts, n, (size_t)count * sizeof *n);
    points->count = count ? count : usual(r->units, counts);
    qsort(counts, (size_t)points->count, sizeof *counts, ascending);
    int code = check_counts(r, counts, points->count, e);
    if (!code) code = check_unit(r, e);
    if (code) return code;
    for (int i = 0; i < points->count; i++) points->at[i] = point(r, counts[i]);
    if (sweep_points_running(points)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "no point can run: %d %s: %s", counts[0], sweep_unit_text(r->unit, counts[0]),
                     points->at[0].skipped);
}

static int64_t divisor(int64_t a, int64_t b) {
    while (b) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

int64_t sweep_points_share(const struct sweep_points *points) {
    int64_t share = 0;
    for (int i = 0; i < points->count; i++)
        if (!points->at[i].skipped[0]) share = divisor(share, points->at[i].global_batch / points->at[i].ranks);
    return share;
}

int sweep_points_running(const struct sweep_points *points) {
    int running = 0;
    for (int i = 0; i < points->count; i++) running += !points->at[i].skipped[0];
    return running;
}

int sweep_points_base(const struct sweep_points *points) {
    int i = 0;
    while (points->at[i].skipped[0]) i++;
    return i;
}

json_t *sweep_points_skipped(const struct sweep_points *points) {
    json_t *all = json_array();
    for (int i = 0; i < points->count; i++) {
        const struct sweep_point *p = &points->at[i];
        if (!p->skipped[0]) continue;
        json_t *near = json_array();
        if (p->below) json_array_append_new(near, json_integer(p->below));
        if (p->above) json_array_append_new(near, json_integer(p->above));
        json_array_append_new(all, json_pack("{s:i, s:s, s:o}", "n", p->n, "why", p->skipped, "nearest", near));
    }
    return all;
}
