/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the journal of a training. The result's arrays hold every sample, so a line that found no room waits there. */
#include "journal/journal.h"

#include <math.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "guard/watchdog.h"
#include "inject/inject.h"
#include "records/set.h"

json_t *journal_head(const struct plan *plan, const struct train_options *options, const struct train_identity *id,
                     const struct comm *world, json_t *machine, char *const *arguments, int count) {
    json_t *head = json_object(), *words = json_array();
    char date[32];
    base_clock_date(date);
    for (int i = 0; i < count; i++) json_array_append_new(words, json_string(arguments[i]));
    if ((int)json_array_size(words) < count) {
        json_decref(head), json_decref(words);
        return NULL;
    }
    record_set(head, "journal", json_string(JOURNAL_SCHEMA));
    record_set(head, "time", json_string(date));
    record_set(head, "version", json_string(TOISE_VERSION));
    record_set(head, "arguments", words);
    record_set(head, "launch", record_launch_json(id->launch));
    record_set(head, "config", train_config(plan, options));
    if (options->first_step) record_set_integer(head, "first_step", options->first_step);
    record_set(head, "layout", train_layout(plan, world->nodes, id));
    record_set(head, "source", json_string(data_describe(options->source)));
    record_set_number(head, "entropy", data_entropy(options->source));
    record_set(head, "machine", json_incref(machine));
    if (inject_text()) record_set(head, "injected", json_string(inject_text()));
    return head;
}

/* A residual can be infinite, which JSON lacks. */
static json_t *gate_line(const struct train_result *r) {
    json_t *line = json_object(), *gate = json_object(), *where = json_object();
    for (int i = 0; i < CHECK_COUNT; i++) {
        const double x = r->gate.residual[i];
        if (isnan(x)) continue;
        record_set(gate, check_name((enum check)i), isinf(x) ? json_string("inf") : json_real(x));
        record_set(where, check_name((enum check)i), json_string(r->gate.where[i]));
    }
    record_set(line, "gate", gate);
    record_set(line, "where", where);
    record_set_number(line, "quota_period_s", r->quota_period_s);
    record_set(line, "peak_isa", json_string(r->peak_isa));
    return line;
}

/* Step i of these samples; the run's step `step` of this process. */
static json_t *step_line(const char *kind, const struct train_result *r, const struct measure_samples *samples, int i,
                         double seconds, int step) {
    json_t *line = measure_samples_one(samples, i);
    record_set_integer(line, kind, step);
    record_set_number(line, "step_s", seconds);
    record_set_number(line, "loss", r->loss[step]);
    record_set_number(line, "grad_norm", r->grad_norm[step]);
    return line;
}

static json_t *warm_line(const struct train_result *r, int i) {
    return step_line("warm", r, &r->warmup, i, r->warm_s[i], i);
}

static json_t *timed_line(const struct train_result *r, int i) {
    const int at = r->earlier + i;
    return step_line("timed", r, &r->samples, at, r->step_s[at], r->warmup.count + i);
}

static json_t *overlap_line(const struct train_result *r) {
    json_t *line = json_object();
    record_set(line, "overlap", train_overlap_json(&r->overlap));
    return line;
}

static json_t *peak_line(const struct train_result *r, int i) {
    return json_pack("{s:f}", "peak_flop_per_s", r->peaks[i]);
}

static json_t *probe_line(const struct train_result *r, int i) {
    return json_pack("{s:f, s:f}", "probe_s", r->probe_s[i], "bare_s", r->bare_s[i]);
}

/* Adds lines *done to count - 1 of a kind, as far as there is room. */
static bool add(struct journal *j, const struct train_result *r, json_t *(*line)(const struct train_result *, int),
                int *done, int count) {
    while (*done < count && guard_journal_add(j->lines, line(r, *done))) ++*done;
    return *done == count;
}

static bool add_all(struct journal *j, const struct train_result *r) {
    if (!j->gate) j->gate = guard_journal_add(j->lines, gate_line(r));
    if (!j->gate || !add(j, r, warm_line, &j->warm, r->warmup.count)) return false;
    if (!j->overlap && r->overlap.chosen) j->overlap = guard_journal_add(j->lines, overlap_line(r));
    return (j->overlap || !r->overlap.chosen) && add(j, r, peak_line, &j->peaks, r->peak_count) &&
           add(j, r, probe_line, &j->probes, r->probes) &&
           add(j, r, timed_line, &j->timed, r->samples.count - r->earlier);
}

static bool failed(const struct journal *j) {
    struct guard_journal_state state;
    guard_journal_state(j->lines, &state);
    return state.failed;
}

bool journal_note(struct journal *j, const struct train_result *r) {
    if (!j->lines) return true;
    add_all(j, r);
    return !failed(j);
}

static json_t *cost_of(const struct guard_journal_state *s) {
    json_t *o = json_object();
    record_set_integer(o, "lines", s->added), record_set_integer(o, "acknowledged", s->acknowledged);
    record_set_integer(o, "syncs", s->syncs);
    record_set_number(o, "sync_s", s->sync_s), record_set_number(o, "slowest_sync_s", s->slowest_sync_s);
    record_set_number(o, "add_s", s->add_s), record_set_number(o, "cpu_s", s->cpu_s);
    if (s->failed) record_set(o, "failed", json_string(strerror(s->failed)));
    return o;
}

int journal_end(struct journal *j, const struct train_result *r, json_t **cost, struct base_error *e) {
    const struct timespec moment = {.tv_nsec = 10000000};
    const double until = base_clock_now() + JOURNAL_PATIENCE_S;
    struct guard_journal_state state;
    while (!add_all(j, r) && !failed(j) && base_clock_now() < until) {
        guard_progress(); /* it waits, but not for ever */
        nanosleep(&moment, NULL);
    }
    guard_journal_add(j->lines, json_pack("{s:s, s:s, s:i}", "end", record_status_name(r->status), "why", r->why,
                                          "stopped", r->stopped));
    const int code = guard_journal_close(j->lines, JOURNAL_PATIENCE_S, &state, e);
    j->lines = NULL;
    *cost = cost_of(&state);
    return code;
}
