/* SPDX-License-Identifier: Apache-2.0
 *
 * From an interval to a word and an exit code. */
#include "study/verdict.h"

#include "base/error.h"

enum study_verdict study_verdict_of(double low, double high, double delta) {
    if (low >= 1 / (1 + delta) && high <= 1 + delta) return STUDY_EQUIVALENT;
    if (low > 1 && high >= low) return STUDY_FASTER;
    return high < 1 && low <= high ? STUDY_SLOWER : STUDY_INCONCLUSIVE;
}

const char *study_verdict_name(enum study_verdict verdict) {
    static const char *const names[STUDY_VERDICTS] = {"faster", "slower", "equivalent", "inconclusive"};
    return names[verdict];
}

int study_verdict_code(enum study_verdict verdict) {
    return verdict == STUDY_SLOWER ? BASE_NO : verdict == STUDY_INCONCLUSIVE ? BASE_INCONCLUSIVE : BASE_OK;
}
