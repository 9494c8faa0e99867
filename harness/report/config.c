/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists the fields of the model's config.json that a record left out or did not read. */
#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

static void experts(FILE *out, const json_t *config) {
    const long long some = record_whole(config, "experts"), all = record_whole(config, "full_experts");
    char count[32];
    base_text_count(record_whole(config, "active_parameters"), count, sizeof count);
    fprintf(out, "experts     a token passes %lld of %lld, and %s parameters; route %s",
            record_whole(config, "experts_active"), some, count, record_text(config, "route"));
    if (some < all) fprintf(out, " (a slice: %lld of %lld experts)", some, all);
    fputc('\n', out);
}

void report_config(FILE *out, const json_t *config) {
    if (record_at(config, "route")) experts(out, config);
    if (record_at(config, "left_out")) fprintf(out, "left out    %s\n", record_text(config, "left_out"));
    if (record_at(config, "unread")) fprintf(out, "not read    %s: unknown fields\n", record_text(config, "unread"));
}
