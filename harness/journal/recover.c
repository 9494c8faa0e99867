/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills a result from the lines of its journal. */
#include "journal/recover.h"

#include <stdlib.h>
#include <string.h>

#include "records/get.h"

/* Arrays as train_run allocates them. */
static int allocate(const struct journal_past *past, const struct train_earlier *earlier, int world,
                    struct train_result *r, struct base_error *e) {
    const struct journal_process *p = &past->process[past->count - 1];
    const size_t lines = p->end - p->first, steps = lines + (size_t)earlier->timed;
    const bool done = (r->loss = calloc(lines, sizeof(double))) && (r->grad_norm = calloc(lines, sizeof(double))) &&
                      (r->step_s = calloc(steps, sizeof(double))) && (r->warm_s = calloc(lines, sizeof(double))) &&
                      (r->peaks = calloc(lines, sizeof(double))) && (r->probe_s = calloc(lines, sizeof(double))) &&
                      (r->bare_s = calloc(lines, sizeof(double))) &&
                      (r->ranks = calloc((size_t)world, sizeof *r->ranks));
    if (!done) return base_fail(e, BASE_BROKEN, "out of memory for the journal %s", past->path);
    const char *const *names = earlier->samples->names;
    int code = measure_samples_open(&r->samples, (int)steps, PLAN_PHASES, names, e);
    return code ? code : measure_samples_open(&r->warmup, (int)lines, PLAN_PHASES, names, e);
}

/* The samples of the processes before. */
static void take_earlier(const struct train_earlier *earlier, struct train_result *r) {
    const struct measure_samples *s = earlier->samples;
    for (int i = 0; i < earlier->timed; i++) {
        r->step_s[r->timed++] = earlier->step_s[i];
        measure_samples_add(&r->samples, s->start[i], s->seconds[i], s->phase + i * PLAN_PHASES, &s->interference[i],
                            s->marks[i]);
    }
    r->earlier = earlier->timed;
}

static void take_gate(const json_t *line, struct train_result *r) {
    for (int i = 0; i < CHECK_COUNT; i++) {
        const char *name = check_name((enum check)i);
        const json_t *value = json_object_get(record_at(line, "gate"), name);
        if (!value) continue;
        r->gate.residual[i] = json_is_number(value) ? json_number_value(value) : INFINITY;
        snprintf(r->gate.where[i], sizeof r->gate.where[i], "%s", record_text(record_at(line, "where"), name));
    }
    r->quota_period_s = record_real(line, "quota_period_s");
    r->peak_isa = record_text(line, "peak_isa");
}

/* A step, warm or timed. False: it is not one of this version. */
static bool take_step(const json_t *line, struct train_result *r) {
    const bool timed = json_object_get(line, "timed");
    const double seconds = record_real(line, "step_s");
    if (!(seconds > 0) || !measure_samples_take(timed ? &r->samples : &r->warmup, line)) return false;
    *(timed ? &r->step_s[r->timed++] : &r->warm_s[r->warmup.count - 1]) = seconds;
    r->loss[r->steps] = record_real(line, "loss");
    r->grad_norm[r->steps++] = record_real(line, "grad_norm");
    return true;
}

static bool take_line(const json_t *line, struct train_result *r) {
    if (json_object_get(line, "gate")) take_gate(line, r);
    if (json_object_get(line, "overlap")) train_overlap_read(record_at(line, "overlap"), &r->overlap);
    if (json_object_get(line, "step_s")) return take_step(line, r);
    if (json_object_get(line, "peak_flop_per_s")) {
        const double rate = r->peaks[r->peak_count++] = record_real(line, "peak_flop_per_s");
        r->peak_flop_per_s = fmax(r->peak_flop_per_s, rate);
    }
    if (json_object_get(line, "probe_s")) {
        r->probe_s[r->probes] = record_real(line, "probe_s");
        r->bare_s[r->probes++] = record_real(line, "bare_s");
    }
    return true;
}

