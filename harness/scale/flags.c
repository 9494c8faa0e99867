/* SPDX-License-Identifier: Apache-2.0
 *
 * What a reader of a curve must know of its points: efficiencies above 1 with their likely cause, and points that ran
 * elsewhere than the base. */
#include <math.h>
#include <string.h>

#include "inventory/hosts.h"
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

/* Switches above the ranks of a point's first run, from what its launch says of all its hosts; 0: unknown. */
static int switches_of(const struct scale_point *p) {
    const json_t *one, *rank, *record = p->runs->record;
    int count = 0;
    size_t i, k;
    json_array_foreach(record_at(record, "launch.switches"), i, one) {
        json_t *hosts = inventory_hosts_expand(record_text(one, "hosts")), *host;
        bool used = false;
        size_t h;
        json_array_foreach(record_at(record, "result.per_rank"), k, rank) json_array_foreach(hosts, h, host) used =
            used || !strcmp(json_string_value(host), record_text(rank, "host"));
        count += used;
        json_decref(hosts);
    }
    return count;
}

/* Ranks of a node, and switches above the nodes. */
static void topology(json_t *flags, const struct scale_point *base, const struct scale_point *p) {
    const double cpus = first_of(p, "machine.cpus"), threads = first_of(p, "layout.threads");
    const int above = switches_of(p), base_above = switches_of(base);
    char why[SCALE_WHY];
    if (above > 0 && base_above > 0 && above != base_above) {
        snprintf(why, sizeof why, "its nodes are below %d switches, the base's below %d", above, base_above);
        flag(flags, p, "other topology", why);
    }
    if (p->nodes < 1 || p->ranks < 1 || base->nodes < 1) return;
    const int own = (p->ranks + p->nodes - 1) / p->nodes, base_own = (base->ranks + base->nodes - 1) / base->nodes;
    if (own != base_own) {
        snprintf(why, sizeof why, "%d rank%s of a node share its memory bandwidth and clocks, in the base %d", own,
                 own == 1 ? "" : "s", base_own);
        flag(flags, p, "other topology", why);
    }
    if (cpus > 0 && own * threads > cpus) {
        snprintf(why, sizeof why, "%d rank%s of %.0f threads on a node of %.0f CPUs: this is no figure of the machine",
                 own, own == 1 ? "" : "s", threads, cpus);
        flag(flags, p, "oversubscribed", why);
    }
}

/* Whether all runs of two points have the same text at a path, as far as they have one. */
static bool same_text(const struct scale_point *base, const struct scale_point *p, const char *path) {
    const char *first = record_text(base->runs->record, path);
    const struct scale_point *both[] = {base, p};
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < both[k]->count; i++) {
            const char *text = record_text(both[k]->runs[i].record, path);
            if (*text && *first && strcmp(text, first) != 0) return false;
        }
    return true;
}

static void elsewhere(json_t *flags, const struct scale_curve *c, const struct scale_point *p) {
    const struct scale_point *base = &c->points[c->base];
    if (!shares_host(base, p)) flag(flags, p, "other nodes", "it ran on none of the base's nodes");
    if (!same_text(base, p, "machine.fingerprint"))
        flag(flags, p, "other machine",
             "not all of its runs' first nodes have the base's fingerprint: toise info shows what differs");
    if (!same_text(base, p, "launch.job"))
        flag(flags, p, "other job", "not all runs are of the base's job: drift between jobs counts as scaling");
    topology(flags, base, p);
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
