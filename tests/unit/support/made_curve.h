/* SPDX-License-Identifier: Apache-2.0
 *
 * Training records of a made-up scaling curve with a known law and noise, and records of toise comm with known alpha
 * and beta. A failure ends the test. */
#ifndef TOISE_TESTS_MADE_CURVE_H
#define TOISE_TESTS_MADE_CURVE_H

#include <stdint.h>

#include "records/load.h"
#include "records/scaling.h"

enum { MADE_POINTS = 12, MADE_RECORDS = 512 };

struct made_curve {
    struct record_loaded at[MADE_RECORDS];
    size_t count;
};

/* A curve: `runs` runs of every n. */
struct made_law {
    enum record_scaling_mode mode;
    enum record_scaling_unit unit;
    int n[MADE_POINTS]; /* ends with 0 */
    int runs;
    bool jobs;                  /* separate jobs without the object scaling, else repeats of one sweep */
    int unit_ranks;             /* 0: 1 */
    double batch;               /* sequences of a step (strong), or of a unit (weak) */
    double rate;                /* tokens/s of one unit */
    double serial, coherence;   /* of the universal scalability law */
    double (*step_s)(double n); /* instead of the law; NULL: the law */
    double run_sd, repeat_sd;   /* of the logarithm of the rate: of a run, and of all runs of a repeat */
    uint64_t seed;
};

/* Adds the law's records. Sequences have 64 tokens. */
void made_curve_add(struct made_curve *m, const struct made_law *law);
/* Adds all-reduces of six sizes over a ring of ranks: 2 (ranks - 1) alpha + 2 (ranks - 1) / ranks bytes beta. */
void made_curve_comm(struct made_curve *m, int ranks, int nodes, double alpha, double beta, double sd, uint64_t seed);
/* Takes over the record. */
void made_curve_take(struct made_curve *m, json_t *record);
void made_curve_close(struct made_curve *m);
/* The tokens of a step, and the rate that the law has without noise. */
double made_curve_tokens(const struct made_law *law, double n);
double made_curve_rate(const struct made_law *law, double n);

#endif
