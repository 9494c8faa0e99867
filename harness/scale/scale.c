/* SPDX-License-Identifier: Apache-2.0
 *
 * A curve, from records to a record. */
#include "scale/scale.h"

#include <stdlib.h>
#include <string.h>

#include "records/get.h"
#include "scale/parts.h"

int scale_curve(const struct record_loaded *records, size_t count, const struct scale_options *options, json_t **record,
                struct base_error *e) {
    struct scale_curve c = {.options = options, .records = records, .record_count = count};
    int code = scale_runs_read(&c, e);
    if (!code) {
        scale_runs_check(&c);
        code = scale_points_make(&c, e);
    }
    if (!code) code = scale_record(&c, record, e);
    free(c.points);
    free(c.runs);
    return code;
}
