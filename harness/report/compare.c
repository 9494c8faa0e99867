/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "compare" as a page: the verdict, how sure it is, likely causes, pairs, and what was left out. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

enum { LISTED = 20 }; /* rows of a list, unless all are wanted */

/* In a table's column, or in a sentence: 0 wide. */
static void print_p(FILE *out, int width, double p) {
    char text[16] = "-";
    if (p < 1e-15)
        snprintf(text, sizeof text, "<1e-15");
    else if (!isnan(p))
        snprintf(text, sizeof text, p < 1e-4 ? "%.0e" : "%.4f", p);
    fprintf(out, " %*s", width, text);
}

/* "0.842 [0.830, 0.854]"; a dash if unknown */
static void print_interval(FILE *out, const json_t *o) {
    const double ratio = record_real(o, "ratio"), low = record_real(o, "low"), high = record_real(o, "high");
    char text[64] = "-";
    if (!isnan(ratio) && isnan(low)) snprintf(text, sizeof text, "%.4f", ratio);
    if (!isnan(low)) snprintf(text, sizeof text, "%.4f [%.4f, %.4f]", ratio, low, high);
    fprintf(out, "%-25s", text);
}

/* "launches", "jobs", "nodes" */
static const char *units_of(const json_t *o) {
    const char *unit = record_text(o, "unit");
    return !strcmp(unit, "launch") ? "launches" : !strcmp(unit, "job") ? "jobs" : "nodes";
}

/* A JSON value in a few characters: a text without its quotes. */
static void print_value(FILE *out, const json_t *value) {
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    report_clean(out, json_is_string(value) ? json_string_value(value) : text ? text : "-", 60);
    free(text);
}

static void print_difference(FILE *out, const json_t *d) {
    report_clean(out, record_text(d, "key"), 100), fputs(": ", out);
    print_value(out, record_at(d, "base")), fputs(" | ", out), print_value(out, record_at(d, "new"));
}

static const char *path_of(const json_t *record, long long side) {
    const char *path = json_string_value(json_array_get(record_at(record, "config.sides"), (size_t)side));
    return path ? path : "";
}

/* One side against the first: the verdict and how sure it is. */
static void verdict(FILE *out, const json_t *record, const json_t *o) {
    const long long side = record_whole(o, "side"), needed = record_whole(o, "needed"),
                    pairs_used = record_whole(o, "pairs_used");
    const double ratio = record_real(o, "ratio"), delta = record_real(record, "config.delta");
    const char *units = units_of(o);
    char base[64], new[64];
    base_text_path(path_of(record, 0), base, sizeof base), base_text_path(path_of(record, side), new, sizeof new);
    fprintf(out, "verdict     %s: %s%s%s", new, record_text(o, "verdict"), *record_text(o, "why") ? ": " : "",
            record_text(o, "why"));
    if (record_true(o, "unverified")) fputs(" (of UNVERIFIED figures)", out);
    if (record_true(o, "unchecked")) fputs(" (of launches without a gate)", out);
    if (isnan(ratio)) {
        fputc('\n', out);
        return;
    }
    fputs("\nratio       ", out);
    print_interval(out, o);
    fprintf(out, " of the rates, over %s: ", base);
    fprintf(out, "%+.2f%%, %.0f%% interval, p", 100 * (ratio - 1), 100 * record_real(record, "config.confidence"));
    print_p(out, 0, record_real(o, "p"));
    if (pairs_used > 1) fprintf(out, "\n            mean of %lld works, each with the same weight", pairs_used);
    fprintf(out, "\n            of %s; %s are the units, %lld against %lld\n", record_text(o, "of"), units,
            json_integer_value(json_array_get(record_at(o, "units"), 0)),
            json_integer_value(json_array_get(record_at(o, "units"), 1)));
    fprintf(out, "could show  %.2g%% with power %.2g; ", 100 * record_real(o, "detectable"),
            record_real(record, "config.power"));
    if (needed)
        fprintf(out, "%.3g%% takes %lld %s a side\n", 100 * delta, needed, units);
    else
        fprintf(out, "%.3g%% takes over a million %s a side\n", 100 * delta, units);
}

static void cause(FILE *out, const json_t *c, size_t pairs) {
    const json_t *figure;
    size_t i;
    fprintf(out, "%s", record_text(c, "cause"));
    if (record_at(c, "key")) fputs(" (", out), print_difference(out, c), fputc(')', out);
    if (record_at(c, "lost_new"))
        fprintf(out, " (%.1f%% | %.1f%% of the CPU time)", 100 * record_real(c, "lost_base"),
                100 * record_real(c, "lost_new"));
    json_array_foreach(record_at(c, "agrees"), i, figure)
        fprintf(out, "%s %s", i ? "," : "; moved with it:", json_string_value(figure));
    if (pairs > 1) fprintf(out, "; in %lld of %zu pairs", record_whole(c, "pairs"), pairs);
    fputc('\n', out);
}

