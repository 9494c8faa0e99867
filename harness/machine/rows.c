/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads rows of a file into the lists of a machine. */
#include "machine/rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "machine/fields.h"
#include "records/get.h"

static const char *const collectives[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send", NULL};
static const char *const saves[] = {"checkpoint_save", NULL};
static const char *const currencies[] = {"eur", "usd", "gbp", NULL};
static const struct machine_rule count = {MACHINE_COUNT, 1, 1e9, "give a count", NULL};
static const struct machine_rule size = {MACHINE_RATE, 1, 1e18, "give bytes", NULL};
static const struct machine_rule rate = {MACHINE_RATE, 1e6, 1e13, "give bytes/s, as 229e9; bits are eight times that",
                                         NULL};
static const struct machine_rule span = {MACHINE_RATE, 1e-6, 1e9, "give seconds", NULL};
static const struct machine_rule money = {MACHINE_RATE, 1, 1e13, "give the sum, as 50e6 for 50 million", NULL};

/* One row, with its path for messages. */
struct row {
    const struct machine_document *d;
    const json_t *json;
    char field[MACHINE_KEY];
};

/* The list at `field`, of at most `most` rows. *rows is 0 if it is absent. */
static int list_of(const struct machine_document *d, const char *field, int most, const json_t **list, int *rows,
                   struct base_error *e) {
    int code = machine_document_find(d, field, list, e);
    *rows = (int)json_array_size(*list);
    if (code || !*list) return code;
    if (!json_is_array(*list))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a list of rows", machine_document_where(d, field),
                         field);
    if (*rows > most)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" has %d rows; give at most %d",
                         machine_document_where(d, field), field, *rows, most);
    return BASE_OK;
}

static int open_row(struct row *r, const struct machine_document *d, const char *field, const json_t *list, int i,
                    const char *const *known, struct base_error *e) {
    *r = (struct row){.d = d, .json = json_array_get(list, (size_t)i)};
    snprintf(r->field, sizeof r->field, "%.64s[%d]", field, i);
    return record_check_keys(r->json, known, machine_document_where(d, field), r->field, e);
}

static int number(const struct row *r, const char *key, bool required, const struct machine_rule *rule, double *x,
                  struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    const char *where = machine_document_where(r->d, r->field);
    char field[2 * MACHINE_KEY];
    *x = NAN;
    if (!value && !required) return BASE_OK;
    snprintf(field, sizeof field, "%s.%s", r->field, key);
    if (!json_is_number(value))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" %s", where, field,
                         value ? "must be a number, without quotes" : "is missing; add it");
    *x = json_number_value(value);
    return machine_rule_check(rule, where, field, *x, *x, e);
}

static int text(const struct row *r, const char *key, bool required, const char **out, struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    if (value ? !json_is_string(value) || !*json_string_value(value) : required)
        return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" %s", machine_document_where(r->d, r->field), r->field, key,
                         value ? "must be text" : "is missing; add it");
    *out = machine_keep(r->d->texts, json_string_value(value));
    return BASE_OK;
}

/* The row's main figure, with the row's status. */
static int figure(const struct row *r, const char *key, const struct machine_rule *rule, struct machine_fact *fact,
                  struct base_error *e) {
    double x = 0;
    int code = number(r, key, true, rule, &x, e);
    *fact = machine_fact_make(x, x, MACHINE_UNKNOWN, NULL);
    return code ? code : machine_document_origin(r->d, r->field, r->json, fact, e);
}

static int achieved(const struct machine_document *d, const char *field, const char *const *ops, const char *key,
                    const struct machine_rule *rule, struct machine_rows *rows, struct base_error *e) {
    const char *const known[] = {"op",     "nodes", "accelerators", "bytes", key, "status",
                                 "source", "how",   "note",         "also",  NULL};
    const struct machine_rule words = {.figure = MACHINE_WORD, .words = ops};
    const json_t *list;
    struct row r;
    int count_of, code = list_of(d, field, MACHINE_ROWS, &list, &count_of, e);
    for (int i = 0; !code && i < count_of; i++) {
        struct machine_row *out = &rows->row[i];
        char all[128];
        if ((code = open_row(&r, d, field, list, i, known, e))) return code;
        if ((code = text(&r, "op", true, &out->op, e))) return code;
        machine_rule_words(&words, all, sizeof all);
        if (machine_rule_word(&words, out->op) < 0)
            return base_fail(e, BASE_USAGE, "%s: field \"%s.op\" is \"%s\"; known: %s",
                             machine_document_where(d, field), r.field, out->op, all);
        if ((code = number(&r, "nodes", false, &count, &out->nodes, e))) return code;
        if ((code = number(&r, "accelerators", true, &count, &out->accelerators, e))) return code;
        if ((code = number(&r, "bytes", true, &size, &out->bytes, e))) return code;
        code = figure(&r, key, rule, &out->figure, e);
    }
    if (!code) rows->count = count_of;
    return code;
}

int machine_rows_collectives(const struct machine_document *d, const char *field, struct machine_rows *rows,
                             struct base_error *e) {
    return achieved(d, field, collectives, "busbw_bytes_per_s", &rate, rows, e);
}

int machine_rows_storage(const struct machine_document *d, const char *field, struct machine_rows *rows,
                         struct base_error *e) {
    return achieved(d, field, saves, "time_s", &span, rows, e);
}

