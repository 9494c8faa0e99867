/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks through earlier records for the same work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "records/record.h"
#include "train/record.h"

struct search {
    const struct plan *plan;
    const struct train_options *options;
    double *loss;
    int count, line, found;
    struct base_error *e;
};

/* Whether the checks of its losses passed: a record may be inconclusive for its time alone. */
static bool checked(const json_t *record) {
    const char *status = json_string_value(json_object_get(record, "status"));
    const json_t *residual = json_object_get(json_object_get(record, "result"), "residual");
    if (!status) return false;
    return !strcmp(status, "PASSED") ||
           (!strcmp(status, "INCONCLUSIVE") && json_object_get(residual, check_name(CHECK_LOSS)));
}

static bool same_work(const struct search *s, const json_t *record) {
    json_t *mine = train_config(s->plan, s->options);
    const json_t *config = json_object_get(record, "config");
    const char *kind = json_string_value(json_object_get(record, "kind"));
    bool same = kind && !strcmp(kind, "train") && checked(record);
    const char *key;
    json_t *value;
    json_object_del(mine, "warmup"); /* where timing starts does not change the losses, */
    json_object_del(mine, "unread"); /* nor do fields of a config.json that nobody reads */
    json_object_foreach(mine, key, value) same = same && json_equal(value, json_object_get(config, key));
    json_decref(mine);
    return same;
}

static int look(void *context, const json_t *record) {
    struct search *s = context;
    const json_t *loss = json_object_get(json_object_get(record, "result"), "loss");
    s->line++;
    if (!json_array_size(loss) || !same_work(s, record)) return 0;
    double *copy = malloc(json_array_size(loss) * sizeof *copy);
    if (!copy) return base_fail(s->e, BASE_BROKEN, "out of memory for an earlier record's losses");
    free(s->loss);
    s->loss = copy;
    s->count = (int)json_array_size(loss);
    s->found = s->line;
    for (int i = 0; i < s->count; i++) copy[i] = json_number_value(json_array_get(loss, (size_t)i));
    return 0;
}

int train_history(const char *path, const struct plan *plan, struct train_options *options, struct base_error *e) {
    struct search s = {.plan = plan, .options = options, .e = e};
    int code = access(path, F_OK) ? BASE_OK : record_read(path, look, &s, e);
    options->history = s.loss;
    options->history_count = s.count;
    snprintf(options->history_where, sizeof options->history_where, "record %d of %s", s.found, path);
    return code;
}
