/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathers one machine object a node, and compares them by their facts. */
#include "inventory/nodes.h"

#include <stdlib.h>
#include <string.h>

#include "inventory/facts.h"
#include "inventory/hosts.h"
#include "records/get.h"
#include "records/set.h"

/* Nodes with the same facts. */
struct group {
    char *text;          /* the facts, keys sorted */
    json_t *facts;       /* of the first node */
    const json_t *first; /* its machine, borrowed */
    json_t *hosts;
    size_t index; /* of the first node */
};

static int parse(const char *all, size_t each, int count, json_t **machines, struct base_error *e) {
    json_t *list = json_array();
    for (int i = 0; i < count; i++) json_array_append_new(list, json_loads(all + (size_t)i * each, 0, NULL));
    if (json_array_size(list) == (size_t)count) return *machines = list, BASE_OK;
    json_decref(list);
    return base_fail(e, BASE_BROKEN, "a node's description did not arrive whole");
}

/* The ranks of *nodes are one of each node. */
static int gather(struct comm *nodes, const char *mine, json_t **machines, struct base_error *e) {
    double longest = (double)strlen(mine) + 1;
    nodes->ops->max(nodes, &longest, 1);
    const size_t each = (size_t)longest;
    char *padded = calloc(1, each), *all = calloc((size_t)nodes->size, each);
    int code = padded && all ? BASE_OK : base_fail(e, BASE_BROKEN, "no memory for the descriptions of all nodes");
    if (!(code = comm_agree(nodes, code, e))) {
        memcpy(padded, mine, strlen(mine));
        nodes->ops->all_gather(nodes, padded, each, all);
        if (nodes->rank == 0) code = parse(all, each, nodes->size, machines, e);
    }
    free(padded);
    free(all);
    return code;
}

int inventory_gather(struct comm *world, const json_t *machine, json_t **machines, struct base_error *e) {
    struct comm nodes;
    *machines = NULL;
    int code = comm_split(world, world->local_rank ? -1 : 0, world->rank, &nodes, e);
    if (code) return code;
    char *text = json_dumps(machine, JSON_COMPACT | JSON_REAL_PRECISION(12));
    if (nodes.size > 0) code = gather(&nodes, text ? text : "{}", machines, e);
    free(text);
    comm_close(&nodes);
    if ((code = comm_agree(world, code, e)) == BASE_OK) return code;
    json_decref(*machines);
    *machines = NULL;
    return code;
}

static int by_facts(const void *a, const void *b) {
    const struct group *x = a, *y = b;
    const int order = strcmp(x->text, y->text);
    return order ? order : (x->index > y->index) - (x->index < y->index);
}

static int by_size(const void *a, const void *b) {
    const struct group *x = a, *y = b;
    const size_t m = json_array_size(x->hosts), n = json_array_size(y->hosts);
    return m != n ? (m < n) - (m > n) : (x->index > y->index) - (x->index < y->index);
}

/* Merges equal neighbours. Returns how many groups remain. */
static size_t merge(struct group *groups, size_t count) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (n && !strcmp(groups[n - 1].text, groups[i].text)) {
            json_array_extend(groups[n - 1].hosts, groups[i].hosts);
            free(groups[i].text);
            json_decref(groups[i].facts);
            json_decref(groups[i].hosts);
        } else {
            groups[n++] = groups[i];
        }
    }
    return n;
}

/* Writes one group of each kind of node to groups[count of machines]. Returns how many. */
static size_t group(struct group *groups, const json_t *machines) {
    const size_t count = json_array_size(machines);
    for (size_t i = 0; i < count; i++) {
        const json_t *machine = json_array_get(machines, i);
        groups[i] = (struct group){.facts = inventory_facts(machine), .first = machine, .index = i};
        groups[i].text = json_dumps(groups[i].facts, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(12));
        groups[i].hosts = json_pack("[s]", record_text(machine, "host"));
    }
    qsort(groups, count, sizeof *groups, by_facts);
    const size_t kinds = merge(groups, count);
    qsort(groups, kinds, sizeof *groups, by_size);
    return kinds;
}

static void set_hosts(json_t *o, const json_t *hosts) {
    char *text = inventory_hosts(hosts);
    record_set_integer(o, "count", (int64_t)json_array_size(hosts));
    record_set(o, "hosts", json_string(text ? text : ""));
    free(text);
}

