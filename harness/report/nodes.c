/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "nodes": what was timed, the nodes that are not good, what the run could have found, and the line
 * for sbatch. However many nodes there are, the page stays a screen or two long. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

enum { BAD = 40, NAME = 48 };

static void head(FILE *out, const json_t *record) {
    const json_t *layout = record_at(record, "layout"), *c = record_at(record, "config");
    const long long nodes = record_whole(layout, "nodes"), ranks = record_whole(layout, "world");
    const long long rounds = record_whole(record, "result.rounds");
    fprintf(out, "\ntoise nodes   %lld node%s, %lld rank%s of %lld thread%s   %lld round%s   ", nodes,
            report_plural(nodes), ranks, report_plural(ranks), record_whole(layout, "threads"),
            report_plural(record_whole(layout, "threads")), rounds, report_plural(rounds));
    report_status(out, record_text(record, "status"));
    fputs("\n\nstep         ", out);
    report_clean(out, record_text(c, "model"), NAME);
    fprintf(out, ", %lld x %lld tokens, %s, on each rank by itself\n", record_whole(c, "global_batch"),
            record_whole(c, "seq"), record_text(c, "precision"));
}

/* How a quantity is shown: a time, or the inverse of one. */
static const struct quantity {
    const char *key, *name, *unit;
    bool inverse;
} QUANTITIES[] = {
    {"step_s", "step", "s", false},
    {"core_s_per_flop", "core clock", "FLOP/s", true},
    {"memory_s_per_byte", "memory", "B/s", true},
    {"link_s", "link", "s", false},
};
enum { COUNT = sizeof QUANTITIES / sizeof *QUANTITIES };

static void figure(FILE *out, const struct quantity *q, double seconds) {
    char text[32], cell[48];
    base_text_si(q->inverse ? 1 / seconds : seconds, text, sizeof text);
    snprintf(cell, sizeof cell, "%s%s", text, q->unit);
    fprintf(out, "%14s", isfinite(seconds) && seconds > 0 ? cell : "-");
}

static void share(FILE *out, double x) {
    char text[32];
    snprintf(text, sizeof text, x < 0.1 ? "%.2f%%" : x <= 1 ? "%.0f%%" : ">100%%", 100 * x);
    fprintf(out, "%12s", isfinite(x) ? text : "-");
}

/* A table of what was timed. */
static void quantities(FILE *out, const json_t *all) {
    bool assumed = false;
    fprintf(out, "\n%-12s%14s%14s%14s%12s%12s%12s\n", "", "median", "fastest", "slowest", "noise", "spread", "caught");
    for (int i = 0; i < COUNT; i++) {
        const struct quantity *q = &QUANTITIES[i];
        const json_t *x = record_at(all, q->key);
        if (isnan(record_real(x, "median"))) continue;
        fprintf(out, "%-12s", q->name);
        figure(out, q, record_real(x, "median"));
        figure(out, q, record_real(x, "least"));
        figure(out, q, record_real(x, "most"));
        share(out, record_real(x, "noise"));
        share(out, record_real(x, "spread"));
        share(out, record_real(x, "caught"));
        fputc('\n', out);
        assumed = assumed || record_true(x, "spread_assumed");
    }
    fprintf(out,
            "noise: of a sample; spread: between healthy nodes%s; caught: a node slower by so much is named, 95%% of "
            "the time\n",
            assumed ? ", assumed, as they are few" : "");
}

/* What earlier runs said, if there were any. */
static void history(FILE *out, const json_t *o) {
    const char *word = record_text(o, "history");
    const long long runs = record_whole(o, "runs_before"), bad = record_whole(o, "bad_before");
    if (runs && !strcmp(word, "new"))
        fprintf(out, "; new: good in %lld earlier run%s", runs, report_plural(runs));
    else if (runs)
        fprintf(out, "; %s: bad in %lld of %lld earlier run%s", word, bad, runs, report_plural(runs));
}

