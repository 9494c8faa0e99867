/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts a child with posix_spawn, and reads its output through pipes until it has closed them and ended, or a deadline
 * has passed. */
#define _GNU_SOURCE
#include "base/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* A child that runs. */
struct running {
    const struct base_child_how *how;
    struct base_child_end *end;
    pid_t pid;
    int out[2], errors[2]; /* pipes; -1: closed */
    size_t room;           /* of end->out */
    double deadline;
    bool told; /* the deadline is that of a child that got a signal */
};

static volatile sig_atomic_t group, caught; /* for the signal handler: the child's process group, the signal */

/* Variables that connect a child to the launcher, or that set what the child should detect */
static bool dropped(const char *entry) {
    static const char *const prefixes[] = {"OMPI_",  "PMIX_", "PMI_",  "PRTE_",
                                           "SLURM_", "MPI_",  "MPIR_", "OPENBLAS_CORETYPE="};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(entry, prefixes[i], strlen(prefixes[i]))) return true;
    return false;
}

/* The caller frees the list, not its strings. */
static char **environment(const struct base_child_how *how) {
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **list = calloc(count + 2, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        if (!how->clean || !dropped(environ[i])) list[kept++] = environ[i];
    if (list && how->setting) list[kept] = (char *)(uintptr_t)how->setting; /* posix_spawn's type lacks the const */
    return list;
}

/* 0, or the error's number */
static int spawn(struct running *r, char *const command[]) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t usual;
    char **list = environment(r->how);
    if (!list) return ENOMEM;
    int why = posix_spawn_file_actions_init(&files);
    if (!why && (why = posix_spawnattr_init(&attributes))) posix_spawn_file_actions_destroy(&files);
    if (why) {
        free(list);
        return why;
    }
    sigemptyset(&usual);
    sigaddset(&usual, SIGXFSZ); /* toise ignores it, which a child would inherit */
    why = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    if (!why) why = posix_spawn_file_actions_adddup2(&files, r->out[1], 1);
    if (!why && !r->how->pass_errors) why = posix_spawn_file_actions_adddup2(&files, r->errors[1], 2);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    if (!why) why = posix_spawnp(&r->pid, command[0], &files, &attributes, command, list);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    free(list);
    return why;
}

static void shut(int *descriptor) {
    if (*descriptor >= 0) close(*descriptor);
    *descriptor = -1;
}

static void keep_output(struct running *r, const char *bytes, size_t n) {
    struct base_child_end *end = r->end;
    if (n > r->how->most - end->size) n = r->how->most - end->size;
    if (end->size + n + 1 > r->room) {
        const size_t room = 2 * (end->size + n + 1);
        char *more = realloc(end->out, room);
        if (!more) return; /* as if it were beyond `most` */
        end->out = more, r->room = room;
    }
    memcpy(end->out + end->size, bytes, n);
    end->out[end->size += n] = 0;
}

static void keep_errors(struct running *r, const char *bytes, size_t n) {
    char *text = r->end->errors;
    const size_t room = sizeof r->end->errors - 1;
    if (n > room) bytes += n - room, n = room;
    size_t held = strlen(text);
    const size_t lost = held + n > room ? held + n - room : 0;
    memmove(text, text + lost, held -= lost);
    memcpy(text + held, bytes, n);
    text[held + n] = 0;
}

/* Reads what there is, and closes the pipe at its end. */
static void read_some(struct running *r, int *from, void (*keep)(struct running *r, const char *bytes, size_t n)) {
    char bytes[16384];
    const ssize_t got = read(*from, bytes, sizeof bytes);
    if (got > 0) keep(r, bytes, (size_t)got);
    if (got == 0 || (got < 0 && errno != EINTR)) shut(from);
}

/* Seconds that the child may still take. A signal shortens them. */
static double left_of(struct running *r) {
    const double now = base_clock_now();
    if (caught && !r->told && now + r->how->stop_s < r->deadline) r->deadline = now + r->how->stop_s;
    r->told = r->told || caught;
    return r->deadline - now;
}

