/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a child process with posix_spawn and reads its output through a pipe until a deadline. */
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

/* Variables that connect a child to the launcher, or that set what the child should detect */
static bool dropped(const char *entry) {
    static const char *const prefixes[] = {"OMPI_",  "PMIX_", "PMI_",  "PRTE_",
                                           "SLURM_", "MPI_",  "MPIR_", "OPENBLAS_CORETYPE="};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (!strncmp(entry, prefixes[i], strlen(prefixes[i]))) return true;
    return false;
}

/* The caller frees the list, not its strings. */
static char **environment(const char *setting) {
    size_t count = 0, kept = 0;
    while (environ[count]) count++;
    char **list = calloc(count + 2, sizeof *list);
    for (size_t i = 0; list && i < count; i++)
        if (!dropped(environ[i])) list[kept++] = environ[i];
    if (list && setting) list[kept] = (char *)(uintptr_t)setting; /* posix_spawn's type lacks the const */
    return list;
}

static bool start(pid_t *pid, char *const command[], const char *setting, int out) {
    posix_spawn_file_actions_t files;
    char **list = environment(setting);
    if (!list || posix_spawn_file_actions_init(&files)) {
        free(list);
        return false;
    }
    bool ready = !posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0) &&
                 !posix_spawn_file_actions_adddup2(&files, out, 1) &&
                 !posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    ready = ready && !posix_spawn(pid, command[0], &files, NULL, command, list);
    posix_spawn_file_actions_destroy(&files);
    free(list);
    return ready;
}

/* Reads until the child closes its end; false if that has not happened by `deadline`. */
static bool read_all(int from, double deadline, char *line, int size) {
    char rest[256];
    int used = 0;
    for (;;) {
        const double left = deadline - base_clock_now();
        struct pollfd wait = {.fd = from, .events = POLLIN};
        const int ready = left > 0 ? poll(&wait, 1, (int)(left * 1e3) + 1) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return false;
        const bool room = used < size - 1;
        const ssize_t got = read(from, room ? line + used : rest, room ? (size_t)(size - 1 - used) : sizeof rest);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return false;
        if (room) line[used += (int)got] = 0;
        if (got == 0) return true;
    }
}

bool base_child(char *const command[], const char *setting, double limit_s, char *line, int size) {
    const double deadline = base_clock_now() + limit_s;
    int ends[2], status = 0;
    pid_t pid;
    line[0] = 0;
    if (pipe2(ends, O_CLOEXEC)) return false;
    const bool started = start(&pid, command, setting, ends[1]);
    close(ends[1]);
    const bool whole = started && read_all(ends[0], deadline, line, size);
    close(ends[0]);
    if (!started) return false;
    bool ended = false; /* a child may close its output and run on */
    while (whole && !(ended = waitpid(pid, &status, WNOHANG) == pid) && base_clock_now() < deadline) usleep(1000);
    if (ended) return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return false;
}
