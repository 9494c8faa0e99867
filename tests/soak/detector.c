/* SPDX-License-Identifier: Apache-2.0
 *
 * detector [SHARE]: scores the detector of slow nodes on made-up fleets whose noise is recorded. First the goals, then
 * the surface by number of nodes, their spread, and how slow a slow node is, as tables for harness/detect/README.md.
 * SHARE of the usual runs, default 1. Exits 1 if a goal is missed, or a printed smallest slowdown is not true. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/stats.h"
#include "unit/support/made_fleet.h"

enum { SAMPLES = 20, WINDOW = 2 * SAMPLES, SEVERITIES = 5, RUNS_MOST = 3000 };
static const double SEVERITY[SEVERITIES] = {0.02, 0.03, 0.05, 0.1, 0.2};
static const double SD = 0.02;

/* What all runs of a kind of fleet gave. */
struct score {
    int runs, alarmed;            /* healthy runs; those in which a node was called slow */
    double detectable;            /* median of the printed ones */
    int at_detectable;            /* runs in which a node slower by what was printed was found */
    int inside;                   /* and its true slowdown within its interval */
    long slow, found[SEVERITIES]; /* nodes made slow at each severity; those found */
    long wrongly[SEVERITIES];     /* healthy nodes called slow beside them */
};

/* A hundredth of the nodes, at least one, is slow by each severity of `chosen`, by number. */
static void slow_runs(struct made_fleet *fleet, const struct made_fleet_kind *kind, unsigned chosen,
                      struct score *score) {
    const int slow = kind->nodes > 200 ? kind->nodes / 100 : 1;
    score->slow += slow;
    for (int s = 0; s < SEVERITIES; s++) {
        if (!(chosen >> s & 1)) continue;
        int found = 0;
        for (int i = 0; i < slow; i++) made_fleet_slow(fleet, i, 1 + SEVERITY[s]);
        const int called = made_fleet_judge(fleet, kind);
        for (int i = 0; i < slow; i++) {
            found += fleet->judgement[i].verdict == DETECT_SLOW;
            made_fleet_slow(fleet, i, 1 / (1 + SEVERITY[s]));
        }
        score->found[s] += found, score->wrongly[s] += called - found;
    }
}

static void detectable_run(struct made_fleet *fleet, const struct made_fleet_kind *kind, struct score *score) {
    const double slowdown = fleet->found.detectable;
    made_fleet_slow(fleet, 0, 1 + slowdown);
    made_fleet_judge(fleet, kind);
    const struct detect_judgement *j = &fleet->judgement[0];
    score->at_detectable += j->verdict == DETECT_SLOW;
    score->inside += j->low <= slowdown && slowdown <= j->high;
    made_fleet_slow(fleet, 0, 1 / (1 + slowdown));
}

static struct score run(const struct made_fleet_kind *kind, int runs, unsigned severities) {
    struct score score = {.runs = runs};
    struct made_fleet fleet;
    double *printed = malloc((size_t)runs * sizeof *printed);
    made_fleet_open(&fleet, kind);
    for (int r = 0; r < runs; r++) {
        made_fleet_draw(&fleet, kind, (uint64_t)r + 1);
        score.alarmed += made_fleet_judge(&fleet, kind) > 0;
        printed[r] = fleet.found.detectable;
        detectable_run(&fleet, kind, &score);
        slow_runs(&fleet, kind, severities, &score);
    }
    score.detectable = base_stats_quantile(printed, runs, 0.5);
    made_fleet_close(&fleet), free(printed);
    return score;
}

static int missed;

/* What is printed holds within three standard errors of so many runs. */
static const char *judged(const struct score *s) {
    const double share = (double)s->at_detectable / s->runs, error = sqrt(DETECT_POWER * (1 - DETECT_POWER) / s->runs);
    if (share >= DETECT_POWER - 3 * error) return "";
    missed = 1;
    return " MISSED";
}

static double percent(long part, long whole) {
    return 100.0 * (double)part / (double)whole;
}

