/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes a journal. The caller fills a ring of bytes, a thread empties it into the file. Only the caller moves the
 * ring's head and only the thread its tail, so neither waits for the other. */
#include "guard/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "guard/journal_line.h"
#include "guard/watchdog.h"

enum { ROOM = 4 << 20, PAUSE_MS = 200 }; /* bytes of the ring; least time between two syncs */

struct guard_journal {
    char path[PATH_MAX];
    int file;
    struct base_cpus cpus; /* count 0: those of the caller */
    char *ring;
    _Atomic size_t head, tail; /* bytes added and acknowledged so far */
    _Atomic long acknowledged, syncs;
    _Atomic double sync_s, slowest_sync_s, cpu_s;
    _Atomic int failed;
    atomic_bool closing, ended; /* asked to end; the thread has */
    sem_t more;                 /* there is something to write */
    int hurry;                  /* an event: do not pause any longer; -1: it pauses to its end */
    pthread_t thread;
    _Atomic long added;
    _Atomic double add_s;
};

/* Writes the bytes up to `end`. Returns 0 or errno. */
static int write_until(struct guard_journal *j, size_t end) {
    for (size_t at = j->tail; at != end;) {
        const size_t offset = at % ROOM, left = end - at, whole = ROOM - offset < left ? ROOM - offset : left;
        const ssize_t done = write(j->file, j->ring + offset, whole); /* short only if the disk is full */
        if (done < 0 && errno != EINTR) return errno;
        if (done > 0) at += (size_t)done;
    }
    return fsync(j->file) ? errno : 0;
}

static long lines_between(const struct guard_journal *j, size_t at, size_t end) {
    long lines = 0;
    for (; at != end; at++) lines += j->ring[at % ROOM] == '\n';
    return lines;
}

