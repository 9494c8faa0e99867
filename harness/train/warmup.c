/* SPDX-License-Identifier: Apache-2.0
 *
 * When a training is warm. The rule only looks at step times that all ranks share, so all decide alike. */
#include "train/warmup.h"

#include <math.h>

enum train_warm train_warmup(const double *step_s, int n) {
    double fastest = INFINITY, seconds = 0;
    int steady = 0; /* steps in a row that were not faster */
    for (int i = 0; i < n; i++) {
        steady = step_s[i] < (1 - TRAIN_WARMUP_GAIN) * fastest ? 0 : steady + 1;
        fastest = fmin(fastest, step_s[i]);
        seconds += step_s[i];
    }
    if (n < TRAIN_WARMUP_LEAST) return TRAIN_COLD;
    if (steady >= TRAIN_WARMUP_STEADY) return TRAIN_WARM;
    if (n < TRAIN_WARMUP_MOST && seconds < TRAIN_WARMUP_S) return TRAIN_COLD;
    return steady ? TRAIN_WARM : TRAIN_WARM_LIMIT;
}
