/* SPDX-License-Identifier: Apache-2.0
 *
 * Pairs groups of the same work, first those that agree in everything, and lists what has no partner with the first
 * difference to the nearest. */
#include <stdlib.h>
#include <string.h>

#include "compare/parts.h"
#include "records/set.h"

static const struct compare_item *head_of(const struct compare *c, const struct compare_group *g) {
    return &c->items[g->first];
}

static const char *key_of(const struct compare *c, const struct compare_group *g, enum compare_key level) {
    return head_of(c, g)->key[level];
}

static int make_groups(struct compare *c, struct base_error *e) {
    c->groups = calloc(c->count + 1, sizeof *c->groups);
    if (!c->groups) return base_fail(e, BASE_BROKEN, "out of memory for %zu groups", c->count);
    for (size_t i = 0; i < c->count; i++) {
        const struct compare_item *item = &c->items[i];
        const bool same =
            i && item->side == item[-1].side && !strcmp(item->key[COMPARE_SETUP], item[-1].key[COMPARE_SETUP]);
        if (!same) c->groups[c->group_count++] = (struct compare_group){item->side, i, 0, false};
        c->groups[c->group_count - 1].count++;
    }
    return BASE_OK;
}

/* The groups [first, end) of one work. */
struct work {
    struct compare *c;
    size_t first, end;
    int side; /* that is compared with side 0 */
};

/* The only group of `side` that has no partner yet and this key; NULL: none or several. */
static struct compare_group *only(const struct work *w, int side, enum compare_key level, const char *key) {
    struct compare_group *found = NULL;
    for (size_t i = w->first; i < w->end; i++) {
        struct compare_group *g = &w->c->groups[i];
        if (g->side != side || g->paired || strcmp(key_of(w->c, g, level), key) != 0) continue;
        if (found) return NULL;
        found = g;
    }
    return found;
}

/* Side 0 takes part in a comparison with each later side. */
static void free_base(const struct work *w) {
    for (size_t i = w->first; i < w->end; i++)
        if (w->c->groups[i].side == 0) w->c->groups[i].paired = false;
}

static void pair_at(const struct work *w, enum compare_key level) {
    struct compare *c = w->c;
    for (size_t i = w->first; i < w->end; i++) {
        struct compare_group *new = &c->groups[i];
        if (new->side != w->side || new->paired) continue;
        const char *key = key_of(c, new, level);
        struct compare_group *base = only(w, w->side, level, key) ? only(w, 0, level, key) : NULL;
        if (!base) continue;
        new->paired = base->paired = true;
        c->pairs[c->pair_count++] = (struct compare_pair){.base = base, .new = new};
    }
}

/* The partner that an unpaired group could nearly have had, and how they differ. */
struct nearest {
    const struct compare_group *group;
    json_t *differs; /* owned */
};

/* What differs in two groups' work, or, if it is the same, in their setups. */
static json_t *differences_of(const struct compare *c, const struct compare_group *base,
                              const struct compare_group *new) {
    enum { LEAVES = 32 };
    const bool same = !strcmp(key_of(c, base, COMPARE_WORK), key_of(c, new, COMPARE_WORK));
    const enum compare_key level = same ? COMPARE_SETUP : COMPARE_WORK;
    json_t *before = json_loads(key_of(c, base, level), 0, NULL), *after = json_loads(key_of(c, new, level), 0, NULL);
    json_t *differs = compare_differences(before, after, LEAVES);
    json_decref(before), json_decref(after);
    return differs;
}

static struct nearest find_nearest(const struct compare *c, const struct compare_group *g, int side) {
    enum { LOOKED_AT = 1000, LISTED = 50 };
    struct nearest best = {0};
    if (json_array_size(c->unpaired) >= LISTED) return best; /* nobody reads so many, and a search takes long */
    for (size_t i = 0, looked = 0; i < c->group_count && looked < LOOKED_AT; i++) {
        const struct compare_group *other = &c->groups[i];
        if (other->side != side || head_of(c, other)->kind != head_of(c, g)->kind) continue;
        const bool same = !strcmp(key_of(c, other, COMPARE_WORK), key_of(c, g, COMPARE_WORK));
        json_t *differs = side ? differences_of(c, g, other) : differences_of(c, other, g);
        looked++;
        if (!best.differs || same || json_array_size(differs) < json_array_size(best.differs)) {
            json_decref(best.differs);
            best = (struct nearest){other, differs};
        } else {
            json_decref(differs);
        }
        if (same) break;
    }
    return best;
}

