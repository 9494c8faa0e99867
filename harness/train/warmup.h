/* SPDX-License-Identifier: Apache-2.0
 *
 * Which first steps are warm-up, where --warmup does not say it. They touch memory first, fill caches, and wait for
 * clocks to rise: each is faster than those before. Warm-up ends after two steps in a row that are no more than 2%
 * faster than the fastest step before them. Two, since a single slow step may have been disturbed. It has at least two
 * steps, and ends at 20 steps or after 10 s of steps even if they still become faster. */
#ifndef TOISE_TRAIN_WARMUP_H
#define TOISE_TRAIN_WARMUP_H

enum { TRAIN_WARMUP_LEAST = 2, TRAIN_WARMUP_STEADY = 2, TRAIN_WARMUP_MOST = 20 };
#define TRAIN_WARMUP_GAIN 0.02
#define TRAIN_WARMUP_S 10.0
#define TRAIN_WARMUP_RULE                                                                                              \
    "until two steps in a row are no more than 2% faster than the fastest before; 2 to 20 steps, at most 10 s"

enum train_warm { TRAIN_COLD, TRAIN_WARM, TRAIN_WARM_LIMIT /* the last step was still faster */ };
/* The state after the first n steps, of these seconds. */
enum train_warm train_warmup(const double *step_s, int n);

#endif
