/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread for each source, so that a slow command delays no counter. */
#define _GNU_SOURCE
#include "energy/sampler.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"

enum { STACK_BYTES = 1 << 20 }; /* of a thread: what a command prints is there */
static const double tail_s = 1;

static struct timespec add(struct timespec t, double seconds) {
    const double whole = floor(seconds);
    t.tv_sec += (time_t)whole;
    t.tv_nsec += (long)(1e9 * (seconds - whole));
    if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
    return t;
}

static bool before(struct timespec a, struct timespec b) {
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Waits until `until`; true: to be stopped. */
static bool wait_until(struct energy_sampler *s, struct timespec until) {
    pthread_mutex_lock(&s->lock);
    while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &until) != ETIMEDOUT) continue;
    const bool stop = s->stop;
    pthread_mutex_unlock(&s->lock);
    return stop;
}

/* Whether each counted channel has a point after time t. */
static bool reached(const struct energy_source *s, double t) {
    for (int i = 0; i < s->count; i++) {
        const struct energy_meter *m = &s->channel[i].meter;
        if (s->channel[i].counted && (m->count == 0 || m->at[m->count - 1] <= t)) return false;
    }
    return true;
}

static void last_readings(struct energy_source *source) {
    const double ended = base_clock_now();
    do {
        energy_source_read(source);
        if (energy_readers[source->kind].command || reached(source, ended)) return;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = (long)(1e9 * source->period_s / 2)}, NULL);
    } while (base_clock_now() < ended + tail_s);
}

/* CPU seconds of this thread; of commands also the children's, which no other thread starts meanwhile. */
static double used(bool command) {
    struct timespec own = {0};
    struct rusage u = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    if (command) getrusage(RUSAGE_CHILDREN, &u);
    return (double)own.tv_sec + 1e-9 * (double)own.tv_nsec + (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void *sample(void *context) {
    struct energy_sampler *s = context;
    struct energy_source *source = s->source;
    const bool command = energy_readers[source->kind].command;
    const double started = used(command);
    struct timespec next, now;
    clock_gettime(CLOCK_MONOTONIC, &next);
    do {
        energy_source_read(source);
        clock_gettime(CLOCK_MONOTONIC, &now);
        next = add(next, source->period_s);
        if (before(next, now)) next = now; /* late: no burst to catch up */
    } while (!wait_until(s, next));
    last_readings(source);
    source->cpu_s = used(command) - started;
    return NULL;
}

static void set_cpus(pthread_attr_t *attributes, const struct base_cpus *cpus) {
    cpu_set_t *set = cpus && cpus->count ? CPU_ALLOC(BASE_CPUS_MAX) : NULL;
    const size_t size = CPU_ALLOC_SIZE(BASE_CPUS_MAX);
    if (!set) return;
    CPU_ZERO_S(size, set);
    for (int i = 0; i < cpus->count; i++) CPU_SET_S((size_t)cpus->cpu[i], size, set);
    pthread_attr_setaffinity_np(attributes, size, set);
    CPU_FREE(set);
}

void energy_sampler_start(struct energy_sampler *s, struct energy_source *source, const struct base_cpus *cpus) {
    pthread_attr_t attributes;
    pthread_condattr_t clock;
    s->source = source;
    s->stop = false;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    set_cpus(&attributes, cpus);
    const int why = pthread_create(&s->thread, &attributes, sample, s);
    pthread_attr_destroy(&attributes);
    s->running = why == 0;
    if (why) energy_source_fault(source, ENERGY_FAULT, "no thread to read it: %s", strerror(why));
}

void energy_sampler_end(struct energy_sampler *s) {
    if (!s->running) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void energy_sampler_join(struct energy_sampler *s) {
    if (!s->running) return;
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    s->running = false;
}