static void causes(FILE *out, const json_t *o) {
    const json_t *c, *list = record_at(o, "causes");
    const size_t pairs = (size_t)(record_whole(o, "pairs_used") + record_whole(o, "pairs_too_few"));
    size_t i;
    json_array_foreach(list, i, c) {
        fputs(i ? "            " : "likely      ", out);
        cause(out, c, pairs);
    }
}

static void sides(FILE *out, const json_t *list) {
    const json_t *s;
    size_t i;
    json_array_foreach(list, i, s) {
        char path[64];
        const size_t failed = json_array_size(record_at(s, "failed")),
                     again = json_array_size(record_at(s, "duplicates"));
        const long long launches = record_whole(s, "launches"), jobs = record_whole(s, "jobs"),
                        nodes = record_whole(s, "nodes");
        base_text_path(record_text(s, "path"), path, sizeof path);
        fprintf(out, "%-11s %s: %lld launch%s of %lld job%s", i ? "new" : "base", path, launches,
                launches == 1 ? "" : "es", jobs, report_plural(jobs));
        if (nodes) fprintf(out, " on %lld node%s", nodes, report_plural(nodes));
        if (failed) fprintf(out, "; %zu FAILED, without a rate", failed);
        if (record_whole(s, "inconclusive")) fprintf(out, "; %lld INCONCLUSIVE alone", record_whole(s, "inconclusive"));
        if (record_whole(s, "unchecked")) fprintf(out, "; %lld without a gate", record_whole(s, "unchecked"));
        if (record_whole(s, "unverified")) fprintf(out, "; %lld UNVERIFIED", record_whole(s, "unverified"));
        if (again) fprintf(out, "; %zu counted once", again);
        if (record_whole(s, "not_compared")) fprintf(out, "; %lld of other kinds", record_whole(s, "not_compared"));
        fputc('\n', out);
    }
}

static void pair(FILE *out, const json_t *p) {
    enum { WIDTH = 44 };
    const char *unit = record_text(p, "rate_unit"), *work = record_text(p, "work");
    const int length = (int)strlen(work);
    char base[32], new[32];
    base_text_si(record_real(p, "base.rate"), base, sizeof base),
        base_text_si(record_real(p, "new.rate"), new, sizeof new);
    report_clean(out, work, WIDTH);
    fprintf(out, "%*s %9s %9s ", length < WIDTH ? WIDTH - length : 0, "", base, new);
    report_clean(out, unit, 10), fprintf(out, "%*s ", strlen(unit) < 10 ? 10 - (int)strlen(unit) : 0, "");
    print_interval(out, p);
    print_p(out, 8, record_real(p, "p_holm"));
    fprintf(out, " %4lld %4lld  %s\n", record_whole(p, "base.launches"), record_whole(p, "new.launches"),
            record_text(p, "verdict"));
}

/* A side's pairs with this verdict. Returns how many pairs were shown or hidden by now. */
static size_t pairs_of(FILE *out, const json_t *list, long long side, const char *verdict, bool all, size_t count) {
    const json_t *p;
    size_t i;
    json_array_foreach(list, i, p) {
        if (record_whole(p, "side") != side || strcmp(record_text(p, "verdict"), verdict) != 0) continue;
        if (all || count < LISTED) pair(out, p);
        count++;
    }
    return count;
}

static void pairs(FILE *out, const json_t *record, bool all) {
    static const char *const order[] = {"slower", "faster", "inconclusive", "equivalent"};
    const json_t *list = record_at(record, "result.pairs");
    const long long sides = (long long)json_array_size(record_at(record, "config.sides"));
    size_t count = 0;
    fprintf(out, "\n%-44s %9s %9s %-10s %-25s %8s %9s  %s\n", "work", "base", "new", "", "ratio, 95% interval",
            "p (Holm)", "launches", "verdict");
    for (long long side = 1; side < sides; side++) {
        char path[64];
        base_text_path(path_of(record, side), path, sizeof path);
        if (sides > 2 && (all || count < LISTED)) fprintf(out, "%s\n", path);
        for (int i = 0; i < 4; i++) count = pairs_of(out, list, side, order[i], all, count);
    }
    if (!all && count > LISTED) fprintf(out, "and %zu more pairs: --all lists them\n", count - LISTED);
}

/* The parts of the step, if there is one pair. */
static void figures(FILE *out, const json_t *p) {
    const char *name;
    json_t *f;
    const json_t *list = record_at(p, "figures");
    if (json_object_size(list) < 2) return;
    fputs("\nparts, as speeds\n", out);
    json_object_foreach((json_t *)list, name, f) {
        fprintf(out, "  %-42s ", name);
        print_interval(out, f);
        print_p(out, 8, record_real(f, "p"));
        fputc('\n', out);
    }
}

