/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes one complete event ("ph": "X") for each task. */
#include "projection/trace.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

static const char *const kinds[] = {"forward", "backward", "weight gradient", "gather", "reduce"};

static json_t *event_json(const struct cost_event *x) {
    char name[64];
    snprintf(name, sizeof name, "%c%lld.%d", kinds[x->task][0], (long long)x->micro_batch, x->chunk);
    return json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i}", "name", name, "cat", kinds[x->task], "ph", "X", "ts",
                     1e6 * x->start, "dur", 1e6 * (x->end - x->start), "pid", x->device, "tid", x->task >= COST_GATHER);
}

int projection_trace_write(const char *path, const char *title, const struct cost_event *events, int64_t count,
                           struct base_error *e) {
    json_t *list = json_array(), *all = json_pack("{s:o, s:s, s:{s:s}}", "traceEvents", list, "displayTimeUnit", "ms",
                                                  "otherData", "title", title);
    int code = BASE_OK;
    for (int64_t i = 0; i < count; i++) json_array_append_new(list, event_json(&events[i]));
    char *text = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (!text)
        code = base_fail(e, BASE_BROKEN, "out of memory for %s", path);
    else
        code = base_file_replace(path, text, strlen(text), e);
    free(text);
    json_decref(all);
    return code;
}
