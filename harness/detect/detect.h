/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of many alike nodes are slow? Judges one quantity, a time, of which every node has some samples.
 *
 * A node's levels are the median and the lower quartile of the logarithms of its samples. Each is compared with the
 * median of the group's. The scale of healthy nodes' levels comes from all of them, robustly (reweighted MAD; Rousseeuw
 * and Croux 1993). So it holds all that makes healthy nodes differ: spread between nodes, noise of samples, and its
 * correlation in time. A node that is noisier than the others gets a wider scale. A group of fewer than DETECT_FLEET
 * nodes cannot show its spread, which is then assumed.
 *
 * A node is slow if its median - typical > t x scale, where t is Student's quantile of 1 - alpha / (nodes x quantities)
 * (Bonferroni). So all false alarms of a run together have at most the probability alpha. Its quartile must be slow
 * too, at the level DETECT_ALSO of its own: noise lengthens, and a burst that takes most of a run moves the median but
 * leaves the faster samples alone. A slow node has no fast samples.
 *
 * The room detect/ promises verdicts on nodes with their false alarms bounded, and the smallest slowdown that a run
 * could have caught. It needs base/ alone. It does not know what was timed, and who ran it. README.md has its score. */
#ifndef TOISE_DETECT_H
#define TOISE_DETECT_H

#include <stdbool.h>

#include "base/error.h"

/* Probability of any false alarm in a run of healthy nodes: half of the 1 in 100 that is promised. */
#define DETECT_ALPHA 0.005
#define DETECT_ALSO 0.0001 /* of a single node, for the quartile */
#define DETECT_POWER 0.95  /* with which the detectable slowdown is found */
#define DETECT_SPREAD 0.01 /* assumed between a few healthy nodes: a standard deviation, as a share */
#define DETECT_LEAST 0.01  /* smaller slowdowns are no reason to leave a node out */
enum {
    DETECT_SAMPLES = 5, /* a node with fewer samples is not judged */
    DETECT_PEERS = 3,   /* nor is a group of fewer nodes: of two that differ, either may be the slow one */
    DETECT_FLEET = 8    /* from so many nodes on, their spread is estimated */
};

struct detect_node {
    const double *seconds; /* [samples], in the order of time; above 0. Of rates give the inverses */
    int samples;
    int group; /* nodes of one group are alike: same machine, software and work. Any number */
};

struct detect_options {
    double alpha, power, spread, least; /* 0: as above */
    int quantities;                     /* judged in this run, by one call each; 0: this one only */
};

enum detect_verdict { DETECT_GOOD, DETECT_SLOW, DETECT_UNJUDGED };

struct detect_judgement {
    enum detect_verdict verdict;
    const char *why;            /* of DETECT_UNJUDGED; otherwise "" */
    double slowdown, low, high; /* time above that of the group's typical node: 0.05 is 5% more. Its 95% interval, which
                                   includes the spread of healthy nodes. NAN if not judged, as the next two */
    double p;                   /* that a healthy node would be so slow, adjusted for all nodes and quantities */
    double noise;               /* robust standard deviation of its samples, as a share */
    bool unsteady;              /* good, since its faster samples are; but it was disturbed for most of the run */
};

/* What the run could show. With several groups it is that of the largest, and `detectable` that of the worst. */
struct detect_fleet {
    int judged, slow, unjudged;
    double detectable;  /* the smallest slowdown of one node that this run finds with probability `power`; NAN: none */
    double spread;      /* between healthy nodes: a standard deviation, as a share; what noise does not explain */
    bool assumed;       /* `spread` is assumed: there are too few nodes */
    double noise;       /* of a sample: median of the nodes' */
    double independent; /* as many independent samples tell as much as those of a node: fewer, as noise lasts */
};

/* Judges nodes[count]; judgements[count] and *fleet are filled. options NULL: as above. BASE_USAGE: a sample is not a
 * finite number above 0. BASE_BROKEN: out of memory. */
int detect_judge(const struct detect_node *nodes, int count, const struct detect_options *options,
                 struct detect_judgement *judgements, struct detect_fleet *fleet, struct base_error *e);

#endif
