/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses the launches that count. A launch that does not is counted with the reason; one that FAILED is kept as such,
 * for a machine that computes wrong results keeps no pledge. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accept/parts.h"
#include "records/set.h"
#include "study/node.h"

static void leave_out(struct accept *a, const char *why) {
    record_set_integer(a->left_out, why, record_whole(a->left_out, why) + 1);
}

static bool is_work(const struct accept *a, const json_t *record) {
    return !strcmp(record_text(record, "workload.name"), a->tender.workload) &&
           !strcmp(record_text(record, "workload.precision"), a->tender.precision);
}

/* Why a launch of the right work does not count; NULL: it does. */
static const char *why_not(const struct accept *a, const json_t *record, const json_t *seen) {
    const double minutes = a->tender.pledged[ACCEPT_SUSTAINED],
                 rate = record_real(record, "result.tokens_per_s_per_node");
    const long long nodes = record_whole(record, "layout.nodes");
    const bool copy = nodes == a->tender.copy_nodes;
    if (json_object_get(a->resumed, record_text(record, "launch.id"))) return "that another launch went on with";
    if (record_at(record, "result.stopped")) return "stopped early";
    if (!record_at(record, "result.residual.loss")) return "trained without a gate";
    if (!(rate > 0) || !isfinite(rate)) return "without a rate";
    if (!copy && nodes != a->tender.efficiency_nodes) return "on another number of nodes";
    if (json_object_get(seen, record_text(record, "launch.id"))) return "of a launch that was counted already";
    if (copy && !isnan(minutes) && !(record_real(record, "result.wall_s") >= 60 * minutes))
        return "shorter than the pledged minutes";
    return NULL;
}

/* The rate of the last quarter of the steps, at least one. */
static double late_rate(const json_t *record, double rate) {
    const json_t *steps = record_at(record, "samples.step_s");
    const size_t n = json_array_size(steps), last = (n + 3) / 4;
    double all = 0, late = 0;
    for (size_t i = 0; i < n; i++) {
        const double s = json_number_value(json_array_get(steps, i));
        all += s;
        if (i + last >= n) late += s;
    }
    return n ? rate * (all / (double)n) / (late / (double)last) : NAN;
}

/* Machines may share names, so the CPU is part of a node's. */
static void add_hosts(struct accept *a, const json_t *record) {
    json_t *hosts = study_hosts_of(record), *unused;
    const char *host;
    json_object_foreach(hosts, host, unused) {
        char name[512];
        snprintf(name, sizeof name, "%.200s: %.200s", record_text(record, "machine.cpu"), host);
        json_object_set_new(a->hosts, name, json_true());
    }
    json_decref(hosts);
}

/* The place's number; new places are numbered on. */
static int place_of(struct accept *a, const json_t *record) {
    char *name = study_node_of(record);
    const json_t *known = json_object_get(a->places, name ? name : "");
    const int next = (int)json_object_size(a->places);
    if (!known) json_object_set_new(a->places, name ? name : "", json_integer(next));
    const int number = known ? (int)json_integer_value(known) : next;
    free(name);
    return number;
}

static void add_launch(struct accept *a, const json_t *record) {
    const double rate = record_real(record, "result.tokens_per_s_per_node");
    const bool large = record_whole(record, "layout.nodes") != a->tender.copy_nodes;
    const double joules = record_real(record, "result.energy.joules_per_token");
    const char *why = record_text(record, "result.energy.why"), *job = record_text(record, "launch.job");
    a->launch[a->launches++] =
        (struct accept_launch){place_of(a, record), large, rate, late_rate(record, rate), joules > 0 ? joules : NAN};
    json_object_set_new(a->jobs, *job ? job : record_text(record, "launch.id"), json_true());
    if (large) return;
    add_hosts(a, record);
    if (!(joules > 0) && !a->unmeasured) a->unmeasured = *why ? why : "the record has no energy";
}

static void add_failed(struct accept *a, const struct record_loaded *l) {
    char *node = study_node_of(l->record);
    json_array_append_new(a->failed, json_pack("{s:s, s:i, s:s, s:s}", "path", l->path, "line", (int)l->line, "place",
                                               node ? node : "", "why", record_text(l->record, "why")));
    free(node);
}

/* Figures of two versions of toise are of two programs. */
static int check_version(const struct record_loaded *first, const struct record_loaded *l, struct base_error *e) {
    const char *one = record_text(first->record, "version"), *other = record_text(l->record, "version");
    if (!strcmp(one, other)) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "%s line %ld is of toise %.32s, and %s line %ld of %.32s: a tender takes records of one version",
                     first->path, first->line, one, l->path, l->line, other);
}