static json_t *group_json(const struct group *g) {
    json_t *o = json_object(), *machine = json_copy((json_t *)g->first);
    set_hosts(o, g->hosts);
    json_object_del(machine, "host");
    record_set(o, "machine", machine);
    return o;
}

static int by_count(const void *a, const void *b) {
    const json_t *const *x = a, *const *y = b;
    const long long m = record_whole(*x, "count"), n = record_whole(*y, "count");
    return m != n ? (m < n) - (m > n) : strcmp(record_text(*x, "hosts"), record_text(*y, "hosts"));
}

static int by_rank(const void *a, const void *b) {
    const json_t *const *x = a, *const *y = b;
    const char *m = record_text(*x, "key"), *n = record_text(*y, "key");
    const int order = inventory_rank(m) - inventory_rank(n);
    return order ? order : strcmp(m, n);
}

/* Moves the values of an object or a list to a sorted list; NULL: out of memory. */
static json_t *sorted(json_t *values, int (*order)(const void *, const void *)) {
    const size_t count = json_is_array(values) ? json_array_size(values) : json_object_size(values);
    json_t **at = calloc(count + 1, sizeof *at), *list = json_array(), *value;
    const char *key;
    size_t n = 0;
    if (!at) {
        json_decref(list), json_decref(values);
        return NULL;
    }
    if (json_is_array(values)) json_array_foreach(values, n, value) at[n] = value;
    if (json_is_object(values)) json_object_foreach(values, key, value) at[n++] = value;
    qsort(at, count, sizeof *at, order);
    for (size_t i = 0; i < count; i++) json_array_append(list, at[i]);
    free(at);
    json_decref(values);
    return list;
}

/* Adds a group's hosts to those of the same value of a fact. */
static void add_value(json_t *values, const struct group *g, const char *key) {
    const json_t *value = json_object_get(g->facts, key);
    const char *why = value ? "" : record_text(json_object_get(g->first, "unknown"), key);
    json_t *pair = json_pack("[O?, s]", value, why);
    char *text = json_dumps(pair, JSON_SORT_KEYS | JSON_COMPACT);
    json_t *entry = json_object_get(values, text);
    if (!entry) {
        entry = json_pack("{s:O?, s:[]}", "value", value, "hosts");
        if (why[0]) record_set(entry, "why", json_string(why));
        json_object_set_new(values, text, entry);
    }
    json_array_extend(json_object_get(entry, "hosts"), g->hosts);
    free(text);
    json_decref(pair);
}

static json_t *difference(const struct group *groups, size_t count, const char *key) {
    json_t *values = json_object(), *value;
    const char *text;
    for (size_t i = 0; i < count; i++) add_value(values, &groups[i], key);
    json_object_foreach(values, text, value) {
        json_t *hosts = json_incref(json_object_get(value, "hosts"));
        set_hosts(value, hosts);
        json_decref(hosts);
    }
    return json_pack("{s:s, s:b, s:o}", "key", key, "matters", inventory_matters(key), "values",
                     sorted(values, by_count));
}

static bool differs(const struct group *groups, size_t count, const char *key) {
    const json_t *first = json_object_get(groups[0].facts, key);
    for (size_t i = 1; i < count; i++) {
        const json_t *value = json_object_get(groups[i].facts, key);
        if (first != value && !json_equal(first, value)) return true;
    }
    return false;
}

static json_t *differences(const struct group *groups, size_t count) {
    json_t *seen = json_object(), *list = json_array(), *value;
    const char *key;
    for (size_t i = 0; count > 1 && i < count; i++) {
        json_object_foreach(groups[i].facts, key, value) {
            if (json_object_get(seen, key)) continue;
            json_object_set_new(seen, key, json_true());
            if (differs(groups, count, key)) json_array_append_new(list, difference(groups, count, key));
        }
    }
    json_decref(seen);
    return sorted(list, by_rank);
}

json_t *inventory_compare(const json_t *machines) {
    const size_t nodes = json_array_size(machines);
    struct group *groups = calloc(nodes + 1, sizeof *groups);
    const size_t count = groups ? group(groups, machines) : 0;
    json_t *result = json_pack("{s:I}", "nodes", (json_int_t)nodes), *list = json_array();
    record_set(result, "differences", differences(groups, count));
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, group_json(&groups[i]));
        free(groups[i].text);
        json_decref(groups[i].facts);
        json_decref(groups[i].hosts);
    }
    record_set(result, "groups", list);
    free(groups);
    return result;
}