/* The share of nodes slower by `slowdown` that a test of means finds which knows their scale, were noise normal. */
static double found_by_means(const struct made_fleet_kind *kind, double slowdown) {
    double squares = 0;
    for (int i = 0; i < kind->noise->n; i++) {
        double mean = 0;
        for (int k = 0; k < kind->samples; k++) mean += noise_at(kind->noise, (uint64_t)i, k) / kind->samples;
        squares += mean * mean / kind->noise->n;
    }
    const double scale = hypot(kind->spread, kind->sd * sqrt(squares));
    const double limit = base_stats_student(1 - DETECT_ALPHA / kind->nodes, INFINITY);
    return base_stats_student_cdf(log1p(slowdown) / scale - limit, INFINITY);
}

/* Noise of computing is held to the goals; in fewer runs up to three standard errors of the count. */
static void goals(const struct noise *noise, enum noise_kind which, double share) {
    enum { AT = 2 };
    const struct made_fleet_kind kind = {1024, SAMPLES, 0.003, SD, noise};
    const int runs = (int)fmax(50, RUNS_MOST * share);
    const struct score s = run(&kind, runs, 1u << AT);
    const double alarms = percent(s.alarmed, runs), found = percent(s.found[AT], s.slow);
    const double most = runs < RUNS_MOST ? 0.01 * runs + 3 * sqrt(0.01 * runs) : 0.01 * runs;
    const bool met = s.alarmed <= most && found >= 95;
    printf("| %s | %d | %.2f%% | %.1f%% | %.1f%% | %.2f%% | %.1f%%%s | %.1f%% | %s |\n", noise->name, runs, alarms,
           found, 100 * found_by_means(&kind, SEVERITY[AT]), 100 * s.detectable, percent(s.at_detectable, runs),
           judged(&s), percent(s.inside, runs), met ? "met" : "missed");
    fflush(stdout);
    missed |= !met && which <= NOISE_CORE;
}

static void row(const struct noise *noise, int nodes, double spread, double share) {
    const struct made_fleet_kind kind = {nodes, SAMPLES, spread, SD, noise};
    const int runs = (int)fmax(20, fmin(2000, 4e5 / nodes) * share);
    const struct score s = run(&kind, runs, (1u << SEVERITIES) - 1);
    long wrongly = 0, found = 0;
    printf("| %d | %.1f%% | %d of %d | %.2f%% | %.1f%%%s |", nodes, 100 * spread, s.alarmed, runs, 100 * s.detectable,
           percent(s.at_detectable, runs), judged(&s));
    for (int i = 0; i < SEVERITIES; i++) {
        printf(" %.0f%% |", percent(s.found[i], s.slow));
        found += s.found[i], wrongly += s.wrongly[i];
    }
    printf(" %.2f%% |\n", found + wrongly ? percent(found, found + wrongly) : NAN);
    fflush(stdout);
}

static void surface(const struct noise *noise, double share) {
    static const int nodes[] = {16, 64, 256, 1024, 4096, 10000};
    static const double spreads[] = {0, 0.003, 0.01, 0.03};
    printf("\n%s\n\n| nodes | spread | false alarms | smallest, printed | and found | 2%% | 3%% | 5%% | 10%% | 20%% | "
           "precision |\n|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
           noise->name);
    for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++)
        for (size_t n = 0; n < sizeof nodes / sizeof *nodes; n++) row(noise, nodes[n], spreads[s], share);
}

int main(int argc, char **argv) {
    const double share = argc > 1 ? strtod(argv[1], NULL) : 1;
    struct noise noise;
    if (!(share > 0 && share <= 1)) {
        fputs("usage: detector [SHARE], above 0 and at most 1\n", stderr);
        return 2;
    }
    printf("1,024 nodes, spread 0.3%%, sample noise 2%%, 20 samples\n\n| noise | runs | false alarms | 5%% found | by "
           "means | smallest, printed | and found | in its interval | goals |\n"
           "|---|---:|---:|---:|---:|---:|---:|---:|---|\n");
    for (enum noise_kind k = 0; k < NOISE_KINDS; k++) {
        noise_open(&noise, k, WINDOW);
        goals(&noise, k, share);
        noise_close(&noise);
    }
    noise_open(&noise, NOISE_CORE, WINDOW); /* of the two, with fewer bursts and more noise between them */
    surface(&noise, share);
    noise_close(&noise);
    return missed;
}
