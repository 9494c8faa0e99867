/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges a group of launches and writes its record. */
#include "study/launches_record.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stats.h"
#include "records/set.h"

enum { MOST_NEEDED = 1000000 };

/* Half the 95% interval of n launches' mean, if their standard deviation is sd. */
static double half_of(double sd, long n) {
    return base_stats_student(0.975, (double)(n - 1)) * sd / sqrt((double)n);
}

/* The least n whose interval is narrow enough. The half-width falls with n. */
static long needed_for(double sd, double half) {
    long low = 1, high = 2; /* low is too few */
    while (high <= MOST_NEEDED && half_of(sd, high) > half) low = high, high *= 2;
    if (high > MOST_NEEDED) return 0;
    while (high - low > 1) {
        const long middle = (low + high) / 2;
        *(half_of(sd, middle) > half ? &low : &high) = middle;
    }
    return high;
}

struct study_launches_mean study_launches_mean(const double *rates, int n, double ci) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) mean += 1 / rates[i] / n;
    for (int i = 0; i < n; i++) squares += (1 / rates[i] - mean) * (1 / rates[i] - mean);
    struct study_launches_mean m = {1 / mean, NAN, NAN, NAN, 0};
    if (n < 2) return m;
    const double sd = sqrt(squares / (n - 1)), half = half_of(sd, n);
    m.low = 1 / (mean + half);
    m.high = half < mean ? 1 / (mean - half) : INFINITY;
    m.half_width = half / mean;
    if (ci > 0) m.needed = needed_for(sd, ci * mean);
    return m;
}

static const char *status_of(const json_t *record) {
    return record_text(record, "status");
}

static const char *const statuses[] = {"PASSED", "UNVERIFIED", "INCONCLUSIVE", "FAILED", "BROKEN"};

const char *study_launch_status_name(enum study_launch_status status) {
    return statuses[status];
}

enum study_launch_status study_launch_status_of(const json_t *record) {
    if (record_true(record, "result.interval.too_wide")) return STUDY_LAUNCH_PASSED;
    for (int i = 0; i <= STUDY_LAUNCH_BROKEN; i++)
        if (!strcmp(status_of(record), statuses[i])) return (enum study_launch_status)i;
    return STUDY_LAUNCH_INCONCLUSIVE;
}

/* Above 0; NAN: none. */
static double rate_of(const json_t *record, const char *key) {
    const double rate = record_real(record, key);
    return rate > 0 && isfinite(rate) ? rate : NAN;
}

static int marked_of(const json_t *record) {
    const json_t *marks = record_at(record, "samples.marks"), *of_step;
    size_t i;
    int marked = 0;
    json_array_foreach(marks, i, of_step) marked += json_array_size(of_step) > 0;
    return marked;
}

static json_t *launch_of(const struct record_loaded *from, const char *key) {
    const json_t *r = from->record;
    json_t *o = json_object();
    record_set(o, "id", json_string(record_text(r, "launch.id")));
    record_set(o, "time", json_string(record_text(r, "time")));
    record_set(o, "status", json_string(status_of(r)));
    if (record_at(r, "why")) record_set(o, "why", json_string(record_text(r, "why")));
    record_set_number(o, "rate", rate_of(r, key));
    record_set_number(o, "half_width", record_real(r, "result.interval.half_width"));
    record_set_integer(o, "samples", (int64_t)json_array_size(record_at(r, "samples.marks")));
    record_set_integer(o, "disturbed", marked_of(r));
    if (from->path) record_set(o, "path", json_string(from->path)), record_set_integer(o, "line", from->line);
    if (from->sha256[0]) record_set(o, "sha256", json_string(from->sha256));
    return o;
}

/* What a group comes to. */
struct judged {
    const char *status;
    char why[512];
    double *rates; /* of the launches that have one */
    int n;
    struct study_launches_mean mean;
    json_t *counts; /* of each status */
};

/* The worst status of single launches decides before the interval does. */
static void judge_single(struct judged *j, const struct study_group *g) {
    int worst = 0, count = 0;
    const char *why = "";
    for (size_t i = 0; i < g->count; i++) {
        const int bad = (int)study_launch_status_of(g->launch[i]->record);
        if (bad > worst) worst = bad, count = 0, why = record_text(g->launch[i]->record, "why");
        count += bad == worst;
    }
    if (worst) {
        j->status = statuses[worst];
        snprintf(j->why, sizeof j->why, "%d of %zu launch%s: %.400s", count, g->count, g->count == 1 ? "" : "es", why);
    } else if ((size_t)j->n < g->count) {
        j->status = statuses[STUDY_LAUNCH_INCONCLUSIVE];
        snprintf(j->why, sizeof j->why, "%zu of %zu launches have no rate", g->count - (size_t)j->n, g->count);
    }
}

static void judge_interval(struct judged *j, double ci) {
    const double half = j->mean.half_width;
    j->status = isnan(ci) || half <= ci ? "PASSED" : "INCONCLUSIVE";
    if (isnan(ci) || half <= ci) return;
    if (isnan(half)) {
        snprintf(j->why, sizeof j->why, "one launch has no interval over launches: make at least three");
        return;
    }
    const int used =
        snprintf(j->why, sizeof j->why, "the mean of %d launches is known to +-%.3g%%, not to the +-%.3g%% asked for",
                 j->n, 100 * half, 100 * ci);
    const long more = j->mean.needed - j->n;
    if (more > 0)
        snprintf(j->why + used, sizeof j->why - (size_t)used, ": about %ld more launch%s needed", more,
                 more == 1 ? " is" : "es are");
    else
        snprintf(j->why + used, sizeof j->why - (size_t)used, ": over a million launches are needed");
}

