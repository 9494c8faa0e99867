/* SPDX-License-Identifier: Apache-2.0
 *
 * Builds the fields that start every record. */
#include "records/set.h"

#include <string.h>

#include "base/clock.h"

static const char *const statuses[] = {[RECORD_PASSED] = "PASSED",
                                       [RECORD_FAILED] = "FAILED",
                                       [RECORD_INCONCLUSIVE] = "INCONCLUSIVE",
                                       [RECORD_BROKEN] = "BROKEN",
                                       [RECORD_UNVERIFIED] = "UNVERIFIED"};
enum { STATUSES = sizeof statuses / sizeof *statuses };

const char *record_status_name(enum record_status status) {
    return statuses[status];
}

bool record_status_of(const char *name, enum record_status *status) {
    int i = 0;
    while (i < STATUSES && strcmp(name, statuses[i]) != 0) i++;
    if (i < STATUSES) *status = (enum record_status)i;
    return i < STATUSES;
}

json_t *record_head(const char *kind, enum record_status status, const char *why) {
    json_t *o = json_object();
    char date[32];
    base_clock_date(date);
    record_set(o, "schema", json_string(RECORD_SCHEMA));
    record_set(o, "kind", json_string(kind));
    record_set(o, "status", json_string(record_status_name(status)));
    if (why[0]) record_set(o, "why", json_string(why));
    record_set(o, "time", json_string(date));
    record_set(o, "version", json_string(TOISE_VERSION));
    return o;
}