static void node(FILE *out, const json_t *o) {
    const bool slow = !strcmp(record_text(o, "verdict"), "slow");
    fputs("  ", out);
    report_clean(out, record_text(o, "name"), NAME);
    fprintf(out, "   %s", record_text(o, "verdict"));
    if (slow) fprintf(out, " (%s)", record_text(o, "cause"));
    fputs(": ", out);
    report_clean(out, record_text(o, "why"), 200);
    if (slow)
        fprintf(out, " [%.1f%%, %.1f%%], p %.2g", 100 * record_real(o, "slowdown_low"),
                100 * record_real(o, "slowdown_high"), record_real(o, "p"));
    if (record_at(o, "rank")) fprintf(out, "; rank %lld", record_whole(o, "rank"));
    history(out, o);
    fputc('\n', out);
}

static void bad(FILE *out, const json_t *nodes) {
    const json_t *o;
    size_t i, shown = 0, count = 0;
    json_array_foreach(nodes, i, o) {
        if (!strcmp(record_text(o, "verdict"), "good")) continue;
        if (!count++) fputs("\nnot good:\n", out);
        if (shown < BAD) node(out, o), shown++;
    }
    if (count > shown) fprintf(out, "  and %zu more, which the record has\n", count - shown);
}

/* Nodes that were disturbed, whatever their verdict. */
static void unsteady(FILE *out, const json_t *nodes) {
    const json_t *o;
    size_t i, count = 0;
    json_array_foreach(nodes, i, o) {
        if (!record_true(o, "unsteady")) continue;
        if (count < BAD) fputs(count ? ", " : "unsteady     ", out), report_clean(out, record_text(o, "name"), NAME);
        count++;
    }
    if (count > BAD) fprintf(out, " and %zu more", count - BAD);
    if (count) fputs(": slow for most of the run, but not in their faster samples; run again\n", out);
}

static void bits(FILE *out, const json_t *record) {
    const long long unchecked = record_whole(record, "result.unchecked");
    const size_t units = json_array_size(record_at(record, "result.nodes"));
    const char *of = record_text(record, "result.of");
    fprintf(out, "\nbits         compared between ranks of one fingerprint, threads and caches");
    if (unchecked)
        fprintf(out, "; %lld of %zu %s%s unchecked, as no majority of such peers confirms %s", unchecked, units, of,
                unchecked == 1 ? " is" : "s are", unchecked == 1 ? "it" : "them");
    fputc('\n', out);
}

static void links(FILE *out, const json_t *l) {
    char bytes[32];
    const json_t *slowest = json_array_get(record_at(l, "slowest"), 0);
    if (!record_whole(l, "all")) return;
    base_text_bytes(record_real(l, "message_bytes"), bytes, sizeof bytes);
    fprintf(out, "links        %lld of %lld seen (%.3g%%), messages of %s", record_whole(l, "seen"),
            record_whole(l, "all"), 100 * record_real(l, "share"), bytes);
    if (slowest) {
        char rate[32];
        base_text_si(record_real(slowest, "byte_per_s"), rate, sizeof rate);
        fprintf(out, "; the slowest once: %sB/s, ", rate);
        report_clean(out, record_text(slowest, "a"), NAME);
        fputs(" and ", out);
        report_clean(out, record_text(slowest, "b"), NAME);
    }
    fputc('\n', out);
}

void report_nodes(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result");
    head(out, record);
    quantities(out, record_at(r, "quantities"));
    bits(out, record);
    if (*record_text(r, "injected")) {
        fputs("injected     ", out);
        report_clean(out, record_text(r, "injected"), 100);
        fputs(": so this run measured no machine\n", out);
    }
    links(out, record_at(r, "links"));
    if (*record_text(record, "why")) fprintf(out, "%-12s %s\n", "verdict", record_text(record, "why"));
    unsteady(out, record_at(r, "nodes"));
    bad(out, record_at(r, "nodes"));
    if (*record_text(r, "exclude")) fprintf(out, "\n--exclude=%s\n", record_text(r, "exclude"));
    fflush(out);
}
