/* SPDX-License-Identifier: Apache-2.0
 *
 * The ratio of two sides' rates, with an interval that holds at five launches a side.
 *
 * The estimate is the ratio of geometric means, new over base: it is the same for rates and times, and launches that
 * are slowed by a factor stay comparable. The interval is Welch's t of the logarithms (Welch 1947), which studentises
 * and lets the sides vary differently. A percentile bootstrap of five against five errs 12% for a nominal 5%. Inverting
 * permutations errs up to 9% where the sides vary differently. tests/unit/study/test_ratio.c simulates the coverage: at
 * least 93% for normal, skewed, bursty, block-wise correlated and unequally varying noise at 5, 5 and 10, and 10
 * launches. It does not hold if only one side has rare bursts: five launches can miss them all. */
#ifndef TOISE_STUDY_RATIO_H
#define TOISE_STUDY_RATIO_H

#include <stdbool.h>

#include "base/error.h"

#define STUDY_ALPHA 0.05 /* error of an interval and of a verdict */
#define STUDY_POWER 0.9  /* of the smallest detectable difference */
enum { STUDY_LAUNCHES_LEAST = 5, STUDY_UNITS_LEAST = 3 };

/* What was replicated, lowest first. Steps of one launch are correlated, so a launch is the least unit. */
enum study_level { STUDY_LEVEL_LAUNCH, STUDY_LEVEL_JOB, STUDY_LEVEL_DAY, STUDY_LEVEL_NODE };
const char *study_level_name(enum study_level level); /* "launch", ... */

struct study_launch {
    double log;                 /* natural logarithm of the launch's rate */
    int launch, job, node, day; /* equal numbers are the same one, also across sides and pairs; below STUDY_IDS */
};
enum { STUDY_IDS = 1 << 28 };

/* The mean of all launches of a job, day or node, or a launch. */
struct study_unit {
    int id, launches;
    double log;
};
/* Fills units[n] with those of the launches, by ascending id. Returns how many there are. */
int study_units(const struct study_launch *launches, int n, enum study_level level, struct study_unit *units);

struct study_ratio {
    double log, se, df; /* of the ratio's logarithm; se and df NAN if a side has fewer than two units */
    double sd[2];       /* of the logarithm between units: base, new; paired: of the differences, both */
    int units[2];       /* base, new; paired: pairs, both */
    bool paired;
    enum study_level level;
};

/* Compares independent units: base[n] against new[m], as logarithms. */
struct study_ratio study_ratio_welch(const double *base, int n, const double *new, int m);
/* Compares pairs, such as interleaved blocks, or nodes that ran both sides. What a pair shares cancels. */
struct study_ratio study_ratio_paired(const double *base, const double *new, int n);
/* Compares launches at the highest level that has at least STUDY_UNITS_LEAST units on both sides: means of nodes, else
 * of days, else of jobs, else the launches. Nodes are paired if both sides ran on the same ones. BASE_BROKEN: out of
 * memory. */
int study_ratio_launches(const struct study_launch *base, int n, const struct study_launch *new, int m,
                         struct study_ratio *r, struct base_error *e);

/* A pair of sides that do the same work. */
struct study_sides {
    const struct study_launch *base, *new;
    int n, m;
    const struct study_ratio *ratio; /* from study_ratio_launches */
};
/* The geometric mean of the ratios of all pairs. Launches, jobs or nodes that several pairs share, such as those of
 * many kernels, are counted once: the variance is that of their sums over pairs (Liang and Zeger 1986). The degrees of
 * freedom are the least of any pair. BASE_BROKEN: out of memory. */
int study_ratio_overall(const struct study_sides *pairs, int count, struct study_ratio *r, struct base_error *e);

/* The interval of the ratio itself with confidence 1 - alpha. NAN: unknown. */
double study_ratio_low(const struct study_ratio *r, double alpha);
double study_ratio_high(const struct study_ratio *r, double alpha);
/* The p value that the ratio is 1. Two-sided. */
double study_ratio_p(const struct study_ratio *r);
/* The p value that the ratio is outside [1 / (1 + delta), 1 + delta]: two one-sided tests (Schuirmann 1987), doubled.
 * It is at most alpha exactly if the interval of alpha is inside. */
double study_ratio_p_outside(const struct study_ratio *r, double delta);
/* The smallest difference that these samples find with this power: a ratio of 1.02 is 0.02. */
double study_ratio_detectable(const struct study_ratio *r, double alpha, double power);
/* The units a side that would find this difference. -1: unknown, or over a million. */
long study_ratio_needed(const struct study_ratio *r, double difference, double alpha, double power);

/* Adjusts n p values for each other (Holm 1979). NAN: not tested, stays. At most 1. BASE_BROKEN: out of memory. */
int study_holm(double *p, int n, struct base_error *e);

#endif