static bool judge(struct judged *j, const struct study_group *g, double ci) {
    if (!(j->rates = malloc(g->count * sizeof *j->rates))) return false;
    j->counts = json_object();
    for (size_t i = 0; i < g->count; i++) {
        const json_t *r = g->launch[i]->record;
        const double rate = rate_of(r, g->kind->key);
        const char *status = *status_of(r) ? status_of(r) : "without a status";
        if (!isnan(rate)) j->rates[j->n++] = rate;
        record_set_integer(j->counts, status, record_whole(j->counts, status) + 1);
    }
    judge_single(j, g);
    if (j->n) j->mean = study_launches_mean(j->rates, j->n, ci);
    if (!j->status) judge_interval(j, ci);
    return true;
}

/* The median over launches of a figure that is not averaged. */
static double median_of(const struct study_group *g, const char *key, double *x) {
    int n = 0;
    for (size_t i = 0; i < g->count; i++) {
        x[n] = record_real(g->launch[i]->record, key);
        n += isfinite(x[n]);
    }
    return n ? base_stats_quantile(x, n, 0.5) : NAN;
}

/* Rates, unless a launch failed: then the others' say nothing, either. */
static json_t *result_of(const struct study_group *g, struct judged *j, double ci) {
    const json_t *first = g->launch[0]->record;
    const bool failed = !strcmp(j->status, "FAILED") || !strcmp(j->status, "BROKEN");
    const double flop = record_real(first, "ledger.model_flop"),
                 tokens = (double)(record_whole(first, "config.global_batch") * record_whole(first, "config.seq"));
    const double nodes = (double)record_whole(first, "layout.nodes");
    json_t *o = json_object();
    record_set(o, "unit", json_string("launch"));
    record_set_integer(o, "launches", (int64_t)g->count);
    record_set(o, "statuses", json_incref(j->counts));
    if (g->twice) record_set_integer(o, "met_again", g->twice);
    record_set_number(o, "asked", ci);
    if (failed || !j->n) return o;
    record_set(o, "rate_of", json_string(strchr(g->kind->key, '.') + 1));
    record_set(o, "rate_unit", json_string(*g->kind->unit ? g->kind->unit : record_text(first, "result.unit")));
    record_set_number(o, "rate", j->mean.rate);
    record_set_number(o, "rate_low", j->mean.low);
    record_set_number(o, "rate_high", j->mean.high);
    record_set_number(o, "half_width", j->mean.half_width);
    if (!isnan(ci)) record_set(o, "needed", j->mean.needed > 0 ? json_integer(j->mean.needed) : json_null());
    if (flop > 0 && tokens > 0 && nodes > 0) {
        record_set_number(o, "mean_step_s", tokens / nodes / j->mean.rate);
        record_set_number(o, "model_flop_per_s_per_node", flop / tokens * j->mean.rate);
    }
    base_stats_sort(j->rates, j->n);
    record_set_number(o, "rate_lowest", j->rates[0]);
    record_set_number(o, "rate_highest", j->rates[j->n - 1]);
    record_set_number(o, "rate_median", base_stats_quantile(j->rates, j->n, 0.5));
    record_set_number(o, "mfu", median_of(g, "result.mfu", j->rates));
    if (record_text(first, "result.mfu_of")[0])
        record_set(o, "mfu_of", json_string(record_text(first, "result.mfu_of")));
    record_set_lower_bound(o, record_at(first, "machine"));
    return o;
}

json_t *study_launches_record(const struct study_group *g, double ci) {
    static const char *const copied[] = {"workload", "config", "layout", "machine", NULL};
    static const char *const work[] = {"op",    "name",  "shape", "dtype", "variant", "bytes",
                                       "group", "redop", "root",  "place", "metric",  NULL};
    const json_t *first = g->launch[0]->record;
    const char *job = record_text(first, "launch.job");
    struct judged j = {0};
    if (!judge(&j, g, ci)) return NULL;
    json_t *o = record_head("launches", RECORD_PASSED, j.why), *launches = json_array(), *of = json_object();
    record_set(o, "status", json_string(j.status));
    record_set(of, "kind", json_string(g->kind->kind));
    for (const char *const *k = work; *k; k++) json_object_set(of, *k, json_object_get(record_at(first, "result"), *k));
    record_set(of, "job", strcmp(job, record_text(first, "launch.id")) ? json_string(job) : json_null());
    record_set(o, "of", of);
    for (const char *const *k = copied; *k; k++) json_object_set(o, *k, json_object_get(first, *k));
    for (size_t i = 0; i < g->count; i++) json_array_append_new(launches, launch_of(g->launch[i], g->kind->key));
    record_set(o, "samples", json_pack("{s:o}", "launches", launches));
    record_set(o, "result", result_of(g, &j, ci));
    json_decref(j.counts);
    free(j.rates);
    return o;
}

int study_launches_code(const json_t *summaries, struct base_error *e) {
    static const struct {
        const char *status, *text;
        int code;
    } worst[] = {{"BROKEN", "broken", BASE_BROKEN},
                 {"FAILED", "FAILED", BASE_NO},
                 {"INCONCLUSIVE", "inconclusive", BASE_INCONCLUSIVE},
                 {"UNVERIFIED", "unverified", BASE_INCONCLUSIVE}};
    const json_t *s;
    size_t i;
    for (size_t w = 0; w < sizeof worst / sizeof *worst; w++)
        json_array_foreach(summaries, i, s) if (!strcmp(status_of(s), worst[w].status)) return base_fail(
            e, worst[w].code, "%s: %s", worst[w].text, record_text(s, "why"));
    return BASE_OK;
}
