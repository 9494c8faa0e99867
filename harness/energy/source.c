/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of sources, and what their readers share: channels, small files, numbers. */
#define _GNU_SOURCE
#include "energy/source.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { POINTS = 1 << 15 }; /* a channel's: an hour at ten a second before every second one is dropped */
/* Power readings this many periods apart leave a gap. */
static const double gap_periods = 5;

/* RAPL moves every millisecond (Intel SDM 3B, 15.10); pm_counters ten times a second; BMCs and Slurm in seconds. */
const struct energy_reader energy_readers[ENERGY_KINDS] = {
    [ENERGY_COMMAND] = {"command", "--power-cmd", 1, true, energy_command_find, energy_command_read},
    [ENERGY_CRAY] = {"cray", "/sys/cray/pm_counters", 0.05, false, energy_cray_find, energy_cray_read},
    [ENERGY_RAPL] = {"rapl", "/sys/class/powercap", 0.1, false, energy_rapl_find, energy_source_read_files},
    [ENERGY_HWMON] = {"hwmon", "/sys/class/hwmon", 0.1, false, energy_hwmon_find, energy_source_read_files},
    [ENERGY_SLURM] = {"slurm", "a job, and AcctGatherEnergyType in slurm.conf", 10, true, energy_slurm_find,
                      energy_slurm_read},
};

const char *energy_state_name(enum energy_state state) {
    static const char *const names[] = {"measured", "absent", "permission", "fault", "skipped"};
    return names[state];
}

/* Records are UTF-8, and labels and what commands print may not be. */
static void make_plain(char *text) {
    for (; *text; text++)
        if (*text < ' ' || *text > '~') *text = '?';
}

void energy_source_fault(struct energy_source *s, enum energy_state state, const char *format, ...) {
    va_list args;
    if (s->state != ENERGY_MEASURED) return;
    va_start(args, format);
    vsnprintf(s->why, sizeof s->why, format, args);
    va_end(args);
    make_plain(s->why);
    s->state = state;
}

bool energy_text(int file, char *text, size_t size) {
    const ssize_t got = pread(file, text, size - 1, 0);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

bool energy_number(const char *text, double *x, const char **rest) {
    char *end;
    while (isspace((unsigned char)*text)) text++;
    const char *digit = text + (*text == '-' || *text == '+');
    const bool hexadecimal = digit[0] == '0' && (digit[1] == 'x' || digit[1] == 'X');
    if (hexadecimal || (!isdigit((unsigned char)*digit) && *digit != '.')) return false;
    *x = strtod(text, &end);
    if (end == text || !isfinite(*x)) return false;
    while (isspace((unsigned char)*end)) end++;
    *rest = end;
    return true;
}

int energy_names(const char *folder, bool (*takes)(const char *name), char ***names) {
    struct dirent **all;
    int kept = 0;
    const int count = scandir(folder, &all, NULL, versionsort);
    if (count < 0) return -1;
    *names = calloc((size_t)count + 1, sizeof **names);
    for (int i = 0; i < count; i++) {
        if (*names && takes(all[i]->d_name) && ((*names)[kept] = strdup(all[i]->d_name))) kept++;
        free(all[i]);
    }
    free(all);
    return kept;
}

void energy_names_free(char **names, int count) {
    for (int i = 0; i < count; i++) free(names[i]);
    free(names);
}

int energy_source_counted(const struct energy_source *s) {
    int counted = 0;
    for (int i = 0; i < s->count; i++) counted += s->channel[i].counted;
    return counted;
}

/* Why the channel's file cannot be used now. */
static void check_file(struct energy_source *s, const struct energy_channel *c) {
    char text[128];
    double x;
    const char *rest;
    if (c->file < 0)
        energy_source_fault(s, errno == EACCES || errno == EPERM ? ENERGY_PERMISSION : ENERGY_FAULT, "%s%s%s", c->path,
                            errno == EACCES || errno == EPERM ? "" : ": ",
                            errno == EACCES || errno == EPERM ? "" : strerror(errno));
    else if (!energy_text(c->file, text, sizeof text))
        energy_source_fault(s, errno == EACCES || errno == EPERM ? ENERGY_PERMISSION : ENERGY_FAULT,
                            "%s: cannot be read: %s", c->path, errno ? strerror(errno) : "it is empty");
    else if (!energy_number(text, &x, &rest))
        energy_source_fault(s, ENERGY_FAULT, "%s: not a number: \"%.*s\"", c->path, (int)strcspn(text, "\n"), text);
    else if (x < 0)
        energy_source_fault(s, ENERGY_FAULT, "%s: below 0: %.*s", c->path, (int)strcspn(text, "\n"), text);
}

int energy_source_add(struct energy_source *s, const struct energy_channel *channel, enum energy_unit unit,
                      double range, struct base_error *e) {
    struct energy_channel *c = &s->channel[s->count];
    const enum energy_state before = s->state;
    if (s->count == ENERGY_CHANNELS) {
        if (channel->counted) energy_source_fault(s, ENERGY_FAULT, "more than %d channels", ENERGY_CHANNELS);
        return BASE_OK;
    }
    *c = *channel;
    c->file = -1;
    errno = 0;
    if (!energy_readers[s->kind].command) {
        c->file = open(c->path, O_RDONLY | O_CLOEXEC);
        if (c->file < 0 && errno == ENOENT) return BASE_OK;
        check_file(s, c);
        if (s->state != before) {
            if (c->file >= 0) close(c->file);
            if (!c->counted) s->state = before, s->why[0] = 0;
            return BASE_OK;
        }
    }
    const double gap = gap_periods * s->period_s;
    const int code = energy_meter_open(&c->meter, unit, range, gap, POINTS, e);
    make_plain(c->name), make_plain(c->path);
    if (code && c->file >= 0) close(c->file);
    s->count += !code;
    return code;
}

void energy_source_read_files(struct energy_source *s) {
    for (int i = 0; i < s->count; i++) {
        struct energy_channel *c = &s->channel[i];
        char text[128];
        const char *rest;
        double x = NAN;
        const bool read = energy_text(c->file, text, sizeof text);
        const double at = base_clock_now();
        if (!read || !energy_number(text, &x, &rest)) x = NAN;
        energy_meter_add(&c->meter, at, x * c->scale);
    }
}

void energy_source_skip(struct energy_source *s, enum energy_kind kind) {
    *s = (struct energy_source){
        .kind = kind, .state = ENERGY_SKIPPED, .why = "not asked for", .freshness = -1, .startup = -1};
}

int energy_source_open(struct energy_source *s, enum energy_kind kind, const struct energy_options *o,
                       struct base_error *e) {
    const struct energy_reader *reader = &energy_readers[kind];
    energy_source_skip(s, kind);
    s->state = ENERGY_MEASURED, s->why[0] = 0;
    s->period_s = reader->period_s;
    const int code = reader->find(s, o, e);
    if (!code && s->state == ENERGY_MEASURED && energy_source_counted(s) == 0)
        energy_source_fault(s, ENERGY_ABSENT, "nothing to count in %s%s", o->root, reader->needs);
    return code;
}

void energy_source_read(struct energy_source *s) {
    energy_readers[s->kind].read(s);
}

static void shut(int file) {
    if (file >= 0) close(file);
}

void energy_source_close(struct energy_source *s) {
    for (int i = 0; i < s->count; i++) {
        shut(s->channel[i].file);
        energy_meter_close(&s->channel[i].meter);
    }
    shut(s->freshness), shut(s->startup);
    energy_source_skip(s, s->kind);
}
