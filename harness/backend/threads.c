/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds a library to a number of threads, and counts those that work. A library can say one number and use another, so
 * CPU time decides: that of every thread of the process while the library multiplies. */
#define _GNU_SOURCE
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/threads.h"

/* Functions that set the number of threads, and that say it. The lower-case mkl_set_num_threads takes a pointer, as
 * Fortran does; the one here is C's. The last is of the OpenMP that a library uses, toise's or another. BLIS takes 64
 * bits, the others find the lower half. */
static const struct {
    const char *set, *get;
} controls[] = {{"flexiblas_set_num_threads", "flexiblas_get_num_threads"},
                {"openblas_set_num_threads", "openblas_get_num_threads"},
                {"MKL_Set_Num_Threads", "MKL_Get_Max_Threads"},
                {"bli_thread_set_num_threads", "bli_thread_get_num_threads"},
                {"nvpl_blas_set_num_threads", "nvpl_blas_get_max_threads"},
                {"armpl_set_num_threads", "armpl_get_num_threads"},
                {"omp_set_num_threads", "omp_get_max_threads"}};

void backend_hold(struct backend *b) {
    void (*set)(int64_t), (*dynamic)(int64_t);
    int (*get)(void);
    if (backend_find(b, "MKL_Set_Dynamic", &dynamic)) dynamic(0); /* else MKL may take fewer */
    for (size_t i = 0; i < sizeof controls / sizeof *controls && !b->held_by; i++) {
        if (!backend_find(b, controls[i].set, &set)) continue;
        set(b->threads);
        if (!backend_find(b, controls[i].get, &get) || get() <= b->threads) b->held_by = controls[i].set;
    }
}

/* Seconds of one matmul of n x n matrices; negative: no memory. */
static double multiply_s(const struct backend *b, int n) {
    enum { ROW_MAJOR = 101, AS_STORED = 111 };
    float *x = calloc(3 * (size_t)n * (size_t)n, sizeof *x);
    const double start = base_clock_now();
    if (!x) return -1;
    float *const y = x + n * n, *const z = y + n * n;
    b->cblas.sgemm(ROW_MAJOR, AS_STORED, AS_STORED, n, n, n, 1, x, n, y, n, 0, z, n);
    free(x);
    return base_clock_now() - start;
}

/* A size that is worth all threads. */
static int size_least(const struct backend *b) {
    return b->threads <= 8 ? 512 : 1024;
}

void backend_wake(const struct backend *b) {
    multiply_s(b, size_least(b));
}

enum { WATCHED = 8192, TRIES = 4, QUIET_MS = 2000 };

struct watched {
    int id;
    double before, now; /* CPU seconds */
    int only;           /* the CPU that it is pinned to; -1: none */
};

/* The threads of this process while the library works. */
struct watch {
    struct watched *all;
    int count, self; /* the watching thread */
    bool started;    /* later threads are new: they had no CPU time before */
    _Atomic bool stop;
};

/* CPU seconds of a thread; negative: it is gone. The clock's number is that of pthread_getcpuclockid, which takes no
 * ids (Linux, include/linux/posix-timers.h). */
static double cpu_s(int id) {
    struct timespec t;
    if (clock_gettime((clockid_t)(~(unsigned)id << 3 | 6), &t)) return -1;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void look_at(struct watch *w, int id) {
    const double now = cpu_s(id);
    int i = 0;
    while (i < w->count && w->all[i].id != id) i++;
    if (now < 0 || i == WATCHED || id == w->self) return;
    if (i == w->count) w->all[w->count++] = (struct watched){.id = id, .before = w->started ? 0 : now};
    w->all[i].now = now;
    w->all[i].only = base_cpus_only(id);
}

static void look(struct watch *w) {
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *d = folder ? readdir(folder) : NULL; d; d = readdir(folder))
        if (d->d_name[0] != '.') look_at(w, atoi(d->d_name));
    if (folder) closedir(folder);
}

static void *watching(void *context) {
    const struct timespec pause = {.tv_nsec = 500000};
    struct watch *w = context;
    w->self = (int)syscall(SYS_gettid);
    while (!w->stop) {
        look(w);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static double worked_s(const struct watched *w) {
    return w->now - w->before;
}

/* Threads that did over a tenth of what the busiest did, and how many of them are pinned to a CPU of another. */
static void judge(const struct watch *w, int *used, int *crowded) {
    const struct watched *busy[WATCHED];
    double most = 0;
    *used = *crowded = 0;
    for (int i = 0; i < w->count; i++) most = fmax(most, worked_s(&w->all[i]));
    for (int i = 0; i < w->count; i++) {
        const struct watched *one = &w->all[i];
        bool shares = false;
        if (worked_s(one) <= 0.1 * most) continue;
        for (int k = 0; k < *used; k++) shares = shares || (one->only >= 0 && busy[k]->only == one->only);
        busy[(*used)++] = one;
        *crowded += shares;
    }
}

/* One call, of 50 ms or more if memory for it is modest: a library may start other threads for the next call. */
static int size_watched(const struct backend *b) {
    const double call = multiply_s(b, size_least(b));
    const int n = call > 0 ? (int)(size_least(b) * cbrt(0.05 / call)) : 0;
    return n < size_least(b) ? size_least(b) : n > 2048 ? 2048 : n;
}

/* Watches one call. Sets threads_used, and *crowded to the threads pinned to a CPU of another. */
static void watch_call(struct backend *b, struct watched *all, int *crowded) {
    struct watch w = {.all = all};
    const int n = size_watched(b);
    pthread_t thread;
    if (!base_threads_quiet(QUIET_MS)) return;
    look(&w);
    w.started = true;
    if (pthread_create(&thread, NULL, watching, &w)) return;
    multiply_s(b, n);
    w.stop = true;
    pthread_join(thread, NULL);
    look(&w);
    judge(&w, &b->threads_used, crowded);
}

int backend_count(struct backend *b, struct base_error *e) {
    if (!b->cblas.sgemm) return BASE_OK;
    struct watched *all = calloc(WATCHED, sizeof *all);
    int crowded = 0, before = -1;
    /* On a busy machine a thread that still spins can look asleep, and then counts: it is gone the next time. So two
     * counts must agree. */
    for (int i = 0; all && i < TRIES && (b->threads_used != before || b->threads_used > b->threads); i++) {
        before = b->threads_used;
        watch_call(b, all, &crowded);
    }
    free(all);
    if (b->threads_used > b->threads)
        return base_fail(e, BASE_USAGE,
                         "--backend: %s multiplies on %d threads instead of %d%s%s; limit it by its own variable (as "
                         "OMP_NUM_THREADS=%d), or pass --threads %d",
                         b->path, b->threads_used, b->threads, b->held_by ? ", in spite of " : "",
                         b->held_by ? b->held_by : "", b->threads, b->threads_used);
    if (!crowded) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "--backend: threads of %s share a CPU, since it starts them anew for each call, and they inherit "
                     "the CPU of toise's first thread; set OMP_PROC_BIND=false, or take its build with OpenMP",
                     b->path);
}

void backend_warning(const struct backend *b, char *text, size_t size) {
    text[0] = '\0';
    if (!b->threads_used)
        snprintf(text, size, "the threads of %s could not be counted, as other threads of this process never sleep",
                 b->path);
    else if (b->threads_used < b->threads)
        snprintf(text, size, "%s multiplies on %d of %d threads: take a threaded build, or pass --threads %d", b->path,
                 b->threads_used, b->threads, b->threads_used);
}
