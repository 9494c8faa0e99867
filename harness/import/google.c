/* SPDX-License-Identifier: Apache-2.0
 *
 * Google Benchmark's JSON (JSONReporter in its src/json_reporter.cc) as records of kind "kernel", one for each
 * benchmark. Repetitions are samples. Aggregates (mean, median, cv, BigO ...) are not: they are kept apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "import/job.h"

/* Keys that are no counters of the user. */
static const char *const own_keys[] = {"name",
                                       "family_index",
                                       "per_family_instance_index",
                                       "run_name",
                                       "run_type",
                                       "repetitions",
                                       "iterations",
                                       "repetition_index",
                                       "threads",
                                       "real_time",
                                       "cpu_time",
                                       "time_unit",
                                       "label",
                                       "error_occurred",
                                       "error_message",
                                       "skipped",
                                       "skip_message",
                                       "aggregate_name",
                                       "aggregate_unit",
                                       "big_o",
                                       "rms",
                                       "cpu_coefficient",
                                       "real_coefficient"};

struct document {
    struct import_job *job;
    const json_t *context;
    json_t *records; /* by the benchmark's name; borrowed in job->records */
};

/* Seconds in a unit; 0: unknown. */
static double unit_of(const json_t *run) {
    static const char *const names[] = {"ns", "us", "ms", "s"};
    static const double seconds[] = {1e-9, 1e-6, 1e-3, 1};
    const int i = base_text_find(record_text(run, "time_unit"), names, 4);
    return i < 0 ? 0 : seconds[i];
}

static json_t *machine_of(const struct document *d, json_t *machine) {
    const char *host = record_text(d->context, "host_name");
    if (!d->job->options->node && *host) record_set(machine, "host", json_string(host));
    if (record_whole(d->context, "num_cpus") > 0)
        record_set_integer(machine, "cpus", record_whole(d->context, "num_cpus"));
    if (record_real(d->context, "mhz_per_cpu") > 0)
        record_set_number(machine, "max_hz", 1e6 * record_real(d->context, "mhz_per_cpu"));
    return machine;
}

/* The record of a benchmark, made when it is first named. */
static json_t *record_of(const struct document *d, const json_t *run, const char *name) {
    json_t *record = json_object_get(d->records, name), *result = json_object();
    if (record) return json_decref(result), record;
    record =
        import_record(d->job, "kernel", RECORD_UNVERIFIED, "from Google Benchmark: toise checked nothing", 1, 0, 0);
    machine_of(d, json_object_get(record, "machine"));
    record_set(result, "op", json_string(name));
    const long threads = record_whole(run, "threads");
    if (threads > 0) record_set_integer(result, "threads", threads);
    if (record_text(run, "label")[0]) record_set(result, "label", json_string(record_text(run, "label")));
    record_set(record, "result", result);
    record_set(record, "samples", json_pack("{s:[], s:[], s:[]}", "call_s", "cpu_s", "calls"));
    record_set(record, "layout", threads > 0 ? json_pack("{s:I}", "threads", (json_int_t)threads) : json_object());
    json_object_set(d->records, name, record);
    return record;
}

/* Counters of a run go to lists in samples.counters, those of an aggregate to its object. */
static void take_counters(const json_t *run, json_t *to, bool sample) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)run, key, value) {
        json_t *list = json_object_get(to, key);
        if (!json_is_number(value) || base_text_find(key, own_keys, sizeof own_keys / sizeof *own_keys) >= 0) continue;
        if (!sample) {
            json_object_set(to, key, value);
            continue;
        }
        if (!list) record_set(to, key, list = json_array());
        json_array_append(list, value);
    }
}

static void take_repetition(json_t *record, const json_t *run, double unit) {
    json_t *samples = json_object_get(record, "samples"), *counters = json_object_get(samples, "counters");
    json_array_append_new(json_object_get(samples, "call_s"), record_number(unit * record_real(run, "real_time")));
    json_array_append_new(json_object_get(samples, "cpu_s"), record_number(unit * record_real(run, "cpu_time")));
    json_array_append_new(json_object_get(samples, "calls"), json_integer(record_whole(run, "iterations")));
    if (!counters) record_set(samples, "counters", counters = json_object());
    take_counters(run, counters, true);
}

