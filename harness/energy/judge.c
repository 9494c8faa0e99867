/* SPDX-License-Identifier: Apache-2.0
 *
 * The least covered channel decides. */
#include "energy/judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* A channel that says nothing about any window: why. */
static void check_moves(struct energy_source *s, const struct energy_channel *c) {
    const struct energy_meter *m = &c->meter;
    if (m->readings == 0 && m->failed > 0)
        energy_source_fault(s, ENERGY_FAULT, "%s: none of %lld readings was good", c->path, m->failed);
    else if (m->count == 0 && m->repeats > 1)
        energy_source_fault(s, ENERGY_FAULT, "%s: frozen: %lld readings, all the same", c->path, m->repeats);
    else if (m->count > 1 && m->unit == ENERGY_WATTS && m->total <= 0)
        energy_source_fault(s, ENERGY_FAULT, "%s: every reading was 0 W", c->path);
    else if (m->count < 2)
        energy_source_fault(s, ENERGY_FAULT, "%s: too short: it moved %d times", c->path, m->count);
}

/* What spoilt the coverage, for a message. */
static void spoils(const struct energy_figures *f, char *text, size_t size) {
    char part[48];
    const struct {
        long long count;
        const char *what;
    } parts[] = {{f->resets, "resets"}, {f->unclear, "gaps"}, {f->failed, "failed readings"}};
    text[0] = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(part, sizeof part, "%lld %s", parts[i].count, parts[i].what);
        if (parts[i].count) base_text_append(text, size, part);
    }
}

static void judge_channel(struct energy_source *s, const struct energy_channel *c, const struct energy_windows *w,
                          double *joules, struct energy_figures *f) {
    const struct energy_meter *m = &c->meter;
    double covered = 0;
    for (int i = 0; i < w->count; i++) {
        const double end = w->start[i] + w->seconds[i];
        covered += energy_meter_covered(m, w->start[i], end);
        joules[i] += energy_meter_joules(m, w->start[i], end);
    }
    f->coverage = fmin(f->coverage, covered / f->seconds);
    f->interval_s = fmax(f->interval_s, energy_meter_interval(m));
    f->readings += m->readings, f->failed += m->failed;
    f->wraps += m->wraps, f->resets += m->resets, f->unclear += m->unclear;
    f->constant = f->constant || (m->unit == ENERGY_WATTS && !m->changed);
    base_text_append(f->counted, sizeof f->counted, c->name);
    check_moves(s, c);
}

static void check_coverage(struct energy_source *s, const struct energy_figures *f) {
    char text[128];
    spoils(f, text, sizeof text);
    if (f->coverage >= ENERGY_COVERAGE) return;
    energy_source_fault(
        s, ENERGY_FAULT, "%.0f%% of the timed time covered, and %.0f%% are needed (%.2g s; a reading each %.2g s%s%s)",
        floor(100 * f->coverage), 100 * ENERGY_COVERAGE, f->seconds, f->interval_s, text[0] ? "; " : "", text);
}

void energy_judge(struct energy_source *s, const struct energy_windows *w, double *joules, struct energy_figures *f) {
    *f = (struct energy_figures){.coverage = 1, .cpu_s = s->cpu_s};
    for (int i = 0; i < w->count; i++) joules[i] = 0, f->seconds += w->seconds[i];
    if (s->state == ENERGY_MEASURED && w->count == 0)
        energy_source_fault(s, ENERGY_FAULT, "there is no valid timed step");
    for (int i = 0; i < s->count && s->state == ENERGY_MEASURED; i++)
        if (s->channel[i].counted) judge_channel(s, &s->channel[i], w, joules, f);
    if (s->state == ENERGY_MEASURED) check_coverage(s, f);
    f->state = s->state;
    memcpy(f->why, s->why, sizeof f->why);
    memcpy(f->scope, s->scope, sizeof f->scope);
}

struct base_mean energy_mean(const double *joules, int count, const struct energy_figures *f) {
    struct base_mean mean = {NAN, NAN, NAN};
    double *known = malloc(((size_t)count + 1) * sizeof *known);
    int n = 0;
    for (int i = 0; known && i < count; i++)
        if (isfinite(joules[i])) known[n++] = joules[i];
    if (n > 0) mean = base_stats_mean(known, n);
    free(known);
    const double edge = mean.mean * f->interval_s / f->seconds;
    mean.low = n > 1 ? fmax(0, mean.low - edge) : NAN;
    mean.high = n > 1 ? mean.high + edge : NAN;
    return mean;
}
