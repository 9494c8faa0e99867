/* SPDX-License-Identifier: Apache-2.0
 *
 * Flattens the machine object, and hashes what matters for speed. */
#include "inventory/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records/hash.h"
#include "records/set.h"

/* clang-format off */
/* What matters, the most telling first. A path stands for all below it. A change here changes all fingerprints. */
static const char *const matters[] = {
    "firmware", "microcode", "governor", "frequency", "max_hz", "transparent_huge_pages", "huge_pages", "iommu",
    "kernel", "command_line", "openblas", "isa", "unused_matrix_unit", "cpu", "board", "sockets", "numa_nodes",
    "cores", "cpus", "smt", "memory_bytes", "numa", "numa_distances", "numa_balancing", "page_bytes", "caches",
    "cpu_features", "virtualised", "mitigations", "cpu_quota", "cgroup.cpus", "cgroup.memory_nodes", "interfaces",
    "adapters", "mpi", "compiler", "compiler_flags", "libc", NULL};
/* Never compared. The rest is compared between nodes, but is no part of the fingerprint. */
static const char *const names[] = {
    "host", "cpu_quota.group", "cgroup.cpuset", "slurm", "kernels", "fingerprint", "unknown", NULL};
/* clang-format on */

/* The index of the entry that is `path` or above it; -1: none */
static int find(const char *const *list, const char *path) {
    for (int i = 0; list[i]; i++) {
        const size_t length = strlen(list[i]);
        if (!strncmp(path, list[i], length) && (path[length] == '\0' || path[length] == '.')) return i;
    }
    return -1;
}

bool inventory_matters(const char *path) {
    return find(matters, path) >= 0 && find(names, path) < 0;
}

int inventory_rank(const char *path) {
    const int rank = find(matters, path);
    return rank >= 0 ? rank : (int)(sizeof matters / sizeof *matters);
}

/* Up to a multiple of a sixteenth of the power of two below: 503.4 GiB of 512 becomes 512, as 503.5 does. */
static json_int_t rounded(json_int_t bytes) {
    json_int_t step = 1;
    while (step <= bytes / 32) step *= 2;
    return (bytes + step - 1) / step * step;
}

/* A copy of a value without names, memory rounded. */
static json_t *value_of(const char *key, const json_t *value) {
    if (json_is_integer(value) && strstr(key, "memory_bytes")) return json_integer(rounded(json_integer_value(value)));
    if (json_is_array(value)) {
        json_t *list = json_array();
        for (size_t i = 0; i < json_array_size(value); i++)
            json_array_append_new(list, value_of(key, json_array_get(value, i)));
        return list;
    }
    if (!json_is_object(value)) return json_deep_copy(value);
    json_t *object = json_object(), *below;
    const char *name;
    json_object_foreach((json_t *)value, name, below) if (strcmp(name, "name") != 0)
        json_object_set_new(object, name, value_of(name, below));
    return object;
}

static void flatten(json_t *facts, const char *above, const json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)object, key, value) {
        char path[256];
        snprintf(path, sizeof path, "%s%s%s", above, above[0] ? "." : "", key);
        if (find(names, path) >= 0 || json_is_null(value)) continue;
        if (json_is_object(value))
            flatten(facts, path, value);
        else
            json_object_set_new(facts, path, value_of(key, value));
    }
}

json_t *inventory_facts(const json_t *machine) {
    json_t *facts = json_object();
    flatten(facts, "", machine);
    return facts;
}

void inventory_hash(const json_t *machine, char text[INVENTORY_FINGERPRINT]) {
    json_t *facts = inventory_facts(machine), *value;
    const char *path;
    void *next;
    char digits[RECORD_HASH_TEXT];
    json_object_foreach_safe(facts, next, path, value) if (!inventory_matters(path)) json_object_del(facts, path);
    char *all = json_dumps(facts, JSON_SORT_KEYS | JSON_COMPACT | JSON_REAL_PRECISION(6));
    record_hash_of(all ? all : "", all ? strlen(all) : 0, digits);
    snprintf(text, INVENTORY_FINGERPRINT, "%.16s", digits);
    free(all);
    json_decref(facts);
}
