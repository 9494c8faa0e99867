/* SPDX-License-Identifier: Apache-2.0
 *
 * One row for each kind. */
#include "study/rate.h"

#include <string.h>

#include "records/get.h"

const struct study_rate study_rates[STUDY_RATES] = {
    [STUDY_RATE_TRAIN] = {"train", "result.tokens_per_s", false, "tokens/s"},
    [STUDY_RATE_KERNEL] = {"kernel", "result.call_s", true, "calls/s"},
    [STUDY_RATE_COMM] = {"comm", "result.time_s", true, "messages/s"},
    [STUDY_RATE_FIGURE] = {"figure", "result.value", false, ""},
};

int study_rate_find(const json_t *record) {
    for (int i = 0; i < STUDY_RATES; i++)
        if (!strcmp(record_text(record, "kind"), study_rates[i].kind)) return i;
    return -1;
}
