/* SPDX-License-Identifier: Apache-2.0
 *
 * Any program that prints power or energy: a wall meter, a BMC, a site's own tool. It runs on each node, once a second,
 * in the reader's thread, and is killed when it takes too long. Also runs Slurm's commands. */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"
#include "energy/source.h"

static const double limit_s = 5;

/* Children are one at a time in a process (base/child.h), and two sources may want one. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

bool energy_child(const char *command, double seconds, char *text, size_t size, char why[160]) {
    char *const words[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    const struct base_child_how how = {.limit_s = seconds, .most = size - 1};
    struct base_child_end end;
    struct base_error e = {0};
    pthread_mutex_lock(&turn);
    const int code = base_child_run(words, &how, &end, &e);
    pthread_mutex_unlock(&turn);
    if (end.signal) kill(getpid(), end.signal); /* it was meant for toise, too */
    text[0] = 0;
    if (code) {
        snprintf(why, 160, "%.150s", e.text);
        return false;
    }
    memcpy(text, end.out, end.size + 1);
    free(end.out);
    why[0] = 0;
    if (end.size == size - 1)
        snprintf(why, 160, "printed over %zu bytes", size - 2);
    else if (end.late)
        snprintf(why, 160, "took more than %g s", seconds);
    else if (end.code)
        snprintf(why, 160, "exit code %d%s%.*s", end.code, end.errors[0] ? ": " : "",
                 (int)strcspn(end.errors, "\n") < 120 ? (int)strcspn(end.errors, "\n") : 120, end.errors);
    return !why[0];
}

bool energy_command_parse(const char *text, double *x, enum energy_unit *unit, char why[160]) {
    const char *rest;
    const int line = (int)strcspn(text, "\n");
    *unit = ENERGY_WATTS;
    if (!energy_number(text, x, &rest)) {
        snprintf(why, 160, "printed %s%.*s%s, not watts as \"212.5\" or joules as \"1234 J\"", line ? "\"" : "nothing",
                 line < 60 ? line : 60, text, line ? "\"" : "");
        return false;
    }
    const size_t word = strcspn(rest, " \t\r\n");
    const bool watts = word == 0 || (word == 1 && rest[0] == 'W'), joules = word == 1 && rest[0] == 'J';
    if (joules) *unit = ENERGY_JOULES;
    if ((!watts && !joules) || rest[word + strspn(rest + word, " \t\r\n")])
        snprintf(why, 160, "printed \"%.*s\": one number, with W or J behind it or nothing", line < 60 ? line : 60,
                 text);
    else if (*x < 0)
        snprintf(why, 160, "printed %.*s: below 0", line < 60 ? line : 60, text);
    else
        return true;
    return false;
}

/* One reading; false with why. */
static bool ask(const char *command, double *x, enum energy_unit *unit, char why[160]) {
    char text[256];
    return energy_child(command, limit_s, text, sizeof text, why) && energy_command_parse(text, x, unit, why);
}

int energy_command_find(struct energy_source *s, const struct energy_options *o, struct base_error *e) {
    struct energy_channel c = {.name = "command", .counted = true, .scale = 1};
    enum energy_unit unit;
    char why[160];
    double x;
    if (!o->command) {
        energy_source_fault(s, ENERGY_ABSENT, "no --power-cmd");
        return BASE_OK;
    }
    s->command = o->command;
    snprintf(s->scope, sizeof s->scope, "node");
    if (!ask(o->command, &x, &unit, why)) {
        energy_source_fault(s, ENERGY_FAULT, "--power-cmd: \"%.80s\" %s", o->command, why);
        return BASE_OK;
    }
    snprintf(c.path, sizeof c.path, "%.250s", o->command);
    return energy_source_add(s, &c, unit, 0, e);
}

void energy_command_read(struct energy_source *s) {
    struct energy_meter *m = &s->channel[0].meter;
    enum energy_unit unit;
    char why[160];
    double x;
    if (!ask(s->command, &x, &unit, why) || unit != m->unit) x = NAN;
    energy_meter_add(m, base_clock_now(), x);
}
