/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/history.h"

#include <string.h>

#include "records/record.h"
#include "records/set.h"

static int add(void *context, const struct record_line *line) {
    json_t *history = context;
    const json_t *node;
    size_t i;
    if (strcmp(record_text(line->record, "kind"), "nodes")) return BASE_OK;
    json_array_foreach(record_at(line->record, "result.nodes"), i, node) {
        const char *name = record_text(node, "name"), *verdict = record_text(node, "verdict");
        json_t *seen = json_object_get(history, name);
        if (!*name || !*verdict) return record_refuse(line, "result.nodes", "must have name and verdict of each");
        if (!seen) json_object_set_new(history, name, seen = json_object());
        record_set_integer(seen, "runs", record_whole(seen, "runs") + 1);
        record_set_integer(seen, "bad", record_whole(seen, "bad") + (strcmp(verdict, "good") != 0));
    }
    return BASE_OK;
}

int fleet_history_read(const char *path, json_t **history, struct base_error *e) {
    json_t *made = json_object();
    const int code = path ? record_read(path, add, made, e) : BASE_OK;
    if (!code) return *history = made, BASE_OK;
    json_decref(made);
    return code;
}

const char *fleet_history_word(const json_t *history, const char *name) {
    const json_t *seen = json_object_get(history, name);
    const long long runs = record_whole(seen, "runs"), bad = record_whole(seen, "bad");
    return bad == 0 ? "new" : 2 * bad >= runs ? "chronic" : "again";
}
