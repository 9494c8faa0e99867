/* SPDX-License-Identifier: Apache-2.0
 *
 * Which first steps are warm-up, where --warmup does not say it. They touch memory first, fill caches, and wait for
 * clocks to rise: each is faster than those before. Warm-up ends after two steps in a row that are no more than 2%
 * faster than the fastest step before them. Two, since a single slow step may have been disturbed. It has at least two
 * steps, and ends at 20 steps or after 10 s of steps even if they still become faster.
 *
 * Warm-up also decides whether gradients are sent while backward still runs (overlap), or once it has ended. Both send
 * the same messages in the same order, so losses have the same bits (parallel/buckets.h). Which is faster depends on
 * the machine: messages that move during a matmul slow it.
 *
 * The rule: pairs of warm-up steps, one with overlap and one without, in alternating order. A step's time is the
 * slowest rank's, so all ranks decide alike. Overlap is off only if the median of the steps without it is more than 1%
 * below the median of those with it. At least 3 pairs; at most 12, or 20 s of them. A warm-up of a fixed number of
 * steps has as many pairs as fit behind its first step. Otherwise they are added to the warm-up, unless 3 pairs would
 * take over 60 s. Without pairs, overlap is on. */
#ifndef TOISE_TRAIN_WARMUP_H
#define TOISE_TRAIN_WARMUP_H

#include "train/train.h"

enum { TRAIN_WARMUP_LEAST = 2, TRAIN_WARMUP_STEADY = 2, TRAIN_WARMUP_MOST = 20 };
#define TRAIN_WARMUP_GAIN 0.02
#define TRAIN_WARMUP_S 10.0
#define TRAIN_WARMUP_RULE                                                                                              \
    "until two steps in a row are no more than 2% faster than the fastest before; 2 to 20 steps, at most 10 s"

enum train_warm { TRAIN_COLD, TRAIN_WARM, TRAIN_WARM_LIMIT /* the last step was still faster */ };
/* The state after the first n steps, of these seconds. */
enum train_warm train_warmup(const double *step_s, int n);

enum { TRAIN_OVERLAP_LEAST = 3, TRAIN_OVERLAP_MOST = 12 };
#define TRAIN_OVERLAP_GAIN 0.01
#define TRAIN_OVERLAP_S 20.0
#define TRAIN_OVERLAP_PATIENCE_S 60.0
#define TRAIN_OVERLAP_RULE                                                                                             \
    "off only if steps without overlap have a median over 1% lower; 3 to 12 pairs of warm-up steps, at most 20 s"

/* Pairs that fit into a warm-up of `steps` steps; 0: too few to decide. */
int train_overlap_pairs(int steps);
/* Whether step i of the pairs overlaps: without, with, with, without, ... */
bool train_overlap_tries(int i);
/* Whether pairs that took these seconds are enough. */
bool train_overlap_enough(const double *step_s, int pairs);
/* Decides by 2 * pairs steps. */
void train_overlap_choose(struct train_overlap *overlap, const double *step_s, int pairs);

#endif
