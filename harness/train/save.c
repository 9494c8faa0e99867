/* SPDX-License-Identifier: Apache-2.0
 *
 * When checkpoints are saved, what becomes of one that cannot be, and what they cost. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "guard/watchdog.h"
#include "records/set.h"
#include "train/loop.h"
#include "train/record.h"

/* Whether the state after the last step is to be kept. One whose loss or gradient is no number is of no use. */
static bool due(const struct train_loop *l, bool last) {
    const struct train_result *r = l->r;
    const int64_t step = l->engine.updates;
    if (!l->o->save_every || !r->steps || l->unsaved.code) return false;
    if (!isfinite(r->loss[r->steps - 1]) || !isfinite(r->grad_norm[r->steps - 1])) return false;
    return last ? step != l->saved : step % l->o->save_every == 0;
}

/* Room for what one more checkpoint costs. */
static int make_room(struct train_loop *l) {
    struct train_result *r = l->r;
    struct checkpoint_cost *more = realloc(r->saves, (size_t)(r->save_count + 1) * sizeof *more);
    if (more) r->saves = more;
    const int code =
        more ? BASE_OK : base_fail(&l->unsaved, BASE_BROKEN, "out of memory for %d checkpoints", r->save_count);
    return comm_agree(l->world, code, &l->unsaved);
}

/* A checkpoint is complete, or could not be saved. */
static void ended(struct train_loop *l, int code, const struct checkpoint_cost *cost) {
    if (code) {
        l->asked = TRAIN_STOPPED_SAVE;
        return;
    }
    l->r->saves[l->r->save_count++] = *cost;
    if (l->o->keep && l->world->rank == 0) checkpoint_root_keep(l->o->save, l->o->keep, l->o->first_step);
    l->world->ops->barrier(l->world); /* what rank 0 removes is no time of a step */
}

/* Completes what is written in the background, after waiting for it. */
static void finish(struct train_loop *l) {
    struct checkpoint_cost cost;
    if (!l->background.saving) return;
    guard_phase("saving a checkpoint");
    ended(l, checkpoint_background_end(&l->background, &cost, &l->unsaved), &cost);
}

/* aside: while training goes on. Else all threads write, and all is waited for. */
static void begin(struct train_loop *l, bool aside) {
    const struct train_options *o = l->o;
    struct checkpoint_cost cost;
    guard_phase("saving a checkpoint");
    int code = make_room(l);
    l->saved = l->engine.updates;
    if (!aside) {
        if (!code) code = checkpoint_save(&l->engine, o->save, o->about, &cost, &l->unsaved);
        if (!code && l->plan->request.copies) cost.wait_s = cost.write_s + cost.check_s;
        ended(l, code, &cost);
        return;
    }
    if (!code) code = checkpoint_background_begin(&l->background, o->save, o->about, &l->unsaved);
    if (code) ended(l, code, NULL);
}

void train_save(struct train_loop *l) {
    const double began = base_clock_now();
    const bool asked = due(l, false);
    if (!asked && !(l->background.saving && l->written)) return;
    finish(l);
    if (asked && !l->unsaved.code) begin(l, l->plan->request.copies);
    guard_phase(l->first ? "timed steps" : "warm-up");
    l->ended = 0;
    l->r->window_s[TRAIN_WINDOW_SAVE] += base_clock_now() - began;
}

void train_save_last(struct train_loop *l, bool keep) {
    struct train_result *r = l->r;
    int i = r->save_count;
    finish(l);
    if (keep && due(l, true)) begin(l, false);
    for (; i < r->save_count; i++) r->save_end_s += r->saves[i].wait_s;
}

/* Writes a member of each checkpoint's cost, and returns their sum. */
static double set_seconds(json_t *o, const char *key, const struct train_result *r, size_t member) {
    json_t *all = json_array();
    double sum = 0;
    for (int i = 0; i < r->save_count; i++) {
        const double *s = (const double *)(const void *)((const char *)&r->saves[i] + member);
        sum += *s;
        json_array_append_new(all, json_real(*s));
    }
    record_set(o, key, all);
    return sum;
}

/* The stall of a step is the mean of what the ranks waited for, spread over the steps between two checkpoints; what
 * they waited for at the end is apart, since it comes once in a training. */
json_t *train_saves_json(const struct train_result *r, const struct plan *p, const struct train_options *asked,
                         double step_s) {
    json_t *o = json_object();
    const double bytes = r->saves[r->save_count - 1].bytes, n = r->save_count;
    const bool aside = p->request.copies;
    record_set_integer(o, "every", asked->save_every);
    record_set_number(o, "bytes", bytes);
    const double writing = set_seconds(o, "write_s", r, offsetof(struct checkpoint_cost, write_s));
    double stalls = writing + set_seconds(o, "check_s", r, offsetof(struct checkpoint_cost, check_s));
    record_set_number(o, "bytes_per_s", bytes * n / writing);
    if (aside) {
        stalls = set_seconds(o, "copy_s", r, offsetof(struct checkpoint_cost, copy_s)) - r->save_end_s;
        stalls += set_seconds(o, "wait_s", r, offsetof(struct checkpoint_cost, wait_s));
        set_seconds(o, "hidden_s", r, offsetof(struct checkpoint_cost, hidden_s));
        record_set_number(o, "end_s", r->save_end_s);
    }
    const double stall = stalls / n / (double)asked->save_every;
    record_set_number(o, "stall_s_per_step", stall);
    if (step_s > 0) record_set_number(o, "stall_of_step", stall / step_s);
    return o;
}
