/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/stop.h"

#include <signal.h>
#include <string.h>

static const struct {
    int signal;
    const char *name;
} WATCHED[] = {
    {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}, {SIGHUP, "SIGHUP"}, {SIGUSR1, "SIGUSR1"}, {SIGXCPU, "SIGXCPU"},
};
enum { WATCHED_COUNT = sizeof WATCHED / sizeof *WATCHED };

static volatile sig_atomic_t asked;

/* Launchers repeat SIGTERM within a moment, so only a repeated Ctrl-C or a TERM after it loses patience. */
static void on_signal(int signal) {
    if (asked == SIGINT && (signal == SIGINT || signal == SIGTERM)) {
        struct sigaction usual = {.sa_handler = SIG_DFL};
        sigaction(signal, &usual, NULL);
        raise(signal);
    }
    asked = signal;
}

void guard_stop_watch(void) {
    for (int i = 0; i < WATCHED_COUNT; i++) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, before;
        sigemptyset(&action.sa_mask);
        if (WATCHED[i].signal == SIGHUP && !sigaction(SIGHUP, NULL, &before) && before.sa_handler == SIG_IGN)
            continue; /* nohup */
        sigaction(WATCHED[i].signal, &action, NULL);
    }
}

int guard_stop_asked(void) {
    return asked;
}

const char *guard_stop_name(int signal) {
    for (int i = 0; i < WATCHED_COUNT; i++)
        if (WATCHED[i].signal == signal) return WATCHED[i].name;
    return "a signal";
}
