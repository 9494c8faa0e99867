/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog's thread, and how it ends the process. */
#define _GNU_SOURCE
#include "guard/watchdog.h"

#include <limits.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/threads.h"
#include "guard/judge.h"
#include "guard/peers.h"

enum { STACK_BYTES = 1 << 20, PATIENCE_S = 20 };
static const double GRACE_S = 1;     /* in which the ranks of a node begin to end by themselves */
static const double LAST_S = 2;      /* that their `last` may take then */
static const double BUSY_S = 0.0005; /* CPU seconds of a tick: the main thread works */

/* Of this process. A thread cannot be told what to end otherwise. */
static struct {
    struct guard_place place;
    struct guard_board board;
    struct guard_judge judge;
    struct guard_peers peers;
    struct guard_slot *slot; /* this rank's; NULL: closed */
    int wake;                /* -1: none */
    pthread_t thread;
    clockid_t main_cpu; /* the main thread's CPU time */
    bool running;
    double timeout_s, cpu_s; /* cpu_s: of the main thread, at the last look */
    guard_last *last;
    void *context;
} g = {.board.file = -1, .peers.socket = -1, .wake = -1};

static _Thread_local _Atomic uint64_t *apart; /* NULL: of the main thread */

void guard_progress_apart(_Atomic uint64_t *count) {
    apart = count;
}

void guard_progress(void) {
    if (apart) atomic_fetch_add_explicit(apart, 1, memory_order_relaxed);
    if (apart || !g.slot) return;
    const uint64_t so_far = atomic_load_explicit(&g.slot->progress, memory_order_relaxed);
    atomic_store_explicit(&g.slot->progress, so_far + 1, memory_order_relaxed);
}

void guard_phase(const char *name) {
    if (!g.slot) return;
    guard_slot_set_phase(g.slot, name);
    guard_progress();
}

void guard_step(int64_t step) {
    if (!g.slot) return;
    atomic_store_explicit(&g.slot->step, step, memory_order_relaxed);
    guard_progress();
}

void guard_waiting(bool waiting) {
    if (!g.slot) return;
    atomic_store_explicit(&g.slot->waiting, waiting, memory_order_relaxed);
    guard_progress();
}

/* While `last` runs, the main thread may not free what it reads. */
static pthread_mutex_t lasting = PTHREAD_MUTEX_INITIALIZER;

void guard_watchdog_last(guard_last *last, void *context) {
    pthread_mutex_lock(&lasting);
    g.last = last, g.context = context;
    pthread_mutex_unlock(&lasting);
}

int guard_watchdog_host(const struct guard_place *place, struct guard_host *host, struct base_error *e) {
    const int code = guard_peers_host(host, place->nodes, &g.peers.socket, e);
    host->first_rank = place->rank, host->ranks = place->local_size;
    return code;
}

int guard_watchdog_make(const struct guard_place *place, const struct guard_host *hosts, uint64_t token,
                        struct guard_key *key, struct base_error *e) {
    return guard_board_make(&g.board, place->local_size, hosts, place->nodes, token, key, e);
}

int guard_watchdog_join(const struct guard_place *place, const struct guard_key *key, struct base_error *e) {
    struct guard_host here;
    const bool leader = place->local_rank == 0;
    int code = leader ? BASE_OK : guard_board_join(&g.board, key, e);
    if (!code && !leader) code = guard_peers_host(&here, place->nodes, &g.peers.socket, e);
    if (code) return code;
    g.place = *place;
    struct guard_slot *slot = &g.board.slot[place->local_rank];
    atomic_store(&slot->rank, place->rank);
    atomic_store(&slot->pid, getpid());
    atomic_store(&slot->step, -1);
    atomic_store(&slot->life, GUARD_RUNS);
    return BASE_OK;
}

/* The launcher may be gone, and with it whoever reads: so wait for room, but not for ever. */
void guard_watchdog_say(const char *format, ...) {
    char line[PIPE_BUF]; /* a pipe with room has room for so much */
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    va_list values;
    va_start(values, format);
    int n = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    if (n >= (int)sizeof line) n = sizeof line - 1;
    if (n > 0 && poll(&room, 1, 1000) == 1) (void)!write(STDERR_FILENO, line, (size_t)n);
}

/* Kills the other ranks of this node that do not end by themselves: they are stopped, hang in the kernel, or their
 * `last` takes too long. */
static void kill_rest(void) {
    const double began = base_clock_now();
    for (int left = 1; left; usleep(20000)) {
        const double waited = base_clock_now() - began;
        left = 0;
        for (int i = 0; i < g.board.slots; i++) {
            const struct guard_slot *slot = &g.board.slot[i];
            const int life = atomic_load(&slot->life), pid = atomic_load(&slot->pid);
            if (slot == g.slot || (life != GUARD_RUNS && life != GUARD_ENDING) || !guard_process_state(pid)) continue;
            if (waited <= GRACE_S + (life == GUARD_ENDING ? LAST_S : 0))
                left++;
            else
                kill(pid, SIGKILL);
        }
    }
}

