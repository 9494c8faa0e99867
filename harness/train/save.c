/* SPDX-License-Identifier: Apache-2.0
 *
 * When checkpoints are saved, and what becomes of one that cannot be. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "guard/watchdog.h"
#include "train/loop.h"

/* Whether the state after the last step is to be kept. One whose loss or gradient is no number is of no use. */
static bool due(const struct train_loop *l, bool last) {
    const struct train_result *r = l->r;
    const int64_t step = l->engine.updates;
    if (!l->o->save_every || !r->steps || l->unsaved.code) return false;
    if (!isfinite(r->loss[r->steps - 1]) || !isfinite(r->grad_norm[r->steps - 1])) return false;
    return last ? step != l->saved : step % l->o->save_every == 0;
}

void train_save(struct train_loop *l, bool last) {
    struct train_result *r = l->r;
    const double began = base_clock_now();
    struct checkpoint_cost cost;
    if (!due(l, last)) return;
    guard_phase("saving a checkpoint");
    struct checkpoint_cost *more = realloc(r->saves, (size_t)(r->save_count + 1) * sizeof *more);
    int code = more ? BASE_OK : base_fail(&l->unsaved, BASE_BROKEN, "out of memory for %d checkpoints", r->save_count);
    if (more) r->saves = more;
    code = comm_agree(l->world, code, &l->unsaved);
    if (!code) code = checkpoint_save(&l->engine, l->o->save, l->o->about, &cost, &l->unsaved);
    if (code) {
        l->asked = TRAIN_STOPPED_SAVE;
    } else {
        r->saves[r->save_count++] = cost;
        l->saved = l->engine.updates;
        if (l->o->keep && l->world->rank == 0) checkpoint_root_keep(l->o->save, l->o->keep, l->o->first_step);
        l->world->ops->barrier(l->world); /* what rank 0 removes is no time of a step */
    }
    if (!last) guard_phase(l->first ? "timed steps" : "warm-up");
    l->ended = 0;
    if (!last) r->window_s[TRAIN_WINDOW_SAVE] += base_clock_now() - began;
}
