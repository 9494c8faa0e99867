/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the sides. Each launch counts once; what is on two sides is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "compare/parts.h"
#include "records/set.h"
#include "study/node.h"

/* A file that a side read: two sides may not read the same one, by any name. */
struct seen_file {
    dev_t device;
    ino_t inode;
    const char *path;
    int side;
};

static int by_file(const void *a, const void *b) {
    const struct seen_file *x = a, *y = b;
    if (x->device != y->device) return x->device < y->device ? -1 : 1;
    return (x->inode > y->inode) - (x->inode < y->inode);
}

static int check_files(const struct compare *c, struct base_error *e) {
    struct seen_file *files = calloc(c->list.count + 1, sizeof *files);
    size_t count = 0;
    int code = files ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %zu files", c->list.count);
    for (size_t i = 0; i < c->list.count && !code; i++) {
        const struct record_loaded *l = &c->list.at[i];
        struct stat found;
        const bool again = i && l->path == l[-1].path && l->source == l[-1].source;
        if (again || stat(l->path, &found)) continue;
        files[count++] = (struct seen_file){found.st_dev, found.st_ino, l->path, l->source};
    }
    if (!code) qsort(files, count, sizeof *files, by_file);
    for (size_t i = 1; i < count && !code; i++) {
        if (by_file(&files[i], &files[i - 1]) || files[i].side == files[i - 1].side) continue;
        code = base_fail(e, BASE_USAGE,
                         "%s and %s are the same file, and stand on two sides: give each side its own records",
                         files[i - 1].path, files[i].path);
    }
    free(files);
    return code;
}

/* Numbers texts from 0 in the order of their first use; -1: "", which is unknown. */
static int number_of(json_t *numbers, const char *text) {
    if (!*text) return -1;
    const json_t *known = json_object_get(numbers, text);
    if (known) return (int)json_integer_value(known);
    const int next = (int)json_object_size(numbers);
    json_object_set_new(numbers, text, json_integer(next));
    return next;
}

/* Adds a record's place and reason to a list of its side. */
static void tell(struct compare *c, const struct record_loaded *l, const char *list, const char *why) {
    json_t *found = c->found[l->source], *at = json_object_get(found, list);
    if (!at) record_set(found, list, at = json_array());
    json_array_append_new(at, json_pack("{s:s, s:i, s:s}", "path", l->path, "line", (int)l->line, "why", why));
}

static void count(struct compare *c, int side, const char *key) {
    record_set_integer(c->found[side], key, record_whole(c->found[side], key) + 1);
}

/* Whether the record has a rate to compare; if not, its side says why. */
static bool usable(struct compare *c, const struct record_loaded *l, int kind, double *log_rate) {
    static const char *const used[] = {"PASSED", "INCONCLUSIVE", "UNVERIFIED"};
    const char *status = record_text(l->record, "status");
    const double x = kind < 0 ? NAN : compare_rate(kind, l->record);
    count(c, l->source, "records");
    if (kind < 0) {
        count(c, l->source, "not_compared");
        return false;
    }
    if (record_injected(l->record)) {
        tell(c, l, "injected", "faults of --inject: it measured no machine");
        return false;
    }
    if (base_text_find(status, used, sizeof used / sizeof *used) < 0) {
        const char *why = record_text(l->record, "why");
        tell(c, l, "failed", *why ? why : *status ? status : "it has no status");
        return false;
    }
    if (!(x > 0) || !isfinite(x)) {
        count(c, l->source, "not_compared");
        return false;
    }
    *log_rate = log(x);
    return true;
}

/* Numbers of launches, jobs, nodes and days by name, and the first record of each launch. */
struct names {
    json_t *launches, *jobs, *nodes, *days, *first_of, *resumed;
};

static int refuse_launch(const struct compare *c, const struct record_loaded *l, const char *launch, size_t first,
                         struct base_error *e) {
    const struct record_loaded *other = &c->list.at[first];
    return base_fail(e, BASE_USAGE,
                     "%s line %ld and %s line %ld are of the same launch, %.64s, and stand on two sides: a launch is "
                     "evidence for one side only",
                     other->path, other->line, l->path, l->line, launch);
}

static int add_item(struct compare *c, const struct record_loaded *l, struct names *names, struct base_error *e) {
    const int kind = study_rate_find(l->record);
    const char *id = record_text(l->record, "launch.id"), *launch = *id ? id : l->sha256;
    const char *job = record_text(l->record, "launch.job");
    char day[11]; /* 2026-11-29 */
    double log_rate = NAN;
    const bool has_rate = usable(c, l, kind, &log_rate);
    if (kind < 0) return BASE_OK;
    if (json_object_get(names->resumed, launch)) {
        tell(c, l, "duplicates", "its samples are in the record of the launch that went on: counted there");
        return BASE_OK;
    }
    const json_t *first = json_object_get(names->first_of, launch);
    if (first && c->list.at[json_integer_value(first)].source != l->source)
        return refuse_launch(c, l, launch, (size_t)json_integer_value(first), e);
    if (!first) json_object_set_new(names->first_of, launch, json_integer(l - c->list.at));
    if (!has_rate) return BASE_OK;
    snprintf(day, sizeof day, "%s", record_text(l->record, "time"));
    char *node = study_node_of(l->record);
    if (!node) return base_fail(e, BASE_BROKEN, "out of memory for %zu records", c->list.count);
    struct compare_item *item = &c->items[c->count++];
    *item = (struct compare_item){.record = l->record, .from = l, .kind = kind, .side = l->source};
    item->value =
        (struct study_launch){log_rate, number_of(names->launches, launch), number_of(names->jobs, *job ? job : launch),
                              number_of(names->nodes, node), number_of(names->days, day)};
    free(node);
    return compare_keys_of(kind, l->record, item->key)
               ? BASE_OK
               : base_fail(e, BASE_BROKEN, "out of memory for %zu records", c->list.count);
}