/* `found`: by this rank, not told by another one. */
static void end(struct guard_verdict v, bool found) __attribute__((noreturn));
static void end(struct guard_verdict v, bool found) {
    char text[512];
    signal(SIGALRM, SIG_DFL);
    alarm(PATIENCE_S); /* whatever blocks below */
    const bool first = guard_board_decide(&g.board, &v), leader = g.place.local_rank == 0;
    for (int i = 0; !first && i < 100 && !guard_board_verdict(&g.board, &v); i++) usleep(1000);
    atomic_store(&g.slot->life, GUARD_ENDING);
    if (found || leader) guard_peers_end(&g.peers, &v);
    guard_verdict_text(&v, text, sizeof text);
    if (first && (found || g.place.node == 0)) guard_watchdog_say("toise: %s. All ranks end\n", text);
    pthread_mutex_lock(&lasting); /* for good */
    if (g.last) g.last(g.context, &v, text);
    base_child_kill();
    if (first) kill_rest();
    _exit(BASE_BROKEN);
}

/* Outside of steps, and not while it waits: MPI may spin. Workers that spin do not count. */
static void count_cpu_time(void) {
    struct timespec used = {0};
    clock_gettime(g.main_cpu, &used);
    const double now = (double)used.tv_sec + 1e-9 * (double)used.tv_nsec;
    const bool busy = now - g.cpu_s >= BUSY_S && atomic_load(&g.slot->step) < 0 && !atomic_load(&g.slot->waiting);
    if (busy) atomic_fetch_add_explicit(&g.slot->progress, 1, memory_order_relaxed);
    g.cpu_s = now;
}

static void look(double elapsed_s) {
    struct guard_verdict v;
    atomic_fetch_add_explicit(&g.slot->beats, 1, memory_order_relaxed);
    count_cpu_time();
    if (guard_board_verdict(&g.board, &v)) end(v, false);
    if (guard_judge_look(&g.judge, &g.board, elapsed_s, &v)) end(v, true);
    if (g.place.local_rank) return;
    char phase[GUARD_NAME];
    guard_slot_phase(g.slot, phase);
    guard_peers_tell(&g.peers, elapsed_s,
                     &(struct guard_news){guard_judge_still(&g.judge, &g.board), atomic_load(&g.slot->step), phase});
    if (guard_peers_judge(&g.peers, g.timeout_s, &v)) end(v, true);
}

/* Looks once a tick, and hears what other nodes say at once. */
static void *watch(void *unused) {
    static struct base_cpus cpus;
    struct pollfd fd[] = {{.fd = g.peers.socket, .events = POLLIN}, {.fd = g.wake, .events = POLLIN}};
    double before = base_clock_now(), now = before;
    (void)unused;
    base_cpus_usable(&cpus); /* any core that is idle, not the one that this rank computes on */
    base_cpus_confine(&cpus);
    while (!fd[1].revents) {
        struct guard_verdict v;
        const double left = before + GUARD_TICK_S - now;
        poll(fd, 2, left > 0 ? (int)ceil(1e3 * left) : 0);
        if (guard_peers_hear(&g.peers, &v)) end(v, false);
        now = base_clock_now();
        if (now < before + GUARD_TICK_S) continue;
        look(now - before);
        before = now;
    }
    return NULL;
}

int guard_watchdog_start(double timeout_s, struct base_error *e) {
    pthread_attr_t attributes;
    sigset_t all, usual;
    g.timeout_s = timeout_s;
    guard_peers_open(&g.peers, g.peers.socket, g.place.node, g.place.nodes, g.board.hosts, g.board.token);
    int code = guard_judge_open(&g.judge, &g.board, &g.place, timeout_s, e);
    if (code) return code;
    if (pthread_getcpuclockid(pthread_self(), &g.main_cpu)) g.main_cpu = CLOCK_PROCESS_CPUTIME_ID;
    g.slot = &g.board.slot[g.place.local_rank];
    g.wake = eventfd(0, EFD_CLOEXEC);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all); /* the main thread handles signals */
    pthread_sigmask(SIG_SETMASK, &all, &usual);
    const int why = g.wake < 0 ? 1 : pthread_create(&g.thread, &attributes, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &usual, NULL);
    pthread_attr_destroy(&attributes);
    g.running = !why;
    if (g.running) pthread_setname_np(g.thread, "watchdog");
    return why ? base_fail(e, BASE_BROKEN, "--timeout: no thread for the watchdog; --timeout 0 does without") : BASE_OK;
}

void guard_watchdog_close(void) {
    const uint64_t one = 1;
    if (g.board.shared) atomic_store(&g.board.slot[g.place.local_rank].life, GUARD_LEFT);
    if (g.running) {
        (void)!write(g.wake, &one, sizeof one);
        pthread_join(g.thread, NULL);
        if (g.place.local_rank == 0) guard_peers_end(&g.peers, NULL);
    }
    g.slot = NULL, g.running = false;
    if (g.wake >= 0) close(g.wake);
    g.wake = -1;
    guard_peers_close(&g.peers);
    guard_judge_close(&g.judge);
    guard_board_close(&g.board);
}
