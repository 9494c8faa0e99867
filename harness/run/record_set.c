/* SPDX-License-Identifier: Apache-2.0
 *
 * See record_set.h. */
#include "run/record_set.h"

#include "base/clock.h"

json_t *run_record_head(const char *kind, enum run_status status, const char *why) {
    static const char *const statuses[] = {
        [RUN_PASSED] = "PASSED", [RUN_FAILED] = "FAILED", [RUN_INCONCLUSIVE] = "INCONCLUSIVE"};
    json_t *o = json_object();
    char date[32];
    base_clock_date(date);
    set(o, "schema", json_string("toise/1"));
    set(o, "kind", json_string(kind));
    set(o, "status", json_string(statuses[status]));
    if (why[0]) set(o, "why", json_string(why));
    set(o, "time", json_string(date));
    set(o, "version", json_string(TOISE_VERSION));
    return o;
}
