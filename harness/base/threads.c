/* SPDX-License-Identifier: Apache-2.0
 *
 * Sets affinity by Linux scheduler calls, made from inside the OpenMP threads themselves. */
#define _GNU_SOURCE
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/places.h"
#include "base/threads.h"

enum { MASK_BYTES = BASE_CPUS_MAX / 8 };

union mask {
    cpu_set_t set; /* cpu_set_t ends at 1024 CPUs; `bytes` extends it */
    unsigned char bytes[MASK_BYTES];
};

/* If OpenMP was told to place threads, it bound the first one before main; so add all its places. */
static void add_places(union mask *m) {
    int ids[BASE_CPUS_MAX];
    for (int p = 0; p < omp_get_num_places(); p++) {
        const int n = omp_get_place_num_procs(p);
        if (n > BASE_CPUS_MAX) continue;
        omp_get_place_proc_ids(p, ids);
        for (int i = 0; i < n; i++) CPU_SET_S((size_t)ids[i], sizeof *m, &m->set);
    }
}

/* Unknown: all online CPUs. */
static void list(const union mask *m, bool known, struct base_cpus *cpus) {
    cpus->count = 0;
    for (int i = 0; i < BASE_CPUS_MAX; i++)
        if (known ? CPU_ISSET_S((size_t)i, sizeof *m, &m->set) : i < base_cpus_online()) cpus->cpu[cpus->count++] = i;
}

void base_cpus_mask(struct base_cpus *mask) {
    union mask m;
    memset(&m, 0, sizeof m);
    const bool known = sched_getaffinity(0, sizeof m, &m.set) == 0;
    add_places(&m);
    list(&m, known, mask);
}

/* Sets a mask of all CPUs, which the kernel reduces to the cpuset, and reads it back. */
void base_cpus_usable(struct base_cpus *cpus) {
    union mask before, m;
    memset(&before, 0, sizeof before);
    memset(&m, 0xff, sizeof m);
    bool known = sched_getaffinity(0, sizeof before, &before.set) == 0;
    known = known && sched_setaffinity(0, sizeof m, &m.set) == 0;
    memset(&m, 0, sizeof m);
    known = known && sched_getaffinity(0, sizeof m, &m.set) == 0;
    if (known) sched_setaffinity(0, sizeof before, &before.set);
    list(&m, known, cpus);
}

static void confine(const struct base_cpus *cpus) {
    union mask m;
    memset(&m, 0, sizeof m);
    for (int i = 0; i < cpus->count; i++) CPU_SET_S((size_t)cpus->cpu[i], sizeof m, &m.set);
    if (cpus->count > 0) sched_setaffinity(0, sizeof m, &m.set);
}

void base_cpus_confine(const struct base_cpus *cpus) {
    if (!base_places_given()) confine(cpus);
}

/* A thread inherits the mask of the one that starts it, which is a computing thread's single CPU: there it would stop
 * that thread, and so its whole team, for as long as it works. On all CPUs of the rank it finds one that is idle.
 * If every CPU computes, each second that it takes is one for which a team waits, wherever it runs. So it asks for
 * less: it takes what compute threads leave while they sleep, and a tenth of a CPU otherwise. That makes many steps a
 * little longer, instead of a few twice as long. Much less would not end before the next save is due.
 * Where the user placed threads, OpenMP binds one to the first place when its first parallel region begins, so the mask
 * is set within such a region. */
void base_thread_beside(const struct base_cpus *cpus) {
    enum { LESS = 10 }; /* nice: Linux gives a tenth of the weight, and to this thread alone */
#pragma omp parallel num_threads(1)
    confine(cpus);
    (void)!nice(LESS);
}

bool base_cpus_of(int id, struct base_cpus *cpus) {
    union mask m;
    memset(&m, 0, sizeof m);
    if (sched_getaffinity(id, sizeof m, &m.set)) return false;
    list(&m, true, cpus);
    return true;
}

int base_cpus_only(int id) {
    struct base_cpus cpus;
    return base_cpus_of(id, &cpus) && cpus.count == 1 ? cpus.cpu[0] : -1;
}

int base_cpus_online(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

void base_cpus_share(const struct base_cpus *mask, int index, int count, struct base_cpus *share) {
    long long n = mask->count;
    int low = (int)(n * index / count), high = (int)(n * (index + 1) / count);
    if (high == low) high = low + 1;
    share->count = high - low;
    memmove(share->cpu, mask->cpu + low, (size_t)share->count * sizeof share->cpu[0]);
}

/* The CPUs of thread `thread`. */
static void mask_of(const struct base_cpus *cpus, const int *groups, int thread, union mask *m) {
    memset(m, 0, sizeof *m);
    for (int i = 0; i < cpus->count; i++)
        if (i == thread || (groups && groups[i] == groups[thread])) CPU_SET_S((size_t)cpus->cpu[i], sizeof *m, &m->set);
}

bool base_threads_pin(const struct base_cpus *cpus, const int *groups, int threads) {
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
    if (!cpus || threads > cpus->count || base_places_given()) return false;
    int failed = threads; /* threads not pinned; OpenMP may also start fewer threads than asked */
#pragma omp parallel num_threads(threads)
    {
        union mask before, mine;
        memset(&before, 0, sizeof before);
        mask_of(cpus, groups, omp_get_thread_num(), &mine);
        bool known = sched_getaffinity(0, sizeof before, &before.set) == 0;
        bool pinned = known && sched_setaffinity(0, sizeof mine, &mine.set) == 0;
        if (pinned) {
#pragma omp atomic
            failed--;
        }
#pragma omp barrier
        if (pinned && failed > 0) sched_setaffinity(0, sizeof before, &before.set); /* pin all threads or none */
    }
    return failed == 0;
}

bool base_threads_quiet(int most_ms) {
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < most_ms; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        nanosleep(&pause, NULL);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        const long used = (after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec - before.tv_nsec;
        if (used < pause.tv_nsec / 5) return true;
    }
    return false;
}

void base_cpus_text(const struct base_cpus *cpus, char *text, int size) {
    int used = 0;
    if (size > 0) text[0] = '\0';
    for (int i = 0; i < cpus->count && used < size;) {
        int last = i;
        while (last + 1 < cpus->count && cpus->cpu[last + 1] == cpus->cpu[last] + 1) last++;
        const char *comma = i > 0 ? "," : "";
        used += last == i
                    ? snprintf(text + used, (size_t)(size - used), "%s%d", comma, cpus->cpu[i])
                    : snprintf(text + used, (size_t)(size - used), "%s%d-%d", comma, cpus->cpu[i], cpus->cpu[last]);
        i = last + 1;
    }
}
