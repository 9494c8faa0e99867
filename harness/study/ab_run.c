/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the commands in turns, takes a value from each run, and looks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/child.h"
#include "base/clock.h"
#include "base/random.h"
#include "records/get.h"
#include "study/ab.h"
#include "study/rate.h"

enum { OUTPUT_MOST = 256 << 20 };

static const char *side_name(int side) {
    return side ? "B" : "A";
}

/* The values of one run's records. */
struct values {
    const char *key;
    int count;   /* records that have the key */
    double logs; /* sum of the logarithms */
    int rate;    /* of study_rates, by the first record that has one; -1: none has */
    char failed[512];
};

static void take_record(struct values *v, const json_t *record) {
    if (!strcmp(record_text(record, "status"), "FAILED") && !v->failed[0])
        snprintf(v->failed, sizeof v->failed, "%s", record_text(record, "why"));
    if (v->rate < 0) v->rate = study_rate_find(record);
    const double x = v->key ? record_real(record, v->key) : NAN;
    if (!(x > 0) || isinf(x)) return;
    v->logs += log(x);
    v->count++;
}

/* Lines of standard output that are records. Others are pages for people. */
static void read_records(struct values *v, const char *out) {
    for (const char *line = out; *line;) {
        const size_t length = strcspn(line, "\n");
        json_t *record = *line == '{' ? json_loadb(line, length, 0, NULL) : NULL;
        if (!strncmp(record_text(record, "schema"), "toise/", 6)) take_record(v, record);
        json_decref(record);
        line += length + (line[length] == '\n');
    }
}

/* The last word that is a number above zero; NAN: none. */
static double last_number(char *out) {
    double last = NAN;
    char *rest = out, *word, *end;
    while ((word = strsep(&rest, " \t\r\n"))) {
        const double x = strtod(word, &end);
        if (*word && !*end && isfinite(x)) last = x;
    }
    return last > 0 ? last : NAN;
}

/* Chooses the metric by what A and B printed, once. */
static void choose_metric(struct study_ab *ab, const char *const out[2]) {
    struct values v[2] = {{.rate = -1}, {.rate = -1}};
    for (int s = 0; s < 2; s++) read_records(&v[s], out[s]);
    ab->metric = STUDY_AB_SECONDS, ab->lower = true;
    if (v[0].rate < 0 || v[0].rate != v[1].rate) return;
    const struct study_rate *rate = &study_rates[v[0].rate];
    ab->metric = STUDY_AB_KEY, ab->lower = rate->lower;
    snprintf(ab->key, sizeof ab->key, "%s", rate->key);
}

static int take_key(struct study_ab *ab, int side, const struct values *v, double *value, struct base_error *e) {
    if (!v->count)
        return base_fail(e, BASE_USAGE,
                         "%s: \"%s\" printed no record with a number above 0 at %s: add --json to the "
                         "command, or choose another --metric",
                         side_name(side), ab->command[side], ab->key);
    if (ab->records && v->count != ab->records)
        return base_fail(e, BASE_USAGE,
                         "%s: \"%s\" printed %d records with %s, where %d came before: give commands "
                         "that print equally many",
                         side_name(side), ab->command[side], v->count, ab->key, ab->records);
    ab->records = v->count;
    *value = exp(v->logs / v->count);
    return BASE_OK;
}

/* Sets this block's value of one side from what its command printed. */
static int take_value(struct study_ab *ab, int side, char *out, struct base_error *e) {
    double *value = &ab->value[side][ab->blocks];
    struct values v = {.key = ab->key, .rate = -1};
    read_records(&v, out);
    if (v.failed[0])
        return base_fail(e, BASE_BROKEN, "%s: \"%s\" printed a record that FAILED, so it has no rate: %s",
                         side_name(side), ab->command[side], v.failed);
    if (ab->metric == STUDY_AB_KEY) return take_key(ab, side, &v, value, e);
    *value = ab->metric == STUDY_AB_PRINTED ? last_number(out) : ab->samples[side].seconds[ab->blocks];
    if (*value > 0) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s: \"%s\" printed no number above 0 as its last number: print one, or choose "
                     "another --metric",
                     side_name(side), ab->command[side]);
}