/* Lists the group as unpaired with `side`: its work, why, and the first line in which the nearest differs. */
static void list_unpaired(struct compare *c, const struct compare_group *g, int side) {
    const struct compare_item *head = head_of(c, g);
    struct nearest nearest = find_nearest(c, g, side);
    char work[COMPARE_WHY], why[3 * COMPARE_WHY];
    compare_work_text(head->kind, head->record, work, sizeof work);
    const bool same_work = nearest.group && !strcmp(key_of(c, nearest.group, COMPARE_WORK), head->key[COMPARE_WORK]);
    if (same_work)
        snprintf(why, sizeof why, "several setups of the same work, and none agrees: compare one at a time");
    else
        snprintf(why, sizeof why, "no record of %.200s did the same work", c->paths[side]);
    json_t *o = json_pack("{s:i, s:s, s:s, s:s, s:i, s:s, s:i}", "side", g->side, "with", c->paths[side], "kind",
                          study_rates[head->kind].kind, "path", head->from->path, "line", (int)head->from->line, "why",
                          why, "launches", (int)g->count);
    record_set(o, "work", json_string(work));
    record_set(o, "differs",
               nearest.differs && json_array_size(nearest.differs) ? json_incref(json_array_get(nearest.differs, 0))
                                                                   : json_null());
    json_array_append_new(c->unpaired, o);
    json_decref(nearest.differs);
}

static void match_work(const struct work *w) {
    free_base(w);
    for (enum compare_key level = COMPARE_SETUP; level < COMPARE_KEYS; level++) pair_at(w, level);
    for (size_t i = w->first; i < w->end; i++) {
        const struct compare_group *g = &w->c->groups[i];
        if (g->paired || (g->side != 0 && g->side != w->side)) continue;
        list_unpaired(w->c, g, g->side ? 0 : w->side);
    }
}

/* The end of the groups with the same work as the first. */
static size_t work_end(const struct compare *c, size_t first) {
    size_t end = first + 1;
    while (end < c->group_count &&
           !strcmp(key_of(c, &c->groups[end], COMPARE_WORK), key_of(c, &c->groups[first], COMPARE_WORK)))
        end++;
    return end;
}

/* BASE_USAGE: the side has no pair. */
static int refuse(const struct compare *c, int side, struct base_error *e) {
    const json_t *first = NULL, *differs;
    size_t i;
    json_array_foreach(c->unpaired, i, first) if (record_whole(first, "side") == side) break;
    differs = record_at(first, "differs");
    char *base = json_dumps(record_at(differs, "base"), JSON_ENCODE_ANY);
    char *new = json_dumps(record_at(differs, "new"), JSON_ENCODE_ANY);
    const int code =
        differs && !json_is_null(differs)
            ? base_fail(e, BASE_USAGE,
                        "nothing can be compared: %s line %lld: %s; the nearest differs in %s: %.100s | %.100s",
                        record_text(first, "path"), record_whole(first, "line"), record_text(first, "why"),
                        record_text(differs, "key"), base ? base : "", new ? new : "")
            : base_fail(e, BASE_USAGE, "nothing can be compared: %s line %lld: %s", record_text(first, "path"),
                        record_whole(first, "line"), record_text(first, "why"));
    free(base), free(new);
    return code;
}

static int check_rates(const struct compare *c, struct base_error *e) {
    for (int side = 0; side < c->sides; side++)
        if (!record_whole(c->found[side], "launches"))
            return base_fail(e, BASE_USAGE,
                             "%s: none of its %lld records has a rate that can be compared: give records of train, "
                             "kernels or comm that did not fail; imported figures need \"better\"",
                             c->paths[side], record_whole(c->found[side], "records"));
    return BASE_OK;
}

int compare_match(struct compare *c, struct base_error *e) {
    int code = check_rates(c, e);
    if (!code) code = make_groups(c, e);
    if (code) return code;
    c->pairs = calloc(c->group_count + 1, sizeof *c->pairs);
    if (!c->pairs) return base_fail(e, BASE_BROKEN, "out of memory for %zu pairs", c->group_count);
    for (int side = 1; side < c->sides && !code; side++) {
        const size_t before = c->pair_count;
        for (size_t first = 0; first < c->group_count; first = work_end(c, first))
            match_work(&(struct work){c, first, work_end(c, first), side});
        if (c->pair_count == before) code = refuse(c, side, e);
    }
    return code;
}