static void empty(struct guard_journal *j) {
    const size_t end = j->head;
    struct timespec used = {0};
    if (end == j->tail) return;
    const double start = base_clock_now();
    const int why = write_until(j, end);
    const double took = base_clock_now() - start;
    j->sync_s = j->sync_s + took;
    if (took > j->slowest_sync_s) j->slowest_sync_s = took;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    j->cpu_s = (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
    if (why) {
        j->failed = why;
        return;
    }
    j->syncs++;
    j->acknowledged += lines_between(j, j->tail, end);
    j->tail = end;
}

/* Many short steps share a sync, so that the thread takes no CPU time from them. */
static void pause_for(const struct guard_journal *j) {
    struct pollfd hurry = {.fd = j->hurry, .events = POLLIN};
    poll(&hurry, 1, PAUSE_MS);
}

static void *run(void *context) {
    struct guard_journal *j = context;
    if (j->cpus.count) base_cpus_confine(&j->cpus);
    while (!j->failed) {
        while (sem_wait(&j->more) && errno == EINTR) continue;
        const bool closing = j->closing; /* asked before the last look at the ring */
        empty(j);
        if (closing) break;
        pause_for(j);
    }
    j->ended = true; /* from here on *j is the caller's */
    return NULL;
}

/* The thread gets no signals: they are the caller's. */
static int start(struct guard_journal *j) {
    sigset_t all, before;
    sigfillset(&all);
    sem_init(&j->more, 0, 0);
    j->hurry = eventfd(0, EFD_CLOEXEC);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int why = pthread_create(&j->thread, NULL, run, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return why;
}

static void release(struct guard_journal *j) {
    if (j->file >= 0) close(j->file);
    if (j->hurry >= 0) close(j->hurry);
    free(j->ring);
    free(j);
}

/* Some file systems have no locks; then nobody is refused. */
static bool locked(int file) {
    return flock(file, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR);
}

/* Syncs the folder, or the name of a new file may be lost. */
static void sync_folder(const char *folder) {
    const int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (at >= 0) fsync(at), close(at);
}

static int open_file(struct guard_journal *j, struct base_error *e) {
    char above[PATH_MAX];
    struct stat found = {0};
    const bool there = base_file_parents(j->path, above);
    j->file = there ? open(j->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666) : -1;
    if (j->file < 0)
        return base_fail(e, BASE_USAGE, "%s: the journal cannot be written: %s: give another --journal-dir", j->path,
                         strerror(errno));
    if (!locked(j->file))
        return base_fail(e, BASE_USAGE, "%s: another process writes this journal: wait for its end", j->path);
    fstat(j->file, &found);
    struct guard_journal_text text = {0};
    int code = found.st_size || !S_ISREG(found.st_mode) ? guard_journal_read(j->path, &text, e) : BASE_OK;
    json_decref(text.lines);
    if (!code && text.torn && ftruncate(j->file, text.whole))
        code = base_fail(e, BASE_USAGE, "%s: the torn end cannot be cut off: %s", j->path, strerror(errno));
    if (!code) sync_folder(above);
    return code;
}

int guard_journal_open(struct guard_journal **journal, const char *path, const struct base_cpus *cpus,
                       struct base_error *e) {
    struct guard_journal *j = calloc(1, sizeof *j);
    if (!j) return base_fail(e, BASE_BROKEN, "out of memory for a journal");
    j->file = j->hurry = -1;
    snprintf(j->path, sizeof j->path, "%s", path);
    if (cpus) j->cpus = *cpus;
    int code = (j->ring = malloc(ROOM)) ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a journal");
    if (!code) code = open_file(j, e);
    const int why = code ? 0 : start(j);
    if (why) code = base_fail(e, BASE_BROKEN, "%s: no thread to write the journal: %s", path, strerror(why));
    if (code) {
        release(j);
        return code;
    }
    *journal = j;
    return BASE_OK;
}

static bool put(struct guard_journal *j, const char *line, size_t length) {
    const size_t head = j->head, offset = head % ROOM, first = ROOM - offset < length ? ROOM - offset : length;
    if (length > ROOM) j->failed = EMSGSIZE; /* it would never fit */
    if (j->failed || length > ROOM - (head - j->tail)) return false;
    memcpy(j->ring + offset, line, first);
    memcpy(j->ring, line + first, length - first);
    j->head = head + length;
    j->added++;
    sem_post(&j->more);
    return true;
}

bool guard_journal_add(struct guard_journal *j, json_t *object) {
    const double began = base_clock_now();
    size_t length;
    char *line = j->failed ? NULL : guard_journal_line(object, &length);
    const bool taken = line && put(j, line, length);
    free(line);
    json_decref(object);
    j->add_s = j->add_s + base_clock_now() - began;
    return taken;
}

void guard_journal_state(const struct guard_journal *j, struct guard_journal_state *state) {
    *state = (struct guard_journal_state){.added = j->added,
                                          .acknowledged = j->acknowledged,
                                          .syncs = j->syncs,
                                          .sync_s = j->sync_s,
                                          .slowest_sync_s = j->slowest_sync_s,
                                          .add_s = j->add_s,
                                          .cpu_s = j->cpu_s,
                                          .failed = j->failed};
}

int guard_journal_close(struct guard_journal *j, double patience_s, struct guard_journal_state *state,
                        struct base_error *e) {
    const double until = base_clock_now() + patience_s;
    const uint64_t one = 1;
    struct guard_journal_state last;
    if (!j) return BASE_OK;
    j->closing = true;
    sem_post(&j->more);
    if (j->hurry >= 0) (void)!write(j->hurry, &one, sizeof one);
    for (; !j->ended && base_clock_now() < until; usleep(1000)) guard_progress();
    const bool late = !j->ended;
    if (!late) pthread_join(j->thread, NULL);
    guard_journal_state(j, &last);
    if (late && !last.failed) last.failed = ETIMEDOUT;
    if (state) *state = last;
    const int code = !last.failed ? BASE_OK
                                  : base_fail(e, BASE_BROKEN,
                                              "%s: the journal holds %ld of %ld lines: %s: give another --journal-dir",
                                              j->path, last.acknowledged, last.added,
                                              late ? "its folder does not answer" : strerror(last.failed));
    if (late)
        pthread_detach(j->thread); /* it still uses *j, which is left to it */
    else
        release(j);
    return code;
}
