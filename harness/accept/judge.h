/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the slowest of many places keeps a pledge. A place is a node, or the nodes that a launch took together.
 *
 * x is the logarithm of a launch's figure over the pledged one: 0 is as pledged, below is worse. The worst place's true
 * mean lies in an interval whose bounds each hold with their confidence:
 *   low   the least of all places' lower bounds, 95% each: the worst place's own bound is above its mean in 5%
 *   high  the least of all places' upper bounds, together 1 - 5% / items (Bonferroni over places and items)
 * A pledge is broken if high < 0, and kept if low > log(1 - tolerance). So a machine whose worst place is at its pledge
 * fails in at most 5%, and one at 1 - tolerance of it passes in at most 5%. Each bound is Student's t. Its standard
 * deviation is the place's own or the pooled one of all places, whichever is larger: a burst protects its own place.
 * Its degrees of freedom are the pooled ones for `high`, and the place's own for `low`, as noise may be skewed. */
#ifndef TOISE_ACCEPT_JUDGE_H
#define TOISE_ACCEPT_JUDGE_H

#define ACCEPT_ALPHA 0.05
#define ACCEPT_POWER 0.9      /* of `needed` */
enum { ACCEPT_LAUNCHES = 5 }; /* of a place; with fewer nothing is decided */

struct accept_place {
    const double *x; /* [launches] */
    int launches;
    const char *name;
};

enum accept_verdict { ACCEPT_KEPT, ACCEPT_BROKEN, ACCEPT_UNDECIDED };

struct accept_judgement {
    enum accept_verdict verdict;
    int worst;            /* the place with the least mean; -1: there is none */
    double at, low, high; /* the worst place's mean, and the interval, as shares of the pledged: 1 is as pledged */
    double sd;            /* of a launch, pooled, of the logarithm; NAN: no place has two */
    int least;            /* launches of the place with the fewest */
};

/* What places are compared with if it is not the pledge: the mean and the median of their means, with variances.
 * INFINITY: no place has two launches. The median of places that are alike has pi / 2 times the mean's variance; of
 * places that differ it is the middle one's mean, or that of the two in the middle. The larger variance counts. */
struct accept_typical {
    double mean, mean_variance, median, median_variance;
};
/* count >= 1. Sorts the places by their means. */
struct accept_typical accept_typical(struct accept_place *places, int count);

/* Judges places[count]. extra: variance of what all x are compared with, 0 if it is the pledge itself. items: pledges
 * judged together. Undecided without enough launches. */
struct accept_judgement accept_judge(const struct accept_place *places, int count, double extra, int items,
                                     double tolerance);
/* Launches of each of `count` places with which a machine at its pledge passes with ACCEPT_POWER, if a launch varies by
 * this sd, which includes that of what it is compared with. 0: unknown, or over a million. */
long accept_needed(double sd, int count, double tolerance);

#endif