/* An optional fact of a level. */
static int level_fact(const struct row *r, const char *key, const struct machine_rule *rule, struct machine_fact *fact,
                      struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    char field[2 * MACHINE_KEY];
    *fact = machine_fact_unknown();
    if (!value) return BASE_OK;
    snprintf(field, sizeof field, "%s.%s", r->field, key);
    return machine_document_fact(r->d, field, value, rule, fact, e);
}

int machine_rows_levels(const struct machine_document *d, struct machine_network *network, struct base_error *e) {
    static const char *const known[] = {"name", "nodes", "oversubscription", NULL};
    const char *field = "network.levels";
    const json_t *list;
    struct row r;
    int levels, code = list_of(d, field, MACHINE_LEVELS, &list, &levels, e);
    for (int i = 0; !code && i < levels; i++) {
        struct machine_level *level = &network->levels[i];
        code = open_row(&r, d, field, list, i, known, e);
        if (!code) code = text(&r, "name", true, &level->name, e);
        if (!code) code = level_fact(&r, "nodes", &machine_rule_level_nodes, &level->nodes, e);
        if (!code)
            code = level_fact(&r, "oversubscription", &project_rule_oversubscription, &level->oversubscription, e);
        if (!code && i + 1 < levels && !machine_fact_known(&level->nodes))
            code = base_fail(e, BASE_USAGE,
                             "%s: field \"%s.nodes\" is missing; only the last level, the whole machine, may "
                             "leave it out",
                             machine_document_where(d, field), r.field);
    }
    if (!code) network->level_count = levels;
    return code;
}

int machine_rows_costs(const struct machine_document *d, struct machine *m, struct base_error *e) {
    static const char *const known[] = {"eur",    "usd", "gbp",  "covers", "date", "status",
                                        "source", "how", "note", "also",   NULL};
    const json_t *list;
    struct row r;
    int rows, code = list_of(d, "cost", MACHINE_ROWS, &list, &rows, e);
    for (int i = 0; !code && i < rows; i++) {
        struct machine_cost *cost = &m->costs[i];
        code = open_row(&r, d, "cost", list, i, known, e);
        for (int k = 0; !code && currencies[k]; k++) {
            if (!json_object_get(r.json, currencies[k])) continue;
            if (cost->currency)
                return base_fail(e, BASE_USAGE, "%s: field \"%s\" has both \"%s\" and \"%s\"; split it into two rows",
                                 machine_document_where(d, "cost"), r.field, cost->currency, currencies[k]);
            cost->currency = currencies[k];
            code = figure(&r, currencies[k], &money, &cost->amount, e);
        }
        if (!code) code = text(&r, "covers", true, &cost->covers, e);
        if (!code && !cost->currency)
            code = base_fail(e, BASE_USAGE, "%s: field \"%s\" has no amount; give \"eur\", \"usd\" or \"gbp\"",
                             machine_document_where(d, "cost"), r.field);
    }
    if (!code) m->cost_count = rows;
    return code;
}

int machine_rows_queues(const struct machine_document *d, struct machine *m, struct base_error *e) {
    static const char *const known[] = {"name", "wall_s", "accelerators", "status", "source",
                                        "how",  "note",   "also",         NULL};
    const json_t *list;
    struct row r;
    int rows, code = list_of(d, "queues", MACHINE_ROWS, &list, &rows, e);
    for (int i = 0; !code && i < rows; i++) {
        struct machine_queue *queue = &m->queues[i];
        code = open_row(&r, d, "queues", list, i, known, e);
        if (!code) code = text(&r, "name", true, &queue->name, e);
        if (!code) code = number(&r, "accelerators", false, &count, &queue->accelerators, e);
        if (!code) code = figure(&r, "wall_s", &span, &queue->wall_s, e);
    }
    if (!code) m->queue_count = rows;
    return code;
}

int machine_rows_tiles(const struct machine_document *d, struct machine_accelerator *a, struct base_error *e) {
    const char *field = "gemm_tiles", *where = machine_document_where(d, field);
    const json_t *fact, *list;
    double most = 0;
    int tiles, code = machine_document_find(d, field, &fact, e);
    if (code || !fact) return code;
    if ((code = list_of(d, "gemm_tiles.value", MACHINE_ROWS, &list, &tiles, e))) return code;
    for (int i = 0; i < tiles; i++) {
        const json_t *tile = json_array_get(list, (size_t)i);
        const json_int_t m = json_integer_value(json_array_get(tile, 0)),
                         n = json_integer_value(json_array_get(tile, 1));
        if (json_array_size(tile) != 2 || m < 1 || n < 1 || m > 4096 || n > 4096)
            return base_fail(e, BASE_USAGE, "%s: field \"%s\": tile %d must be [m, n], each from 1 to 4096", where,
                             field, i);
        a->tiles[i].m = (int)m, a->tiles[i].n = (int)n;
        most = fmax(most, (double)(m * n));
    }
    if (!tiles)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must have a \"value\", a list of [m, n]", where, field);
    a->gemm_tiles = machine_fact_make(most, most, MACHINE_UNKNOWN, NULL);
    a->tile_count = tiles;
    return machine_document_origin(d, field, fact, &a->gemm_tiles, e);
}