static void summarise(const struct journal_past *past, int world, struct train_result *r) {
    for (int i = 0; i < world; i++) r->ranks[i].threads = (int)record_whole(past->head, "layout.threads");
    r->step = base_stats_median(r->step_s, r->timed, MEASURE_CONFIDENCE);
    r->mean = base_stats_mean(r->step_s, r->timed);
    r->exposed = base_stats_median(r->bare_s, r->probes, MEASURE_CONFIDENCE);
    train_phases(r, r->phase_s);
    r->other_s = r->step.median;
    for (int p = 0; p < PLAN_PHASES; p++) r->other_s -= r->phase_s[p];
    r->covered = 1; /* not checked, and not recorded */
}

/* The verdict of a process that did not come to its own. */
static void judge(const struct journal_past *past, const struct plan *plan, const struct train_options *o,
                  struct train_result *r) {
    gate_finite(&r->gate, r->loss, r->grad_norm, r->steps);
    train_verdict(r, o, plan->ledger.model_flop);
    if (r->status != RECORD_PASSED) return;
    r->status = RECORD_INCONCLUSIVE;
    const char *text = r->timed ? "the process ended after %d timed steps, before its last checks%s"
                                : "the process ended before a timed step";
    snprintf(r->why, sizeof r->why, text, r->timed,
             past->text.damaged ? "; the journal is damaged behind them"
             : past->text.torn  ? "; the journal's last line is torn"
                                : "");
}

static void take_verdict(const json_t *end, struct train_result *r) {
    const char *status = record_text(end, "end");
    if (!record_status_of(status, &r->status)) r->status = RECORD_INCONCLUSIVE;
    snprintf(r->why, sizeof r->why, "%s", record_text(end, "why"));
    r->stopped = (int)record_whole(end, "stopped");
}

static int fill(const struct journal_past *past, const struct plan *plan, const struct train_options *o,
                struct train_result *r, struct base_error *e) {
    const struct journal_process *p = &past->process[past->count - 1];
    const json_t *end = NULL;
    for (size_t i = p->first; i < p->end; i++) {
        const json_t *line = json_array_get(past->text.lines, i);
        if (!take_line(line, r))
            return base_fail(e, BASE_USAGE, "%s: line %zu is not a step of this version of toise", past->path, i + 1);
        if (json_object_get(line, "end")) end = line;
    }
    if (r->timed == r->earlier) r->timed = r->earlier = r->samples.count = 0;
    if (r->timed && !r->peak_count) return base_fail(e, BASE_USAGE, "%s: has timed steps but no peak", past->path);
    if (r->timed) summarise(past, plan_layout_world(&plan->request.layout), r);
    if (end)
        take_verdict(end, r);
    else
        judge(past, plan, o, r);
    return BASE_OK;
}

int journal_recover(const struct journal_past *past, const struct plan *plan, const struct train_options *o,
                    struct train_result *r, struct base_error *e) {
    struct train_earlier earlier;
    memset(r, 0, sizeof *r);
    gate_clear(&r->gate);
    r->recovered = true;
    r->exposed = (struct base_interval){NAN, NAN, NAN, 0};
    r->entropy = record_real(past->head, "entropy");
    snprintf(r->source, sizeof r->source, "%s", record_text(past->head, "source"));
    int code = journal_earlier(past, past->count - 1, &earlier, e);
    if (!code) code = allocate(past, &earlier, plan_layout_world(&plan->request.layout), r, e);
    if (!code) {
        take_earlier(&earlier, r);
        code = fill(past, plan, o, r, e);
    }
    journal_forget(&earlier);
    return code;
}

json_t *journal_recovered(const struct journal_past *past, const struct train_result *r, const struct plan *plan,
                          const struct train_options *o, const struct train_identity *id, const struct comm *world) {
    static const char *const kept[] = {"version", "launch", "config", "layout"};
    const struct record_launch none = {0};
    struct train_identity all = *id;
    all.launch = &none;
    json_t *record = train_record(r, plan, o, &all, world, json_deep_copy(json_object_get(past->head, "machine")));
    for (int i = 0; i < 4; i++) json_object_set(record, kept[i], json_object_get(past->head, kept[i]));
    const json_t *injected = json_object_get(past->head, "injected");
    if (injected) json_object_set(json_object_get(record, "result"), "injected", (json_t *)(uintptr_t)injected);
    if (past->count > 1) journal_tell(past, past->count - 1, r->timed ? r->timed - r->earlier : 0, record);
    return record;
}
