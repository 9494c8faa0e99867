/* SPDX-License-Identifier: Apache-2.0
 *
 * Which of two commands is faster: runs them in turns until it is decided.
 *
 * A block is one run of each, in an order drawn from the seed. A block's difference is log(rate of B / rate of A), so
 * what drifts from block to block cancels. Decisions are made at a few looks, by an interval of the differences at a
 * level that the look may spend of alpha. It is Wilcoxon's (rank.h), which bursts hardly widen, once there are blocks
 * enough to reach the level: 12 at the usual alpha. Before it is Student's t (ratio.h). Looks spend as Pocock's
 * boundary does, alpha x ln(1 + (e - 1) x blocks / most) in total (Lan and DeMets, Biometrika 70, 1983). So by
 * Bonferroni's inequality all looks' intervals hold together with probability 1 - alpha, whatever they have in common.
 */
#ifndef TOISE_STUDY_AB_H
#define TOISE_STUDY_AB_H

#include <stdbool.h>
#include <stdint.h>

#include "measure/samples.h"
#include "records/launch.h"
#include "study/ratio.h"
#include "study/verdict.h"

enum { STUDY_AB_MOST = 1000, STUDY_AB_LOOKS = 20 };

struct study_ab_rule {
    double alpha;    /* chance of a false alarm over all looks, if both commands are equal */
    double delta;    /* a smaller difference does not matter */
    int least, most; /* blocks at the first look and at the last */
};

/* What the blocks say so far. */
struct study_ab_view {
    double ratio, low, high; /* rate of B over that of A, as the look estimates it, and the look's interval */
    double confidence;       /* of that interval */
    enum study_verdict verdict;
    double sd;  /* of the differences; with ranks, of normal ones that would give this interval */
    int needed; /* blocks after which equal commands are found equivalent with probability 0.9, by this spread */
};

/* Blocks at each look: `least`, then sqrt(2) times as many each time, then `most`. Returns the number of looks. */
int study_ab_looks(const struct study_ab_rule *rule, int blocks[STUDY_AB_LOOKS]);
/* The part of alpha that the look at this number of blocks spends; for progress, between looks, that of the next. */
double study_ab_spent(const struct study_ab_rule *rule, int blocks);
/* Whether there is a look after this number of blocks. */
bool study_ab_look(const struct study_ab_rule *rule, int blocks);
/* Judges the blocks by the logarithms of both commands' rates, a[blocks] and b[blocks]. Needs two blocks. */
struct study_ab_view study_ab_judge(const struct study_ab_rule *rule, const double *a, const double *b, int blocks);

/* How a run's rate is found. */
enum study_ab_metric {
    STUDY_AB_AUTO,    /* the records' rate if both commands print records of one kind that has one, else the time */
    STUDY_AB_SECONDS, /* the wall time of the command */
    STUDY_AB_PRINTED, /* the last number of standard output */
    STUDY_AB_KEY      /* a number in the records that the command prints (--json); their geometric mean */
};

struct study_ab {
    const char *command[2];    /* for sh -c */
    struct study_ab_rule rule; /* most + warmup <= STUDY_AB_MOST */
    enum study_ab_metric metric;
    char key[128];                                              /* of STUDY_AB_KEY: "result.tokens_per_s" */
    bool lower;                                                 /* a lower value is better */
    int warmup;                                                 /* blocks that come first and do not count */
    double budget_s;                                            /* no block starts later; 0: no limit */
    double limit_s;                                             /* of one run */
    uint64_t seed;                                              /* of the order */
    void (*on_block)(void *context, const struct study_ab *ab); /* after each block; NULL: none */
    void *context;

    /* [A, B] of each block, the warm-up first: wall times, what disturbed them, and the metric's values */
    struct measure_samples samples[2];
    double value[2][STUDY_AB_MOST];
    bool b_first[STUDY_AB_MOST];
    int blocks;                   /* warm-up included */
    double log[2][STUDY_AB_MOST]; /* [A, B][blocks - warmup]: logarithms of rates */
    int records;                  /* that a run prints; 0: none */
    struct study_ab_view view;
    bool decided; /* before the budget or the last look ended it */
};

/* Runs blocks until a look decides. Fills in the metric if it is STUDY_AB_AUTO. BASE_BROKEN: a command failed, ran too
 * long, was interrupted or printed a record that FAILED; BASE_USAGE: it printed no such value. The blocks
 * so far remain in *ab, until it is closed. */
int study_ab_run(struct study_ab *ab, struct base_error *e);
void study_ab_close(struct study_ab *ab);
/* "wall time", "last number printed", or the key */
const char *study_ab_metric_text(const struct study_ab *ab);
/* A record of kind "ab". `why`: what ended it early; "": nothing. Takes over `machine`. */
json_t *study_ab_record(const struct study_ab *ab, const struct record_launch *launch, const char *why,
                        json_t *machine);

#endif