static void take_aggregate(json_t *record, const json_t *run, double unit) {
    json_t *result = json_object_get(record, "result"), *all = json_object_get(result, "aggregates"),
           *one = json_object();
    const bool share = !strcmp(record_text(run, "aggregate_unit"), "percentage");
    if (!all) record_set(result, "aggregates", all = json_object());
    record_set_number(one, share ? "call" : "call_s", (share ? 1 : unit) * record_real(run, "real_time"));
    record_set_number(one, share ? "cpu" : "cpu_s", (share ? 1 : unit) * record_real(run, "cpu_time"));
    take_counters(run, one, false);
    record_set(all, record_text(run, "aggregate_name"), one);
}

/* A benchmark that stopped with an error has no rate. */
static void take_error(json_t *record, const char *message) {
    record_set(record, "status", json_string("FAILED"));
    record_set(record, "why", json_sprintf("Google Benchmark: %s", *message ? message : "an error without a message"));
    record_set(record, "samples", json_object());
}

static int take(const struct document *d, const json_t *run, size_t number) {
    const char *name = record_text(run, "run_name");
    if (!*name) name = record_text(run, "name"); /* before 1.5 */
    const bool aggregate = !strcmp(record_text(run, "run_type"), "aggregate");
    const bool fit = json_object_get(run, "big_o") || json_object_get(run, "rms");
    const bool error = record_true(run, "error_occurred"), skipped = json_object_get(run, "skipped") != NULL;
    const double unit = unit_of(run), time_s = unit * record_real(run, "real_time");
    if (!*name) return import_bad(d->job, 0, "benchmarks[%zu] has no name", number);
    if (fit) return BASE_OK; /* a curve over sizes, not a time */
    json_t *record = record_of(d, run, name);
    if (error || skipped) {
        take_error(record, record_text(run, error ? "error_message" : "skip_message"));
    } else if (!unit) {
        return import_bad(d->job, 0, "benchmarks[%zu] \"%.80s\": time_unit is \"%.16s\"; toise reads ns, us, ms and s",
                          number, name, record_text(run, "time_unit"));
    } else if (aggregate) {
        take_aggregate(record, run, unit);
    } else if (!(time_s > 0) || !isfinite(time_s)) {
        return import_bad(d->job, 0, "benchmarks[%zu] \"%.80s\": real_time is not a number above 0", number, name);
    } else {
        take_repetition(record, run, unit);
    }
    return BASE_OK;
}

/* The median of the repetitions; of aggregates alone the median that Google Benchmark computed. */
static void finish(json_t *record) {
    const json_t *samples = json_object_get(record, "samples"), *counters = json_object_get(samples, "counters");
    json_t *result = json_object_get(record, "result");
    const size_t n = record_reals(samples, "call_s", NULL, 0);
    double *x = malloc((n + 1) * sizeof *x);
    if (!x || !strcmp(record_text(record, "status"), "FAILED")) {
        free(x);
        return;
    }
    import_set_median(result, "call_s", x, (int)record_reals(samples, "call_s", x, n));
    if (!n) record_set_number(result, "call_s", record_real(result, "aggregates.median.call_s"));
    if (n && record_reals(counters, "bytes_per_second", x, n) == n)
        record_set_number(result, "byte_per_s", base_stats_median(x, (int)n, 0.95).median);
    free(x);
}

int import_google_benchmark(struct import_job *job, const json_t *json) {
    const json_t *runs = json_object_get(json, "benchmarks"), *run;
    struct document d = {.job = job, .context = json_object_get(json, "context"), .records = json_object()};
    const char *name;
    json_t *record;
    int code = BASE_OK;
    size_t i;
    json_array_foreach(runs, i, run) if (!code) code = take(&d, run, i);
    json_object_foreach(d.records, name, record) finish(record);
    if (!code && !json_object_size(d.records))
        code = base_fail(job->e, BASE_USAGE, "%s: \"benchmarks\" has no benchmark that can be used", job->path);
    json_decref(d.records);
    return code;
}
