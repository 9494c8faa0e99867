/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reader of a curve must know of its points: efficiencies above 1 with their likely cause, and points that ran
 * elsewhere than the base. */
#include <math.h>
#include <string.h>

#include "scale/parts.h"

static const double NOTABLE = 0.01; /* a smaller difference explains nothing */

static void flag(json_t *flags, const struct scale_point *p, const char *name, const char *why) {
    json_array_append_new(flags, json_pack("{s:i, s:s, s:s}", "n", p->n, "flag", name, "why", why));
}

/* Share of a point's steps that were disturbed. */
static double disturbed(const struct scale_point *p) {
    size_t steps = 0, marked = 0, i;
    const json_t *marks;
    for (int k = 0; k < p->count; k++) json_array_foreach(record_at(p->runs[k].record, "samples.marks"), i, marks) {
            steps++;
            marked += json_array_size(marks) > 0;
        }
    return steps ? (double)marked / (double)steps : 0;
}

static double mean_of(const struct scale_point *p, const char *path) {
    double sum = 0;
    for (int k = 0; k < p->count; k++) sum += record_real(p->runs[k].record, path) / p->count;
    return sum;
}

/* The first run's; records of a layout have it as a whole number. */
static double first_of(const struct scale_point *p, const char *path) {
    return (double)record_whole(p->runs->record, path);
}

/* The likely cause of an efficiency above 1. The base alone, or the point, is unlike the others. */
static void superlinear_cause(const struct scale_point *base, const struct scale_point *p, char *why, size_t size) {
    const double micro = first_of(p, "layout.micro_batch"), base_micro = first_of(base, "layout.micro_batch");
    const double memory = mean_of(p, "ledger.memory_bytes_per_rank"),
                 base_memory = mean_of(base, "ledger.memory_bytes_per_rank");
    const double peak = mean_of(p, "result.peak_flop_per_s") / p->ranks,
                 base_peak = mean_of(base, "result.peak_flop_per_s") / base->ranks;
    if (disturbed(base) > disturbed(p) + NOTABLE)
        snprintf(why, size, "the base was disturbed: %.0f%% of its steps, %.0f%% here", 100 * disturbed(base),
                 100 * disturbed(p));
    else if (peak > base_peak * (1 + NOTABLE))
        snprintf(why, size, "a rank's measured peak is %.1f%% higher than in the base: clocks or neighbours",
                 100 * (peak / base_peak - 1));
    else if (micro > base_micro)
        snprintf(why, size, "the micro-batch is %.0f, in the base %.0f: larger matmuls", micro, base_micro);
    else if (memory < base_memory * (1 - NOTABLE))
        snprintf(why, size, "a rank has %.0f%% less memory than in the base: caches hold more of it",
                 100 * (1 - memory / base_memory));
    else
        snprintf(why, size, "no cause is on record: compare the phases of both records");
}

static void superlinear(json_t *flags, const struct scale_curve *c, const struct scale_point *p) {
    const struct scale_point *base = &c->points[c->base];
    char why[SCALE_WHY], cause[160];
    if (!(p->efficiency.value > 1 + 1e-9)) return;
    if (p->efficiency.low > 1) {
        superlinear_cause(base, p, cause, sizeof cause);
        snprintf(why, sizeof why, "efficiency %.3f is above 1: %s", p->efficiency.value, cause);
    } else if (isnan(p->efficiency.low)) {
        snprintf(why, sizeof why, "efficiency %.3f is above 1, and nothing says how sure it is: give more runs",
                 p->efficiency.value);
    } else {
        snprintf(why, sizeof why, "efficiency %.3f is above 1 within its noise: from %.3f on", p->efficiency.value,
                 p->efficiency.low);
    }
    flag(flags, p, "superlinear", why);
}

/* Whether a host of the base's first run is among the point's. */
static bool shares_host(const struct scale_point *base, const struct scale_point *p) {
    const json_t *mine, *theirs;
    size_t i, k;
    for (int r = 0; r < p->count; r++)
        json_array_foreach(record_at(base->runs->record, "result.per_rank"), i, theirs)
            json_array_foreach(record_at(p->runs[r].record, "result.per_rank"), k,
                               mine) if (!strcmp(record_text(mine, "host"), record_text(theirs, "host"))) return true;
    return !json_array_size(record_at(p->runs->record, "result.per_rank")) ||
           !json_array_size(record_at(base->runs->record, "result.per_rank"));
}

static void elsewhere(json_t *flags, const struct scale_curve *c, const struct scale_point *p) {
    const struct scale_point *base = &c->points[c->base];
    const char *job = record_text(p->runs->record, "launch.job"),
               *base_job = record_text(base->runs->record, "launch.job");
    const char *print = record_text(p->runs->record, "machine.fingerprint"),
               *base_print = record_text(base->runs->record, "machine.fingerprint");
    const double cpus = first_of(p, "machine.cpus"), threads = first_of(p, "layout.threads");
    char why[SCALE_WHY];
    if (!shares_host(base, p)) flag(flags, p, "other nodes", "it ran on none of the base's nodes");
    if (*print && *base_print && strcmp(print, base_print) != 0)
        flag(flags, p, "other machine",
             "its first node's fingerprint is not the base's: toise info shows what differs");
    if (strcmp(job, base_job) != 0)
        flag(flags, p, "other job", "the base ran in another job: drift between jobs counts as scaling");
    if (p->nodes < 1 || p->ranks < 1) return;
    const int own = (p->ranks + p->nodes - 1) / p->nodes,
              base_own = (base->ranks + base->nodes - 1) / (base->nodes ? base->nodes : 1);
    if (base->nodes > 0 && own != base_own) {
        snprintf(why, sizeof why, "%d rank%s of a node share its memory bandwidth and clocks, in the base %d", own,
                 own == 1 ? "" : "s", base_own);
        flag(flags, p, "other topology", why);
    }
    if (cpus > 0 && own * threads > cpus) {
        snprintf(why, sizeof why, "%d ranks of %.0f threads on a node of %.0f CPUs: this is no figure of the machine",
                 own, threads, cpus);
        flag(flags, p, "oversubscribed", why);
    }
}

/* A weak curve's batches differ: only a run in one sweep can compare the samples that base and point share. Seeds that
 * differ leave nothing to compare in a strong one. */
static void unchecked(json_t *flags, const struct scale_curve *c, const struct scale_point *p) {
    const struct scale_run *base = c->points[c->base].runs;
    bool compared = true;
    for (int i = 0; i < p->count; i++) {
        const json_t *r = p->runs[i].record;
        const bool seeds = record_whole(r, "config.seed") == record_whole(base->record, "config.seed");
        compared = compared && (record_at(r, "result.residual.base") || (c->mode == RECORD_STRONG && seeds));
    }
    if (!compared && p->status != STUDY_LAUNCH_UNVERIFIED)
        flag(flags, p, "unchecked", "its losses were not compared with the base's: only its own gate passed");
}

json_t *scale_flags(const struct scale_curve *c) {
    json_t *flags = json_array();
    if (c->base > 0) flag(flags, &c->points[c->base], "base", "it is the base, as no smaller point has a rate");
    for (int k = 0; k < c->count && c->base >= 0; k++) {
        if (!scale_point_rated(&c->points[k])) continue;
        if (k != c->base) superlinear(flags, c, &c->points[k]), unchecked(flags, c, &c->points[k]);
        elsewhere(flags, c, &c->points[k]);
    }
    return flags;
}