static int by_group(const void *a, const void *b) {
    const struct compare_item *x = a, *y = b;
    int order = strcmp(x->key[COMPARE_WORK], y->key[COMPARE_WORK]);
    if (!order) order = x->side - y->side;
    if (!order) order = strcmp(x->key[COMPARE_SETUP], y->key[COMPARE_SETUP]);
    if (!order) order = x->value.launch - y->value.launch;
    return order ? order : x->from < y->from ? -1 : 1;
}

/* The launch counts once: keeps the first of its records of the same work and setup. */
static void drop_duplicates(struct compare *c) {
    size_t kept = 0;
    for (size_t i = 0; i < c->count; i++) {
        struct compare_item *item = &c->items[i], *last = kept ? &c->items[kept - 1] : NULL;
        const bool again = last && last->side == item->side && last->value.launch == item->value.launch &&
                           !strcmp(last->key[COMPARE_SETUP], item->key[COMPARE_SETUP]);
        if (!again) {
            c->items[kept++] = *item;
            continue;
        }
        char why[COMPARE_WHY];
        const bool same = !strcmp(last->from->sha256, item->from->sha256);
        snprintf(why, sizeof why, "the same %s as line %ld of %.160s: counted once", same ? "record" : "launch",
                 last->from->line, last->from->path);
        tell(c, item->from, "duplicates", why);
        for (int k = 0; k < COMPARE_KEYS; k++) free(item->key[k]);
    }
    c->count = kept;
}

/* A training without its gate: nothing says that its results were right. */
static bool is_unchecked(const struct compare_item *item) {
    return !strcmp(record_text(item->record, "kind"), "train") &&
           strcmp(record_text(item->record, "status"), "UNVERIFIED") != 0 &&
           !record_at(item->record, "result.residual.loss");
}

/* Counts statuses, launches, jobs and nodes of each side. */
static void count_sides(struct compare *c) {
    json_t *seen = json_object();
    for (size_t i = 0; i < c->count; i++) {
        const struct compare_item *item = &c->items[i];
        const struct study_launch *l = &item->value;
        const struct {
            const char *what;
            int number;
        } of[] = {{"launches", l->launch}, {"jobs", l->job}, {"nodes", l->node}};
        const char *status = record_text(item->record, "status");
        if (!strcmp(status, "UNVERIFIED")) count(c, item->side, "unverified");
        if (!strcmp(status, "INCONCLUSIVE")) count(c, item->side, "inconclusive");
        if (is_unchecked(item)) count(c, item->side, "unchecked");
        for (int k = 0; k < 3; k++) {
            char key[64];
            if (of[k].number < 0) continue;
            snprintf(key, sizeof key, "%d %s %d", item->side, of[k].what, of[k].number);
            if (json_object_get(seen, key)) continue;
            json_object_set_new(seen, key, json_true());
            count(c, item->side, of[k].what);
        }
    }
    json_decref(seen);
}

static int take_items(struct compare *c, struct base_error *e) {
    struct names names = {json_object(), json_object(), json_object(),
                          json_object(), json_object(), record_resumed(c->list.at, c->list.count)};
    int code = BASE_OK;
    c->items = calloc(c->list.count + 1, sizeof *c->items);
    if (!c->items) code = base_fail(e, BASE_BROKEN, "out of memory for %zu records", c->list.count);
    for (size_t i = 0; i < c->list.count && !code; i++) code = add_item(c, &c->list.at[i], &names, e);
    json_decref(names.launches), json_decref(names.jobs), json_decref(names.nodes), json_decref(names.days);
    json_decref(names.first_of), json_decref(names.resumed);
    return code;
}

int compare_load(struct compare *c, struct base_error *e) {
    int code = record_load(&c->list, c->paths, c->sides, c->options->skip_bad, e);
    for (int i = 0; i < c->sides; i++) {
        c->found[i] = json_object();
        record_set(c->found[i], "path", json_string(c->paths[i]));
    }
    if (!code) code = check_files(c, e);
    if (!code) code = take_items(c, e);
    if (code) return code;
    qsort(c->items, c->count, sizeof *c->items, by_group);
    drop_duplicates(c);
    count_sides(c);
    c->values = malloc((c->count + 1) * sizeof *c->values), c->records = malloc((c->count + 1) * sizeof *c->records);
    if (!c->values || !c->records) return base_fail(e, BASE_BROKEN, "out of memory for %zu launches", c->count);
    for (size_t i = 0; i < c->count; i++) c->values[i] = c->items[i].value, c->records[i] = c->items[i].record;
    return BASE_OK;
}