/* What a reader must know of one side of a pair. Returns whether there was something. */
static bool side_cautions(FILE *out, const json_t *p, const char *side) {
    const bool nodes = !strcmp(record_text(p, "unit"), "node"), launches = !strcmp(record_text(p, "unit"), "launch");
    const json_t *g = record_at(p, side);
    const long long count = record_whole(g, "launches"), jobs = record_whole(g, "jobs"), n = record_whole(g, "nodes");
    const double spread = record_real(g, "node_spread");
    const bool same_job = launches && jobs < count;
    const bool spreads = n > 1 && !isnan(spread);
    if (same_job)
        fprintf(out,
                "caution     %s: %lld launches are of %lld job%s, and launches of one job are not independent jobs\n",
                side, count, jobs, report_plural(jobs));
    if (spreads && nodes)
        fprintf(out, "nodes       %s: vary by %.2f%% (standard deviation of %lld)\n", side, 100 * spread, n);
    else if (spreads)
        fprintf(out,
                "caution     %s: nodes vary by %.2f%% (standard deviation of %lld); fewer than three a side speak for "
                "themselves alone\n",
                side, 100 * spread, n);
    return same_job || spreads;
}

/* Those of the first pair that needs any; the others are alike. */
static void cautions(FILE *out, const json_t *list) {
    const json_t *p;
    size_t i;
    json_array_foreach(list, i, p) {
        const bool drift = json_is_false(record_at(p, "in_turns"));
        if (drift)
            fputs("caution     the sides were measured one after the other on the same nodes: drift counts as a "
                  "difference; launch them in turns\n",
                  out);
        const bool base = side_cautions(out, p, "base"), new = side_cautions(out, p, "new");
        if (drift || base || new) return;
    }
}

static void left_out(FILE *out, const json_t *record, bool all) {
    const json_t *list = record_at(record, "result.unpaired"), *u, *s, *f;
    size_t i, k;
    json_array_foreach(list, i, u) {
        if (i == LISTED && !all) {
            fprintf(out, "not paired  and %zu more: --all lists them\n", json_array_size(list) - i);
            break;
        }
        char path[64];
        base_text_path(record_text(u, "path"), path, sizeof path);
        fprintf(out, "not paired  %s line %lld, ", path, record_whole(u, "line"));
        report_clean(out, record_text(u, "work"), 100);
        fprintf(out, ": %s", record_text(u, "why"));
        if (json_is_object(record_at(u, "differs"))) fputs("; ", out), print_difference(out, record_at(u, "differs"));
        fputc('\n', out);
    }
    static const struct {
        const char *key, *head;
    } kinds[] = {{"failed", "FAILED"}, {"injected", "left out"}, {"duplicates", "counted"}};
    json_array_foreach(record_at(record, "result.sides"), i, s) {
        for (int n = 0; n < 3; n++) {
            json_array_foreach(record_at(s, kinds[n].key), k, f) {
                if (k == LISTED && !all) break;
                char path[64];
                base_text_path(record_text(f, "path"), path, sizeof path);
                fprintf(out, "%-11s %s line %lld: ", kinds[n].head, path, record_whole(f, "line"));
                report_clean(out, record_text(f, "why"), 300), fputc('\n', out);
            }
        }
    }
    if (record_whole(record, "config.skipped_lines"))
        fprintf(out, "skipped     %lld lines that are not records\n", record_whole(record, "config.skipped_lines"));
}

static void differences(FILE *out, const json_t *p, bool all) {
    const json_t *list = record_at(p, "differences"), *d;
    size_t i;
    json_array_foreach(list, i, d) {
        if (i == LISTED && !all) {
            fprintf(out, "differs     and %zu more: --all lists them\n", json_array_size(list) - i);
            return;
        }
        fputs("differs     ", out), print_difference(out, d), fputc('\n', out);
    }
}

/* A verdict says nothing of works that only one side did. */
static void unpaired(FILE *out, const json_t *result) {
    const size_t pairs = json_array_size(record_at(result, "pairs")),
                 alone = json_array_size(record_at(result, "unpaired"));
    size_t failed = 0, i;
    const json_t *s;
    json_array_foreach(record_at(result, "sides"), i, s) failed += json_array_size(record_at(s, "failed"));
    if (failed) fprintf(out, "   without %zu launch%s that FAILED", failed, failed == 1 ? "" : "es");
    if (alone)
        fprintf(out, "   of %zu work%s; %zu not compared, see below", pairs, report_plural((long long)pairs), alone);
}

void report_compare(FILE *out, const json_t *record, bool all) {
    const json_t *result = record_at(record, "result"), *against = record_at(result, "against"), *o,
                 *first = json_array_get(record_at(result, "pairs"), 0);
    size_t i;
    fprintf(out, "toise compare   %s", record_text(result, "verdict"));
    unpaired(out, result);
    fputs("\n\n", out);
    if (json_array_size(against)) {
        json_array_foreach(against, i, o) verdict(out, record, o), causes(out, o);
    } else {
        verdict(out, record, result), causes(out, result);
    }
    sides(out, record_at(result, "sides"));
    cautions(out, record_at(result, "pairs"));
    pairs(out, record, all);
    if (json_array_size(record_at(result, "pairs")) == 1) figures(out, first);
    fputc('\n', out);
    left_out(out, record, all);
    differences(out, first, all);
}