/* Until the child has closed its pipes, or its time is over. */
static void read_all(struct running *r) {
    while (r->out[0] >= 0 || r->errors[0] >= 0) {
        const double left = left_of(r);
        struct pollfd pipes[] = {{.fd = r->out[0], .events = POLLIN}, {.fd = r->errors[0], .events = POLLIN}};
        if (left <= 0) {
            r->end->late = !caught; /* also if the child has ended: what it left behind holds its output */
            return;
        }
        /* at most a second: a signal may come before poll waits */
        if (poll(pipes, 2, left < 1 ? (int)(left * 1e3) + 1 : 1000) < 0) continue;
        if (pipes[0].revents) read_some(r, &r->out[0], keep_output);
        if (pipes[1].revents) read_some(r, &r->errors[0], keep_errors);
    }
}

/* Waits for the end until the deadline, as a child may close its output and run on. Then kills the group. */
static void wait_end(struct running *r) {
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(r->pid, &status, WNOHANG)) == 0 && left_of(r) > 0) usleep(200);
    r->end->late = (r->end->late || ended == 0) && !caught;
    if (caught && r->how->stop_s <= 0) /* let it end by itself: it got the signal */
        for (int i = 0; ended == 0 && i < 50; i++) usleep(100000), ended = waitpid(r->pid, &status, WNOHANG);
    kill(-r->pid, SIGKILL); /* also what it left behind */
    while (ended == 0 && waitpid(r->pid, &status, 0) < 0 && errno == EINTR) continue;
    r->end->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A second one is passed on too: a user who presses Ctrl-C twice loses patience. */
static void pass_on(int signal) {
    if (group > 0) kill(-group, signal);
    if (!caught) caught = signal;
}

void base_child_kill(void) {
    if (group > 0) kill(-group, SIGKILL);
}

enum { SIGNALS = 3 };
static const int held[SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
static struct sigaction before[SIGNALS];
static int holds;

void base_child_hold_signals(void) {
    const struct sigaction handler = {.sa_handler = pass_on};
    if (holds++) return;
    caught = 0;
    for (int i = 0; i < SIGNALS; i++) sigaction(held[i], &handler, &before[i]);
}

void base_child_release_signals(void) {
    if (--holds) return;
    for (int i = 0; i < SIGNALS; i++) sigaction(held[i], &before[i], NULL);
}

static int run(struct running *r, char *const command[], struct base_error *e) {
    const double start = base_clock_now();
    group = 0;
    const int why = caught ? 0 : spawn(r, command);
    shut(&r->out[1]), shut(&r->errors[1]);
    if (r->pid > 0) {
        group = r->pid;
        r->deadline = start + r->how->limit_s;
        read_all(r);
        wait_end(r);
        r->end->seconds = base_clock_now() - start;
    }
    group = 0;
    if (why) return base_fail(e, BASE_BROKEN, "%s: cannot be started: %s", command[0], strerror(why));
    r->end->signal = caught;
    if (caught) return base_fail(e, BASE_BROKEN, "stopped by %s while %s ran", strsignal(caught), command[0]);
    return BASE_OK;
}

int base_child_run(char *const command[], const struct base_child_how *how, struct base_child_end *end,
                   struct base_error *e) {
    struct running r = {.how = how, .end = end, .out = {-1, -1}, .errors = {-1, -1}, .room = 1};
    *end = (struct base_child_end){.out = calloc(1, 1)};
    int code = BASE_OK;
    if (!end->out || pipe2(r.out, O_CLOEXEC) || (!how->pass_errors && pipe2(r.errors, O_CLOEXEC)))
        code = base_fail(e, BASE_BROKEN, "%s: cannot be started: %s", command[0], strerror(errno));
    base_child_hold_signals();
    if (!code) code = run(&r, command, e);
    base_child_release_signals();
    for (int i = 0; i < 2; i++) shut(&r.out[i]), shut(&r.errors[i]);
    if (!code || (how->stop_s > 0 && end->signal && r.pid > 0)) return code;
    free(end->out);
    *end = (struct base_child_end){.signal = end->signal};
    return code;
}

bool base_child(char *const command[], const char *setting, double limit_s, char *line, int size) {
    const struct base_child_how how = {.limit_s = limit_s, .most = (size_t)size - 1, .clean = true, .setting = setting};
    struct base_child_end end;
    line[0] = 0;
    if (base_child_run(command, &how, &end, NULL)) return false;
    memcpy(line, end.out, end.size + 1);
    free(end.out);
    return !end.late && end.code == 0;
}