/* CPU time of children that have ended, which a watch does not count as this process's own. */
static double children_s(void) {
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + 1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void look_around(const struct measure_watch *watch, struct measure_interference *now) {
    measure_watch_read(watch, now);
    now->own_s += children_s();
}

/* The last line of what a command said on standard error */
static const char *last_line(char *errors) {
    size_t length = strlen(errors);
    while (length && errors[length - 1] == '\n') errors[--length] = 0;
    const char *start = strrchr(errors, '\n');
    return start ? start + 1 : errors;
}

/* Runs one command; the caller frees end->out. */
static int run_command(struct study_ab *ab, int side, const struct measure_watch *watch, struct base_child_end *end,
                       struct base_error *e) {
    char *const command[] = {"sh", "-c", (char *)(uintptr_t)ab->command[side], NULL};
    const struct base_child_how how = {.limit_s = ab->limit_s, .most = OUTPUT_MOST};
    struct measure_interference before, after;
    look_around(watch, &before);
    const double start = base_clock_now();
    const int code = base_child_run(command, &how, end, e);
    if (code) return code;
    look_around(watch, &after);
    const struct measure_interference met = measure_interference_difference(&after, &before);
    measure_samples_add(&ab->samples[side], start, end->seconds, NULL, &met,
                        measure_interference_marks(&met, end->seconds, watch->cpus.count));
    if (end->late)
        return base_fail(e, BASE_BROKEN, "%s: \"%s\" ran longer than %g s: raise --timeout", side_name(side),
                         ab->command[side], ab->limit_s);
    if (end->size == OUTPUT_MOST)
        return base_fail(e, BASE_BROKEN,
                         "%s: \"%s\" printed more than %d MiB, of which the end is not read: let it print less",
                         side_name(side), ab->command[side], OUTPUT_MOST >> 20);
    /* toise's inconclusive runs have a rate, too */
    if (end->code == BASE_OK || (end->code == BASE_INCONCLUSIVE && strstr(end->out, "\"schema\""))) return BASE_OK;
    const char *said = last_line(end->errors);
    return base_fail(e, BASE_BROKEN, "%s: \"%s\" ended with exit code %d%s%s", side_name(side), ab->command[side],
                     end->code, *said ? ": " : "", said);
}

/* One run of each command. */
static int run_block(struct study_ab *ab, const struct measure_watch *watch, struct base_error *e) {
    struct base_child_end end[2] = {{0}, {0}};
    const int b = ab->blocks;
    int code = BASE_OK;
    ab->b_first[b] = base_random_u64(ab->seed, BASE_STREAM_STATS, (uint64_t)b) & 1;
    for (int turn = 0; turn < 2 && !code; turn++) {
        const int side = turn ^ ab->b_first[b];
        code = run_command(ab, side, watch, &end[side], e);
    }
    if (!code && ab->metric == STUDY_AB_AUTO) choose_metric(ab, (const char *const[]){end[0].out, end[1].out});
    for (int s = 0; s < 2 && !code; s++) code = take_value(ab, s, end[s].out, e);
    for (int s = 0; s < 2; s++) free(end[s].out);
    if (code) return code;
    for (int s = 0; s < 2 && b >= ab->warmup; s++)
        ab->log[s][b - ab->warmup] = ab->lower ? -log(ab->value[s][b]) : log(ab->value[s][b]);
    ab->blocks++;
    return BASE_OK;
}

int study_ab_run(struct study_ab *ab, struct base_error *e) {
    struct measure_watch watch;
    struct base_cpus cpus;
    const double start = base_clock_now();
    base_cpus_usable(&cpus);
    int code = measure_watch_open(&watch, &cpus, e);
    for (int s = 0; s < 2 && !code; s++)
        code = measure_samples_open(&ab->samples[s], ab->warmup + ab->rule.most, 0, NULL, e);
    ab->view = (struct study_ab_view){NAN, NAN, NAN, NAN, STUDY_INCONCLUSIVE, NAN, 0};
    base_child_hold_signals();
    while (!code && !ab->decided) {
        const int counted = ab->blocks - ab->warmup;
        if (counted >= ab->rule.most || (ab->budget_s > 0 && base_clock_now() - start >= ab->budget_s)) break;
        if ((code = run_block(ab, &watch, e))) break;
        if (counted + 1 >= 2) ab->view = study_ab_judge(&ab->rule, ab->log[0], ab->log[1], counted + 1);
        ab->decided = study_ab_look(&ab->rule, counted + 1) && ab->view.verdict != STUDY_INCONCLUSIVE;
        if (ab->on_block) ab->on_block(ab->context, ab);
    }
    base_child_release_signals();
    if (!ab->decided) ab->view.verdict = STUDY_INCONCLUSIVE;
    for (int s = 0; s < 2; s++) /* a block that broke off does not count */
        if (ab->samples[s].count > ab->blocks) ab->samples[s].count = ab->blocks;
    measure_watch_close(&watch);
    return code;
}

void study_ab_close(struct study_ab *ab) {
    for (int s = 0; s < 2; s++) measure_samples_close(&ab->samples[s]);
}
