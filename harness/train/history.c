/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches earlier records for the same work, whose losses this run must reproduce. */
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
    int64_t first, since;
    int count;
    long found;
};

/* Whether its losses were checked and passed. A record may be inconclusive only because of its timing. */
static bool checked(const json_t *record) {
    const char *status = record_text(record, "status");
    return !strcmp(status, "PASSED") || (!strcmp(status, "INCONCLUSIVE") &&
                                         json_object_get(record_at(record, "result.residual"), check_name(CHECK_LOSS)));
}

static bool same_work(const struct search *s, const json_t *record) {
    json_t *mine = train_config(s->plan, s->options);
    const json_t *config = record_at(record, "config");
    bool same = !strcmp(record_text(record, "kind"), "train") && checked(record);
    same = same && !json_object_get(mine, "init") == !json_object_get(config, "init"); /* a key that mine may lack */
    const char *key;
    json_t *value;
    json_object_del(mine, "warmup"); /* where timing starts does not change losses, */
    json_object_del(mine, "unread"); /* nor do unknown fields of a config.json */
    json_object_foreach(mine, key, value) same = same && json_equal(value, json_object_get(config, key));
    json_decref(mine);
    return same;
}

static int look(void *context, const struct record_line *line) {
    struct search *s = context;
    const size_t n = record_reals(line->record, "result.loss", NULL, 0);
    const int64_t first = record_whole(line->record, "result.first_step"), mine = s->options->first_step;
    if (mine < first || mine >= first + (int64_t)n || !same_work(s, line->record)) return BASE_OK;
    double *loss = malloc(n * sizeof *loss);
    if (!loss) return base_fail(line->e, BASE_BROKEN, "out of memory for an earlier record's losses");
    record_reals(line->record, "result.loss", loss, n);
    free(s->loss);
    s->loss = loss;
    s->count = (int)n;
    const json_t *launch = s->options->from ? record_at(s->options->from->about, "launch.id") : NULL;
    const bool same = launch && json_equal(launch, record_at(line->record, "launch.id"));
    s->first = first;
    s->since = same ? mine : 0; /* the launch that saved the checkpoint */
    s->found = line->number;
    return BASE_OK;
}

int train_history(const char *path, const struct plan *plan, struct train_options *options, struct base_error *e) {
    struct search s = {.plan = plan, .options = options};
    int code = access(path, F_OK) ? BASE_OK : record_read(path, look, &s, e);
    options->history = (struct train_losses){.loss = s.loss, .first = s.first, .since = s.since, .count = s.count};
    snprintf(options->history.where, sizeof options->history.where, "record %ld of %s", s.found, path);
    return code;
}
