/* SPDX-License-Identifier: Apache-2.0
 *
 * Wraps, resets and gaps of one meter. How often a counter wrapped between two readings follows from the power: only
 * counts whose mean power is possible are considered, and only a single such count is believed. */
#include "energy/meter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The mean power of a gap that may hold several wraps is within this factor of the mean so far. The first that leaves a
 * single count decides. */
static const double factors[] = {INFINITY, 10, 1.25};

int energy_meter_open(struct energy_meter *m, enum energy_unit unit, double range, double gap_s, int capacity,
                      struct base_error *e) {
    struct energy_meter made = {
        .unit = unit, .range = range, .gap_s = gap_s, .capacity = capacity, .stride = 1, .most = ENERGY_MOST_WATTS};
    const size_t n = (size_t)capacity;
    made.at = calloc(n, sizeof *made.at);
    made.joules = calloc(n, sizeof *made.joules);
    made.lost = calloc(n, sizeof *made.lost);
    *m = made;
    if (made.at && made.joules && made.lost) return BASE_OK;
    energy_meter_close(m);
    return base_fail(e, BASE_BROKEN, "out of memory for %d energy readings", capacity);
}

void energy_meter_close(struct energy_meter *m) {
    free(m->at), free(m->joules), free(m->lost);
    *m = (struct energy_meter){0};
}

/* Drops every second point between the first and the last. A lost segment stays lost in the longer one. */
static void halve(struct energy_meter *m) {
    int kept = 1;
    for (int i = 1; i < m->count; i += 2, kept++) {
        m->at[kept] = m->at[i], m->joules[kept] = m->joules[i];
        m->lost[kept] = m->lost[i] || m->lost[i - 1];
    }
    m->count = kept;
    m->stride *= 2;
}

/* The last point moves until it is complete, so the newest reading always is a point. */
static void point(struct energy_meter *m, double at, bool lost) {
    if (!m->merged) {
        if (m->count == m->capacity) halve(m);
        m->lost[m->count++] = false;
    }
    const int i = m->count - 1;
    m->at[i] = at;
    m->joules[i] = m->total;
    m->lost[i] = m->lost[i] || lost || m->restarted;
    m->merged = i ? (m->merged + 1) % m->stride : 0;
    m->restarted = false;
}

/* Joules that a counter gained by going `step` ahead (or back) within `seconds`. NAN: unknown. */
static double gained(struct energy_meter *m, double step, double seconds) {
    const double mean = m->known_s > 0 ? m->total / m->known_s : 0;
    if (m->range <= 0) return step > 0 && step <= m->most * seconds ? step : (m->resets++, NAN);
    for (size_t i = 0; i < sizeof factors / sizeof *factors && (!i || mean > 0); i++) {
        const double least = mean / factors[i], most = i ? fmin(m->most, mean * factors[i]) : m->most;
        const double from = fmax(step < 0, ceil((least * seconds - step) / m->range));
        const double to = floor((most * seconds - step) / m->range);
        if (from == to) {
            m->wraps += (long long)from;
            return step + from * m->range;
        }
        if (from > to && i == 0) return m->resets++, NAN;
        if (from > to) break;
    }
    return m->unclear++, NAN;
}

static void add_counter(struct energy_meter *m, double at, double value) {
    if (value == m->last) {
        m->repeats++;
        return;
    }
    m->changed = true;
    /* nobody knows when the first reading was made, so the first change is the first point */
    const double joules = m->count ? gained(m, value - m->last, at - m->last_at) : 0;
    if (m->count && !isnan(joules)) m->total += joules, m->known_s += at - m->last_at;
    point(m, at, isnan(joules));
    m->last = value, m->last_at = at;
}

static void add_power(struct energy_meter *m, double at, double value) {
    const double seconds = at - m->last_at;
    const bool gap = m->count && seconds > m->gap_s;
    m->changed = m->changed || value != m->last;
    if (m->count && !gap) m->total += (value + m->last) / 2 * seconds, m->known_s += seconds;
    if (gap) m->unclear++;
    point(m, at, gap);
    m->last = value, m->last_at = at;
}

void energy_meter_add(struct energy_meter *m, double at, double value) {
    const bool high = m->unit == ENERGY_WATTS && value > m->most;
    if (!isfinite(value) || value < 0 || high || (m->any && at <= m->last_at)) {
        m->failed++;
        return;
    }
    m->readings++;
    if (!m->any) m->any = true, m->last = value, m->last_at = at;
    if (m->unit == ENERGY_JOULES)
        add_counter(m, at, value);
    else
        add_power(m, at, value);
}

void energy_meter_restart(struct energy_meter *m) {
    m->resets++;
    m->restarted = m->count > 0;
    m->any = false;
}

/* The index of the first point after time t. */
static int after(const struct energy_meter *m, double t) {
    int low = 0, high = m->count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (m->at[middle] > t)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static double total_at(const struct energy_meter *m, double t) {
    int i = after(m, t);
    if (i == m->count) i--; /* t is the last point */
    const double share = (t - m->at[i - 1]) / (m->at[i] - m->at[i - 1]);
    return m->joules[i - 1] + share * (m->joules[i] - m->joules[i - 1]);
}

double energy_meter_covered(const struct energy_meter *m, double start, double end) {
    double covered = 0;
    int i = after(m, start);
    for (i = i > 1 ? i : 1; i < m->count && m->at[i - 1] < end; i++)
        if (!m->lost[i]) covered += fmax(0, fmin(end, m->at[i]) - fmax(start, m->at[i - 1]));
    return covered;
}

double energy_meter_joules(const struct energy_meter *m, double start, double end) {
    if (m->count < 2 || start < m->at[0] || end > m->at[m->count - 1]) return NAN;
    const double whole = end - start, tiny = 1e-9 * (fabs(end) + 1); /* sums of clock values are not exact */
    if (energy_meter_covered(m, start, end) < whole - tiny) return NAN;
    return total_at(m, end) - total_at(m, start);
}

double energy_meter_interval(const struct energy_meter *m) {
    return m->count < 2 ? INFINITY : (m->at[m->count - 1] - m->at[0]) / (m->count - 1);
}
