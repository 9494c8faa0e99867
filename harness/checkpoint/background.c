/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that sleeps until there is a copy to write. */
#define _GNU_SOURCE
#include "checkpoint/background.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "guard/watchdog.h"

enum { PATIENCE_NS = 100000000 }; /* between two looks at its progress */

static void write_files(struct checkpoint_background *b) {
    const double began = base_clock_now();
    b->code = checkpoint_files_write(&b->files, &b->shards, &b->error);
    b->write_s = base_clock_now() - began;
    if (!b->code) b->code = checkpoint_files_check(&b->files, 1, &b->error);
    b->check_s = base_clock_now() - began - b->write_s;
}

static void *run(void *context) {
    struct checkpoint_background *b = context;
    base_thread_beside(b->cpus);
    guard_progress_apart(&b->progress);
    pthread_mutex_lock(&b->lock);
    while (!b->closing) {
        if (!b->writing) {
            pthread_cond_wait(&b->changed, &b->lock);
            continue;
        }
        pthread_mutex_unlock(&b->lock);
        write_files(b);
        pthread_mutex_lock(&b->lock);
        b->writing = false;
        pthread_cond_broadcast(&b->changed);
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

/* The thread gets no signals: they are the main thread's. */
int checkpoint_background_open(struct checkpoint_background *b, struct parallel_engine *g, const struct base_cpus *cpus,
                               struct base_error *e) {
    pthread_condattr_t clock;
    sigset_t all, before;
    *b = (struct checkpoint_background){.engine = g, .cpus = cpus};
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &clock);
    pthread_condattr_destroy(&clock);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int why = pthread_create(&b->thread, NULL, run, b);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    b->started = !why;
    if (why) return base_fail(e, BASE_BROKEN, "--async-save: no thread to write checkpoints: %s", strerror(why));
    pthread_setname_np(b->thread, "checkpoint");
    return BASE_OK;
}

/* Frees what a save needed. */
static void release(struct checkpoint_background *b) {
    checkpoint_shards_close(&b->shards);
    json_decref(b->files.mine);
    b->files.mine = NULL;
    b->saving = false;
}

void checkpoint_background_close(struct checkpoint_background *b) {
    if (!b->started) return;
    pthread_mutex_lock(&b->lock);
    b->closing = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    pthread_join(b->thread, NULL);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    if (b->saving) release(b);
    b->started = false;
}

int checkpoint_background_begin(struct checkpoint_background *b, const char *root, const json_t *about,
                                struct base_error *e) {
    const double began = base_clock_now();
    double unused;
    int code = checkpoint_files_begin(&b->files, b->engine, root, e);
    b->shards = (struct checkpoint_shards){0};
    if (!code) code = checkpoint_shards_open(&b->shards, b->engine, CHECKPOINT_COPIED, e);
    if (!code) code = checkpoint_shards_copy(&b->shards, e);
    if (code) {
        checkpoint_files_end(&b->files, code, NULL, &unused, e);
        release(b);
        return code;
    }
    b->about = about;
    b->saving = true;
    b->copy_s = base_clock_now() - began;
    pthread_mutex_lock(&b->lock);
    b->writing = true;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return BASE_OK;
}

bool checkpoint_background_writes(struct checkpoint_background *b) {
    pthread_mutex_lock(&b->lock);
    const bool writes = b->writing;
    pthread_mutex_unlock(&b->lock);
    return writes;
}

/* The main thread sleeps, so that the other one has its CPU. A disk that hangs is no progress of either. */
static void wait_for(struct checkpoint_background *b) {
    uint64_t before = 0;
    pthread_mutex_lock(&b->lock);
    while (b->writing) {
        struct timespec until;
        const uint64_t now = atomic_load(&b->progress);
        if (now != before) guard_progress();
        before = now;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += PATIENCE_NS;
        until.tv_sec += until.tv_nsec / 1000000000, until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&b->changed, &b->lock, &until);
    }
    pthread_mutex_unlock(&b->lock);
}

int checkpoint_background_end(struct checkpoint_background *b, struct checkpoint_cost *cost, struct base_error *e) {
    struct comm *world = b->engine->world;
    const double began = base_clock_now();
    double any = checkpoint_background_writes(b), bytes;
    world->ops->max(world, &any, 1);
    wait_for(b);
    const double waited = base_clock_now() - began;
    if (any > 0) world->ops->rest(world); /* ranks that have written leave their CPUs to those that write */
    if (b->code) base_fail(e, b->code, "%s", b->error.text);
    int code = comm_agree(world, b->code, e);
    code = checkpoint_files_end(&b->files, code, b->about, &bytes, e);
    double most[] = {b->write_s,
                     b->check_s,
                     checkpoint_shards_buffers(&b->shards),
                     b->copy_s,
                     waited,
                     b->write_s + b->check_s,
                     base_clock_now() - began};
    world->ops->max(world, most, 7);
    *cost = (struct checkpoint_cost){.write_s = most[0],
                                     .check_s = most[1],
                                     .buffers = most[2],
                                     .copy_s = most[3],
                                     .hidden_s = fmax(0, most[5] - most[4]),
                                     .wait_s = most[6],
                                     .bytes = bytes};
    release(b);
    return code;
}
