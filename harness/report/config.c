/* SPDX-License-Identifier: Apache-2.0
 *
 * What a record's config trains: as words, and as lines of a page. */
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

static void experts(FILE *out, const json_t *config) {
    const long long some = record_whole(config, "experts"), all = record_whole(config, "full_experts");
    char count[32];
    base_text_count(record_whole(config, "active_parameters"), count, sizeof count);
    fprintf(out, "experts     a token passes %lld of %lld", record_whole(config, "experts_active"), some);
    if (record_at(config, "shared_experts")) fprintf(out, " and %lld shared", record_whole(config, "shared_experts"));
    fprintf(out, ", and %s parameters; route %s", count, record_text(config, "route"));
    if (some < all) fprintf(out, " (a slice: %lld of %lld experts)", some, all);
    fputc('\n', out);
}

void report_work(const json_t *c, char text[REPORT_WORK]) {
    const char *model = record_text(c, "model"), *route = record_text(c, "route");
    int n = snprintf(text, REPORT_WORK, "%.60s, %lld x %lld tokens", *model ? model : "unknown model",
                     record_whole(c, "global_batch"), record_whole(c, "seq"));
    if (record_whole(c, "layers") < record_whole(c, "full_layers"))
        n += snprintf(text + n, REPORT_WORK - (size_t)n, ", %lld of %lld layers", record_whole(c, "layers"),
                      record_whole(c, "full_layers"));
    if (record_whole(c, "experts") < record_whole(c, "full_experts"))
        n += snprintf(text + n, REPORT_WORK - (size_t)n, ", %lld of %lld experts", record_whole(c, "experts"),
                      record_whole(c, "full_experts"));
    if (*route && strcmp(route, "measured")) snprintf(text + n, REPORT_WORK - (size_t)n, ", %.24s", route);
}

void report_config(FILE *out, const json_t *config) {
    if (record_at(config, "route")) experts(out, config);
    if (record_at(config, "left_out")) fprintf(out, "left out    %s\n", record_text(config, "left_out"));
    if (record_at(config, "unread")) fprintf(out, "not read    %s: unknown fields\n", record_text(config, "unread"));
}