static int choose(struct accept *a, json_t *seen, struct base_error *e) {
    const struct record_loaded *first = NULL;
    for (size_t i = 0; i < a->list.count; i++) {
        const struct record_loaded *l = &a->list.at[i];
        const char *status = record_text(l->record, "status"), *id = record_text(l->record, "launch.id"), *why = NULL;
        if (strcmp(record_text(l->record, "kind"), "train") != 0)
            why = "of another kind";
        else if (!strcmp(status, "UNVERIFIED"))
            why = "imported, so nobody checked them";
        else if (!is_work(a, l->record))
            why = "of another workload or precision";
        else if (record_injected(l->record))
            why = "with faults of --inject, which measured no machine";
        const bool failed = !why && !strcmp(status, "FAILED");
        if (failed) add_failed(a, l);
        if (!why && !failed) why = why_not(a, l->record, seen);
        if (why) leave_out(a, why);
        if (why || failed) continue;
        const int code = first ? check_version(first, l, e) : BASE_OK;
        if (code) return code;
        if (!first) first = l;
        if (*id) json_object_set_new(seen, id, json_true());
        add_launch(a, l->record);
    }
    return BASE_OK;
}

static int by_place(const void *a, const void *b) {
    const struct accept_launch *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

static int name_places(struct accept *a, struct base_error *e) {
    const char *name;
    json_t *number;
    a->name = malloc((json_object_size(a->places) + 1) * sizeof *a->name);
    if (!a->name) return base_fail(e, BASE_BROKEN, "out of memory for %zu places", json_object_size(a->places));
    json_object_foreach(a->places, name, number) a->name[json_integer_value(number)] = name;
    return BASE_OK;
}

/* Without any launch of the work, the files are the wrong ones. */
static int check_any(const struct accept *a, const char *path, struct base_error *e) {
    const char *why, *most = "";
    json_t *count;
    json_int_t records = 0;
    if (a->launches || json_array_size(a->failed)) return BASE_OK;
    json_object_foreach(a->left_out, why, count) {
        if (json_integer_value(count) <= records) continue;
        records = json_integer_value(count), most = why;
    }
    return base_fail(e, BASE_USAGE,
                     "%s: no record is of a launch of %s in %s on %lld node%s; of %zu records, %lld are %s", path,
                     a->tender.workload, a->tender.precision, (long long)a->tender.copy_nodes,
                     a->tender.copy_nodes == 1 ? "" : "s", a->list.count, (long long)records, most);
}

int accept_load(struct accept *a, const char *tender, const char *const *paths, int count, bool skip_bad,
                struct base_error *e) {
    *a = (struct accept){.places = json_object(),
                         .hosts = json_object(),
                         .failed = json_array(),
                         .left_out = json_object(),
                         .jobs = json_object()};
    json_t *seen = json_object();
    int code = accept_tender_read(tender, &a->tender, e);
    if (!code) code = record_load(&a->list, paths, count, skip_bad, e);
    if (!code) a->launch = malloc((a->list.count + 1) * sizeof *a->launch);
    if (!code && !a->launch) code = base_fail(e, BASE_BROKEN, "out of memory for %zu records", a->list.count);
    a->resumed = record_resumed(a->list.at, a->list.count);
    if (!code) code = choose(a, seen, e);
    if (!code) code = check_any(a, paths[0], e);
    if (!code) code = name_places(a, e);
    if (!code) qsort(a->launch, (size_t)a->launches, sizeof *a->launch, by_place);
    json_decref(seen);
    return code;
}

void accept_close(struct accept *a) {
    accept_tender_close(&a->tender), record_list_close(&a->list);
    free(a->launch), free(a->name);
    json_decref(a->places), json_decref(a->hosts), json_decref(a->failed), json_decref(a->left_out);
    json_decref(a->jobs), json_decref(a->resumed);
}

int accept_make(const char *tender, const char *const *paths, int count, bool skip_bad, json_t **record,
                enum accept_verdict *verdict, struct base_error *e) {
    struct accept a;
    int code = accept_load(&a, tender, paths, count, skip_bad, e);
    json_t *made = code ? NULL : accept_record(&a, verdict);
    if (!code && !made) code = base_fail(e, BASE_BROKEN, "out of memory for the verdict");
    if (!code) *record = made;
    accept_close(&a);
    return code;
}
