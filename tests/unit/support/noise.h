/* SPDX-License-Identifier: Apache-2.0
 *
 * Noise of measurements as long series: recorded ones, of loops timed over and over for an hour on a real machine, and
 * made ones. Values are logarithms of times, their standard deviation is 1. Stretches of a series have its bursts and
 * its correlation. Tests of detectors and tenders share them. */
#ifndef TOISE_TESTS_NOISE_H
#define TOISE_TESTS_NOISE_H

#include <stdint.h>

#define NOISE_RECORDS "results/predict-amd-epyc-zen3/machine.jsonl" /* below the top of the tree */

enum noise_kind {
    NOISE_PEAK,      /* recorded: a loop of multiply-adds on all cores */
    NOISE_CORE,      /* recorded: the same on one core */
    NOISE_BANDWIDTH, /* recorded: passes over memory beside other guests of the host */
    NOISE_NORMAL,    /* made: normal, AR(1) with 0.6 */
    NOISE_BURSTS,    /* made: the same, and bursts of 1 to 6 samples that are 5 to 20 standard deviations longer */
    NOISE_KINDS
};

struct noise {
    const char *name;
    double *x;
    int n;
};

/* The series, of which what changes more slowly than `window` samples is removed: the median of those around each.
 * 0: nothing is. Exits with a message if the records are not there. */
void noise_open(struct noise *noise, enum noise_kind kind, int window);
void noise_close(struct noise *noise);
/* x[k], k counted round from `start`. */
static inline double noise_at(const struct noise *noise, uint64_t start, int k) {
    return noise->x[(start + (uint64_t)k) % (uint64_t)noise->n];
}

#endif
