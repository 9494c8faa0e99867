/* SPDX-License-Identifier: Apache-2.0
 *
 * What a record's "config" says of the model's config.json beyond the sizes. */
#include "records/get.h"
#include "report/report.h"

void report_config(FILE *out, const json_t *config) {
    if (record_at(config, "left_out")) fprintf(out, "left out    %s\n", record_text(config, "left_out"));
    if (record_at(config, "unread")) fprintf(out, "not read    %s: unknown fields\n", record_text(config, "unread"));
}
