/* SPDX-License-Identifier: Apache-2.0
 *
 * What a comm's meter says: it runs while something is in flight and while a call waits, of that comm alone, and stands
 * still otherwise. */
#include <time.h>

#include "base/clock.h"
#include "mpi/support/agreed.h"

enum { COUNT = 1 << 16 };
static float x[COUNT], y[COUNT];

static void nap(double s) {
    nanosleep(&(struct timespec){.tv_nsec = (long)(s * 1e9)}, NULL);
}

/* Checks use the world, so its meter is off meanwhile. */
static struct comm_meter stop(struct comm *w) {
    const struct comm_meter m = *w->meter;
    w->meter = NULL;
    return m;
}
static void start(struct comm *w, struct comm_meter *m) {
    w->ops->barrier(w);
    *m = (struct comm_meter){0};
    w->meter = m;
}

int main(void) {
    struct agreed a;
    struct comm pair;
    struct comm_request request, other;
    struct comm_meter all = {0}, mine = {0}, m;
    struct base_error e;
    agreed_open(&a);
    struct comm *w = &a.world;
    const bool several = w->size > 1, last = w->rank == w->size - 1;
    w->meter = &all;
    if (comm_split(w, w->rank / 2, w->rank, &pair, &e)) comm_abort(w, BASE_BROKEN);
    stop(w);
    agreed_check(&a, !pair.meter, "a group starts without a meter");
    pair.meter = &mine;

    /* in flight from its start on, until its end is noticed; the last rank comes late, so the others wait for it */
    start(w, &all);
    double began = base_clock_now();
    if (last) nap(0.05);
    w->ops->all_reduce_start(w, x, COUNT, KERNEL_F32, &request);
    w->ops->wait(w, &request);
    double took = base_clock_now() - began;
    m = stop(w);
    agreed_check(&a, m.flying == 0 && m.busy_s >= 0 && m.waited_s >= 0, "nothing is left in flight");
    agreed_check(&a, m.busy_s <= took && m.waited_s <= took, "no more than the clock");
    agreed_check(&a, !several || last || (m.busy_s > 0.04 && m.waited_s > 0.04), "waiting for a rank");
    agreed_check(&a, mine.busy_s == 0 && mine.waited_s == 0, "another comm's meter stands still");

    /* two at once are not counted twice; what was not waited for is in flight, and not exposed */
    start(w, &all);
    began = base_clock_now();
    if (last) nap(0.05); /* then two are in flight for as long, on the others */
    w->ops->all_reduce_start(w, x, COUNT, KERNEL_F32, &request);
    w->ops->all_reduce_start(w, y, COUNT, KERNEL_F32, &other);
    for (int i = 0; i < 200; i++) nap(1e-4), w->ops->progress(w);
    const double flown = base_clock_now() - began;
    w->ops->wait(w, &other), w->ops->wait(w, &request);
    took = base_clock_now() - began;
    m = stop(w);
    agreed_check(&a, m.flying == 0 && m.busy_s <= took && (!several || m.busy_s > 0), "two at once");
    agreed_check(&a, m.waited_s <= took - flown, "progress is not waiting");

    /* messages and small sums */
    start(w, &all);
    const int peer = pair.size > 1 ? 1 - pair.rank : pair.rank;
    pair.ops->receive_start(&pair, y, sizeof y, peer, 3, &other);
    pair.ops->send_start(&pair, x, sizeof x, peer, 3, &request);
    pair.ops->wait(&pair, &other), pair.ops->wait(&pair, &request);
    double sum = 1;
    pair.ops->sum(&pair, &sum, 1);
    m = stop(w);
    agreed_check(&a, mine.flying == 0 && mine.busy_s > 0 && mine.waited_s > 0 && sum == pair.size, "a pair's messages");
    agreed_check(&a, m.busy_s == 0 && m.waited_s == 0, "the world's meter stands still");
    comm_close(&pair);
    return agreed_close(&a);
}
