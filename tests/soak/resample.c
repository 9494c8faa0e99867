/* SPDX-License-Identifier: Apache-2.0
 *
 * resample FILE: replays toise ab on the times of real launches, one in a line of FILE, in the order in which they ran.
 * Each trial takes the launches of a stretch of time, so that bursts and drift stay together, and slows B by a known
 * share. Prints how often each verdict came, with the 95% interval of Clopper and Pearson (1934). Exits 1 if a goal is
 * missed that this noise allows.
 *
 * Trials overlap, so their intervals are narrower than those of as many independent trials would be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "study/ab.h"

enum { LAUNCHES = 1 << 20, TRIALS = 4000 };

static double seconds[LAUNCHES];
static const struct study_ab_rule USUAL = {.alpha = 0.025, .delta = 0.03, .least = 5, .most = 100};
static const struct study_ab_rule FINE = {.alpha = 0.025, .delta = 0.01, .least = 5, .most = 100};

/* One trial from launch `at` on: pairs of neighbours, in random order. */
static enum study_verdict trial(const struct study_ab_rule *rule, int n, int at, int number, double slower) {
    double log_rate[2][STUDY_AB_MOST];
    for (int b = 0; b < rule->most; b++) {
        const int first = base_random_u64(2, BASE_STREAM_TEST + (uint64_t)number, (uint64_t)b) & 1;
        for (int side = 0; side < 2; side++) {
            const int i = (at + 2 * b + (side ^ first)) % n;
            log_rate[side][b] = -log(seconds[i]) - side * log1p(slower);
        }
        if (!study_ab_look(rule, b + 1)) continue;
        const struct study_ab_view v = study_ab_judge(rule, log_rate[0], log_rate[1], b + 1);
        if (v.verdict != STUDY_INCONCLUSIVE) return v.verdict;
    }
    return STUDY_INCONCLUSIVE;
}

/* P(X <= k) of a binomial */
static double binomial(int k, int n, double p) {
    double sum = 0;
    for (int i = 0; i <= k; i++)
        sum += exp(lgamma(n + 1) - lgamma(i + 1) - lgamma(n - i + 1) + i * log(p) + (n - i) * log1p(-p));
    return sum;
}

/* The bound of k of n at which the tail beyond it is 2.5%. */
static double clopper(int k, int n, int upper) {
    if (upper ? k == n : k == 0) return upper;
    double low = 0, high = 1;
    for (int i = 0; i < 60; i++) {
        const double p = (low + high) / 2;
        const double tail = upper ? binomial(k, n, p) : 1 - binomial(k - 1, n, p);
        *((upper ? tail > 0.025 : tail < 0.025) ? &low : &high) = p;
    }
    return low;
}

struct outcome {
    int verdicts[STUDY_VERDICTS];
};

static struct outcome simulate(const struct study_ab_rule *rule, int n, double slower, int trials) {
    struct outcome o = {{0}};
    for (int t = 0; t < trials; t++) {
        const int at = (int)(base_random_u64(1, BASE_STREAM_TEST, (uint64_t)t) % (uint64_t)n);
        o.verdicts[trial(rule, n, at, t, slower)]++;
    }
    return o;
}

/* Prints the share of k of the trials, and returns the bound that decides. */
static double say(const char *what, int k, int upper) {
    const double low = clopper(k, TRIALS, 0), high = clopper(k, TRIALS, 1);
    printf("  %-44s %5.1f%% [%.1f%%, %.1f%%]\n", what, 100.0 * k / TRIALS, 100 * low, 100 * high);
    return upper ? high : low;
}

/* The blocks of the largest sd at which a difference is found with power 0.9 at the last look. */
static double blocks_for(double sd, double difference) {
    const struct study_ratio r = {
        .paired = true, .sd = {sd, sd}, .units = {USUAL.most, USUAL.most}, .df = USUAL.most - 1};
    return (double)study_ratio_needed(&r, difference, study_ab_spent(&USUAL, USUAL.most), 0.9);
}

/* sd of the logarithm of a pair's ratio, over neighbours in time */
static double pair_sd(int n) {
    double squares = 0;
    for (int i = 0; i + 1 < n; i += 2) squares += pow(log(seconds[i + 1] / seconds[i]), 2);
    return sqrt(squares / (n / 2));
}

/* A verdict that should come in at least this share of trials. */
struct goal {
    const char *text;
    const struct study_ab_rule *rule;
    double slower;
    enum study_verdict verdict;
    double share;
};

/* Blocks after which the goal is met on this noise, searched for in steps of a quarter. 0: not within what was timed.
 */
static int blocks_needed(const struct goal *g, int n) {
    enum { FEW = 1000 };
    struct study_ab_rule rule = *g->rule;
    for (rule.most = rule.most * 5 / 4; rule.most <= n / 4 && rule.most <= STUDY_AB_MOST; rule.most = rule.most * 5 / 4)
        if (simulate(&rule, n, g->slower, FEW).verdicts[g->verdict] >= g->share * FEW) return rule.most;
    return 0;
}

/* 1: missed, though normal noise of this sd would allow it. Where it would not, the goal is skipped. */
static int check(const struct goal *g, int n, double sd, const struct outcome *o, double normal_blocks) {
    char text[64];
    snprintf(text, sizeof text, "called %s", study_verdict_name(g->verdict));
    if (say(text, o->verdicts[g->verdict], 0) >= g->share) return 0;
    const bool allowed = normal_blocks <= g->rule->most;
    const int needed = blocks_needed(g, n);
    printf("%s: %s: pairs vary by %.2f%%, so %d blocks are too few; ", allowed ? "MISSED" : "SKIP", g->text, 100 * sd,
           g->rule->most);
    if (needed)
        printf("it takes about %d\n", needed);
    else
        printf("it takes more than %d\n", n / 4);
    return allowed;
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
    int n = 0, missed = 0;
    while (file && n < LAUNCHES && fscanf(file, "%lf", &seconds[n]) == 1) n++;
    if (n < 200) {
        fputs("usage: resample FILE, with the seconds of at least 200 launches\n", stderr);
        return 2;
    }
    fclose(file);
    const double sd = pair_sd(n);
    printf("%d launches; pairs of neighbours vary by %.2f%% (sd); %d trials of at most %d blocks\n", n, 100 * sd,
           TRIALS, USUAL.most);

    static const struct goal goals[] = {
        {"80% of equal commands equivalent at 3%", &USUAL, 0, STUDY_EQUIVALENT, 0.8},
        {"5% found with power 0.9", &USUAL, 0.05, STUDY_SLOWER, 0.9},
        {"2% found with power 0.9", &FINE, 0.02, STUDY_SLOWER, 0.9},
    };
    for (int i = 0; i < 3; i++) {
        const struct goal *g = &goals[i];
        printf("B slower by %.0f%%, alpha %.1f%%, delta %.0f%%\n", 100 * g->slower, 100 * g->rule->alpha,
               100 * g->rule->delta);
        const struct outcome o = simulate(g->rule, n, g->slower, TRIALS);
        missed |= check(g, n, sd, &o, blocks_for(sd, g->slower > 0 ? g->slower : g->rule->delta));
        if (g->slower > 0) continue;
        if (say("called different", o.verdicts[STUDY_FASTER] + o.verdicts[STUDY_SLOWER], 1) <= 0.05) continue;
        puts("MISSED: false alarms at most 5%");
        missed = 1;
    }
    return missed;
}
