/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists the fields of the model's config.json that a record left out or did not read. */
#include "records/get.h"
#include "report/report.h"

void report_config(FILE *out, const json_t *config) {
    if (record_at(config, "left_out")) fprintf(out, "left out    %s\n", record_text(config, "left_out"));
    if (record_at(config, "unread")) fprintf(out, "not read    %s: unknown fields\n", record_text(config, "unread"));
}
