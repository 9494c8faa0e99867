/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
 *
 * A sweep over real ranks whose training is played: the groups, the order, records from any rank, and how it ends. And
 * that ranks which wait sleep. */
#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "guard/stop.h"
#include "mpi/support/agreed.h"
#include "records/get.h"
#include "sweep/sweep.h"

static double cpu_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static void nap(double seconds) {
    nanosleep(&(struct timespec){.tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * fmod(seconds, 1))}, NULL);
}

/* The last rank is a second late; a waiting rank that spun would use its core for that second. */
static void waiting_ranks_sleep(struct agreed *a) {
    a->world.ops->rest(&a->world); /* the first one sets up connections */
    const double before = cpu_s();
    if (a->world.rank == a->world.size - 1) nap(1);
    a->world.ops->rest(&a->world);
    const double used = cpu_s() - before;
    if (used > 0.25) fprintf(stderr, "rank %d: %.3f s of CPU time\n", a->world.rank, used);
    agreed_check(a, used <= 0.25, "ranks that wait sleep");
}

/* What the played training knows and does. */
struct played {
    struct agreed *a;
    const struct sweep *s;
    int fails_at, signal_at, failed_at; /* the run that returns an error; is interrupted; FAILED. 0: none */
    int trained, taken, predicted, predicted_after;
    bool good;
};

static int train(void *context, struct comm *group, const struct sweep_run *run, json_t **record,
                 struct base_error *e) {
    struct played *p = context;
    const struct record_scaling at = sweep_scaling(p->s, run);
    const int unit = p->s->units->place / p->s->units->ranks;
    p->good &= group->size == at.n * p->s->units->ranks && unit >= run->first && unit < run->first + at.n;
    p->good &= p->s->done == 0 || (p->s->base.steps == 2 && p->s->base.loss[1] == 4.5 && p->s->base.n == 1);
    p->trained++;
    if (p->s->done + 1 == p->signal_at && group->rank == group->size - 1) raise(SIGTERM);
    if (p->s->done + 1 == p->fails_at) return base_fail(e, BASE_BROKEN, "group of %d broke", group->size);
    const bool failed = p->s->done + 1 == p->failed_at;
    if (group->rank == 0)
        *record = json_pack("{s:s, s:o, s:{s:i}, s:{s:[f,f], s:[f,f]}}", "status", failed ? "FAILED" : "PASSED",
                            "scaling", record_scaling_json(&at), "layout", "world", group->size, "result", "loss", 5.0,
                            4.5, "grad_norm", 2.0, 1.0);
    return BASE_OK;
}

static int take(void *context, const struct sweep_run *run, json_t *record, struct base_error *e) {
    struct played *p = context;
    (void)e;
    p->good &= record_whole(record, "scaling.n") == p->s->points->at[run->point].n;
    p->good &= record_whole(record, "scaling.order") == run->order;
    p->taken++;
    json_decref(record);
    return BASE_OK;
}

static int predict(void *context, struct base_error *e) {
    struct played *p = context;
    (void)e;
    p->predicted++;
    p->predicted_after = p->taken;
    return BASE_OK;
}

enum { REPEATS = 3 };

/* Sweeps 1, 2, 4, ... ranks; returns the code. */
static int sweep(struct agreed *a, struct played *p, double budget_s, char why[192], int *runs) {
    const struct sweep_request r = {
        .mode = RECORD_WEAK, .unit = RECORD_RANK, .batch = 8, .units = a->world.size, .ranks = 1};
    struct base_error e = {0};
    struct sweep_points points;
    struct sweep_order order = {0};
    struct sweep_units units;
    int code = sweep_points_make(&points, &r, NULL, 0, &e);
    if (!code) code = sweep_order_make(&order, &points, r.units, REPEATS, 3, &e);
    if (!code) code = sweep_units_open(&units, &a->world, r.unit, &e);
    agreed_check(a, code == BASE_OK && units.count == a->world.size && units.rank_at[units.place] == a->world.rank,
                 "a sweep opens");
    struct sweep s = {.points = &points,
                      .order = &order,
                      .units = &units,
                      .mode = r.mode,
                      .unit = r.unit,
                      .budget_s = budget_s,
                      .train = train,
                      .take = take,
                      .predict = predict,
                      .context = p};
    p->a = a;
    p->s = &s;
    p->good = true;
    code = sweep_run(&s, &a->world, &e);
    agreed_check(a, p->good, "groups, base and records are right");
    if (code) agreed_check(a, strstr(e.text, "broke") != NULL, "all ranks have the message");
    snprintf(why, 192, "%s", s.why);
    *runs = order.count;
    sweep_close(&s);
    sweep_units_close(&units);
    sweep_order_close(&order);
    return code;
}

static void all_runs(struct agreed *a) {
    struct played p = {0};
    char why[192];
    int runs;
    agreed_check(a, sweep(a, &p, INFINITY, why, &runs) == BASE_OK && !why[0], "a sweep runs to its end");
    const bool first = a->world.rank == 0;
    agreed_check(a, p.taken == (first ? runs : 0), "rank 0 takes every record");
    agreed_check(a, p.predicted == (first && a->world.size > 1), "it predicts once");
    if (first && a->world.size > 1)
        agreed_check(a, p.predicted_after == runs / REPEATS - 1, "before the largest point runs");
    else
        agreed_check(a, true, "");
}

static void ends_early(struct agreed *a) {
    struct played broken = {.fails_at = 2}, failed = {.failed_at = 1}, late = {0}, stopped = {.signal_at = 2};
    const bool first = a->world.rank == 0;
    char why[192];
    int runs;
    agreed_check(a, sweep(a, &broken, INFINITY, why, &runs) == BASE_BROKEN, "an error of a group is all ranks'");
    agreed_check(a, broken.taken == first, "what was measured before is kept");
    agreed_check(a, sweep(a, &failed, INFINITY, why, &runs) == BASE_OK, "a base that FAILED is no error");
    agreed_check(a, strstr(why, "the base has no losses") && failed.taken == first, "but ends the sweep");
    agreed_check(a, sweep(a, &late, 0, why, &runs) == BASE_OK, "a budget that is spent is no error");
    agreed_check(a, strstr(why, "the budget of 0 s ended it after 1 of") && late.taken == first, "but ends the sweep");
    guard_stop_watch(); /* for good, so this comes last */
    agreed_check(a, sweep(a, &stopped, INFINITY, why, &runs) == BASE_OK, "a signal is no error");
    agreed_check(a, strstr(why, "SIGTERM ended it after 2 of") && stopped.taken == 2 * first,
                 "but ends the sweep on all ranks");
}

int main(void) {
    struct agreed a;
    agreed_open(&a);
    waiting_ranks_sleep(&a);
    all_runs(&a);
    ends_early(&a);
    return agreed_close(&a);
}
