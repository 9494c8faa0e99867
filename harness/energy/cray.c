/* SPDX-License-Identifier: Apache-2.0
 *
 * Cray's and HPE's pm_counters: files such as "123456 J 1700000000000000 us", refreshed ten times a second and readable
 * by all. `energy` is the node, with its accelerators; the others are parts of it. `freshness` counts refreshes,
 * `startup` changes when the blade's controller restarts and its counters begin again.
 * Source: HPE Cray System Management, "User Access to Compute Node Power Data". */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "energy/source.h"

enum { TRIES = 3 }; /* a refresh may fall between two of a reading's files */

static bool is_energy(const char *name) {
    return base_text_ends(name, "energy");
}

/* A number, and "J" behind it. */
static bool joules_of(const char *text, double *joules) {
    const char *rest;
    return energy_number(text, joules, &rest) && rest[0] == 'J' && (rest[1] == 0 || strchr(" \n\t", rest[1]));
}

static void check_unit(struct energy_source *s, const struct energy_channel *c) {
    char text[128];
    double x;
    if (c->counted && c->file >= 0 && energy_text(c->file, text, sizeof text) && !joules_of(text, &x))
        energy_source_fault(s, ENERGY_FAULT, "%s: not in J: \"%.*s\"", c->path, (int)strcspn(text, "\n"), text);
}

int energy_cray_find(struct energy_source *s, const struct energy_options *o, struct base_error *e) {
    char folder[PATH_MAX], path[PATH_MAX + 16], **names;
    snprintf(folder, sizeof folder, "%s/sys/cray/pm_counters", o->root);
    const int count = energy_names(folder, is_energy, &names);
    if (count < 0) {
        energy_source_fault(s, errno == EACCES ? ENERGY_PERMISSION : ENERGY_ABSENT, "%s", folder);
        return BASE_OK;
    }
    int code = BASE_OK;
    for (int i = 0; i < count && !code; i++) {
        struct energy_channel c = {.counted = !strcmp(names[i], "energy"), .scale = 1};
        const int before = s->count;
        snprintf(c.name, sizeof c.name, "%s", names[i]);
        snprintf(c.path, sizeof c.path, "%.160s/%.60s", folder, names[i]);
        code = energy_source_add(s, &c, ENERGY_JOULES, 0, e);
        if (s->count > before) check_unit(s, &s->channel[before]);
    }
    energy_names_free(names, count);
    snprintf(path, sizeof path, "%s/freshness", folder);
    s->freshness = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(path, sizeof path, "%s/startup", folder);
    s->startup = open(path, O_RDONLY | O_CLOEXEC);
    s->fresh = s->started = NAN;
    snprintf(s->scope, sizeof s->scope, "node");
    return code;
}

/* The file's number; NAN: none. */
static double number_in(int file) {
    char text[128];
    const char *rest;
    double x;
    return file >= 0 && energy_text(file, text, sizeof text) && energy_number(text, &x, &rest) ? x : NAN;
}

void energy_cray_read(struct energy_source *s) {
    double x[ENERGY_CHANNELS], fresh = NAN, after = NAN;
    for (int try = 0; try < TRIES && (try == 0 || fresh != after); try++) {
        fresh = number_in(s->freshness);
        for (int i = 0; i < s->count; i++) {
            char text[128];
            if (!energy_text(s->channel[i].file, text, sizeof text) || !joules_of(text, &x[i])) x[i] = NAN;
        }
        after = number_in(s->freshness);
        if (isnan(after)) break;
    }
    const double at = base_clock_now(), started = number_in(s->startup);
    const bool restarted = !isnan(s->started) && !isnan(started) && started != s->started;
    const bool stale = !isnan(after) && after == s->fresh;
    if (!isnan(started)) s->started = started;
    s->fresh = after;
    for (int i = 0; i < s->count; i++) {
        if (restarted) energy_meter_restart(&s->channel[i].meter);
        if (stale)
            s->channel[i].meter.repeats++; /* whatever the value says */
        else
            energy_meter_add(&s->channel[i].meter, at, x[i]);
    }
}
