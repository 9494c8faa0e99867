/* SPDX-License-Identifier: Apache-2.0
 *
 * Groups records of launches. */
#include "study/launches.h"

#include <stdlib.h>
#include <string.h>

#include "study/launches_record.h"

static const struct study_launches_kind kinds[] = {{"train", "result.tokens_per_s_per_node", "tokens/s/node"},
                                                   {"kernel", "result.flop_per_s", "FLOP/s"},
                                                   {"kernel", "result.byte_per_s", "B/s"},
                                                   {"comm", "result.busbw_byte_per_s", "B/s"},
                                                   {"train", "result.tokens_per_s", "tokens/s"},
                                                   {"figure", "result.value", ""}};
enum { TRAIN, KERNEL_FLOP, KERNEL_BYTE, COMM, TRAIN_IMPORTED, FIGURE };

const struct study_launches_kind *study_launches_kind(const json_t *record) {
    const char *kind = record_text(record, "kind");
    const bool all_nodes =
        !record_at(record, "result.tokens_per_s_per_node") && record_at(record, "result.tokens_per_s");
    if (record_injected(record)) return NULL;
    if (!strcmp(kind, "train")) return &kinds[all_nodes ? TRAIN_IMPORTED : TRAIN];
    if (!strcmp(kind, "figure") && !strcmp(record_text(record, "result.better"), "higher")) return &kinds[FIGURE];
    if (!strcmp(kind, "kernel")) return &kinds[record_at(record, "result.flop") ? KERNEL_FLOP : KERNEL_BYTE];
    return !strcmp(kind, "comm") && record_at(record, "result.bytes") ? &kinds[COMM] : NULL;
}

/* What must be equal within a group. Everything that a launch decides by itself stays out. */
static char *key_of(const json_t *record) {
    static const char *const same[] = {"kind",
                                       "version",
                                       "workload",
                                       "config",
                                       "layout",
                                       "machine.host",
                                       "machine.cpu",
                                       "machine.isa",
                                       "machine.kernels",
                                       "machine.fingerprint",
                                       "result.op",
                                       "result.name",
                                       "result.shape",
                                       "result.dtype",
                                       "result.variant",
                                       "result.c_dtype",
                                       "result.accumulate",
                                       "result.bytes",
                                       "result.count",
                                       "result.redop",
                                       "result.root",
                                       "result.place",
                                       "result.group",
                                       "result.metric",
                                       "result.unit",
                                       NULL};
    const char *job = record_text(record, "launch.job");
    json_t *key = json_object();
    for (const char *const *path = same; *path; path++) json_object_set(key, *path, record_at(record, *path));
    if (strcmp(job, record_text(record, "launch.id")) != 0) json_object_set_new(key, "job", json_string(job));
    char *text = json_dumps(key, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(key);
    return text;
}

static bool grow(struct study_group *g) {
    const size_t room = 2 * g->room + 8;
    const struct record_loaded **more = realloc(g->launch, room * sizeof(void *));
    if (more) g->launch = more, g->room = room;
    return more;
}

/* False: out of memory. A launch without an id, as of another program, is told apart by its record. */
static bool add(struct study_group *g, const struct record_loaded *r, const json_t *resumed) {
    const char *id = record_text(r->record, "launch.id");
    if (json_object_get(resumed, id)) return g->twice++, true;
    if (!*id) id = r->sha256;
    if (*id && json_object_get(g->ids, id)) return g->twice++, true;
    if (*id && json_object_set_new(g->ids, id, json_true())) return false;
    if (g->count == g->room && !grow(g)) return false;
    g->launch[g->count++] = r;
    return true;
}

/* All groups; `index` finds them by key. */
struct groups {
    struct study_group *at;
    size_t count, room;
    json_t *index;
};

static struct study_group *find(struct groups *all, const json_t *record) {
    char *key = key_of(record);
    json_t *known = key ? json_object_get(all->index, key) : NULL;
    bool done = key;
    if (key && !known) {
        if (all->count == all->room) {
            const size_t room = 2 * all->room + 8;
            struct study_group *more = realloc(all->at, room * sizeof *more);
            if (more) all->at = more, all->room = room;
            done = more;
        }
        if (done) all->at[all->count] = (struct study_group){.kind = study_launches_kind(record), .ids = json_object()};
        done = done && !json_object_set_new(all->index, key, json_integer((json_int_t)all->count++));
    }
    free(key);
    return !done ? NULL : &all->at[known ? (size_t)json_integer_value(known) : all->count - 1];
}

static void close_groups(struct groups *all) {
    for (size_t i = 0; i < all->count; i++) {
        json_decref(all->at[i].ids);
        free(all->at[i].launch);
    }
    free(all->at);
    json_decref(all->index);
}

int study_launches(const struct record_loaded *records, size_t count, double ci, json_t **summaries,
                   struct base_error *e) {
    struct groups all = {.index = json_object()};
    json_t *resumed = record_resumed(records, count);
    bool done = all.index;
    for (size_t i = 0; i < count && done; i++) {
        if (!study_launches_kind(records[i].record)) continue;
        struct study_group *g = find(&all, records[i].record);
        done = g && add(g, &records[i], resumed);
    }
    json_decref(resumed);
    json_t *list = json_array();
    for (size_t g = 0; g < all.count && done && list; g++)
        done = !json_array_append_new(list, study_launches_record(&all.at[g], ci));
    done = done && list;
    close_groups(&all);
    if (!done) {
        json_decref(list);
        return base_fail(e, BASE_BROKEN, "out of memory for the launches of %zu records", count);
    }
    *summaries = list;
    return BASE_OK;
}
