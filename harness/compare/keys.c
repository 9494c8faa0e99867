/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes two records comparable. Their kinds, their work, and what else tells launches of one side apart. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/parts.h"
#include "records/set.h"

double compare_rate(int kind, const json_t *record) {
    const struct study_rate *k = &study_rates[kind];
    const double x = record_real(record, k->key);
    /* without a name for the work nothing says that two trainings are the same */
    const bool named = kind != STUDY_RATE_TRAIN || json_is_object(record_at(record, "workload")) ||
                       json_object_size(record_at(record, "config"));
    if (!named) return NAN;
    /* an imported figure may be better if it is lower; if it does not say which, it is no rate */
    const char *better = kind == STUDY_RATE_FIGURE ? record_text(record, "result.better")
                         : k->lower                ? "lower"
                                                   : "higher";
    return !strcmp(better, "higher") ? x : !strcmp(better, "lower") ? 1 / x : NAN;
}

void compare_unit_text(int kind, const json_t *record, char *text, size_t size) {
    const bool lower = !strcmp(record_text(record, "result.better"), "lower");
    if (kind == STUDY_RATE_FIGURE)
        snprintf(text, size, "%s%s", lower ? "1/" : "", record_text(record, "result.unit"));
    else
        snprintf(text, size, "%s", study_rates[kind].unit);
}

/* Copies the values at the paths of a list that ends with NULL. Absent ones are left out. */
static void copy(json_t *to, const json_t *from, const char *const *paths) {
    for (; *paths; paths++) {
        json_t *value = record_at(from, *paths);
        if (value && !json_is_null(value)) json_object_set(to, *paths, value);
    }
}

static void remove_keys(json_t *from, const char *const *keys) {
    for (; *keys; keys++) json_object_del(from, *keys);
}

/* A variant of toise's own kernels, whose name is the instruction set; else that of a library. */
static bool is_own(const char *variant) {
    return strncmp(variant, "openblas", 8) != 0 && strncmp(variant, "cblas", 5) != 0;
}

/* Older records have no groups: all ranks sent. */
static long long ranks_of(const json_t *record) {
    const long long ranks = record_whole(record, "result.group_ranks");
    return ranks ? ranks : record_whole(record, "layout.world");
}

static const char *group_of(const json_t *record) {
    const char *group = record_text(record, "result.group");
    return *group ? group : "all";
}

/* The work. A workload's name and version fix it; otherwise the configuration does, without what changes no time. */
static json_t *work_of(int kind, const json_t *record) {
    static const char *const kernel[] = {
        "result.op",      "result.m",          "result.n",     "result.k",    "result.trans",    "result.dtype",
        "result.c_dtype", "result.accumulate", "result.b",     "result.h",    "result.kv_heads", "result.s",
        "result.d",       "result.window",     "result.alibi", "result.rows", "result.cols",     NULL};
    static const char *const comm[] = {"result.op", "result.bytes", "result.dtype", "result.place", NULL};
    static const char *const figure[] = {"result.metric", "result.unit", "result.better", NULL};
    static const char *const timeless[] = {"seed", "warmup", "unread", "data_modified_s", "init_modified_s", NULL};
    const char *variant = record_text(record, "result.variant"), *packed = strchr(variant, '+');
    json_t *o = json_object(), *workload = record_at(record, "workload");
    record_set_integer(o, "kind", kind);
    if (kind == STUDY_RATE_KERNEL) {
        copy(o, record, kernel);
        record_set(o, "by", json_sprintf("%s%s", is_own(variant) ? "toise" : "a library", packed ? packed : ""));
    } else if (kind == STUDY_RATE_COMM) {
        copy(o, record, comm);
        record_set_integer(o, "ranks", ranks_of(record)), record_set(o, "group", json_string(group_of(record)));
    } else if (kind == STUDY_RATE_FIGURE) {
        copy(o, record, figure);
    } else if (json_is_object(workload)) {
        record_set(o, "workload", json_incref(workload));
    } else {
        json_t *config = json_copy(record_at(record, "config"));
        remove_keys(config, timeless);
        record_set(o, "config", config ? config : json_null());
    }
    return o;
}

static json_t *shape_of(const json_t *record) {
    static const char *const no_shape[] = {"threads_from", "bucket_bytes", NULL};
    json_t *layout = json_copy(record_at(record, "layout"));
    remove_keys(layout, no_shape);
    return layout ? layout : json_null();
}

bool compare_keys_of(int kind, const json_t *record, char *key[COMPARE_KEYS]) {
    static const char *const variant[] = {"result.variant", "machine.kernels.gemm", "result.redop", "result.root",
                                          NULL};
    static const char *const setup[] = {"machine.cpu",
                                        "machine.isa",
                                        "machine.compiler",
                                        "machine.compiler_flags",
                                        "machine.cpu_quota.cpus",
                                        "machine.blas.name",
                                        "machine.blas.version",
                                        "machine.blas.path",
                                        "version",
                                        NULL};
    json_t *o = work_of(kind, record);
    bool done = true;
    for (int level = COMPARE_WORK; level >= COMPARE_SETUP; level--) {
        if (level == COMPARE_VARIANT) copy(o, record, variant);
        if (level == COMPARE_SHAPE) record_set(o, "layout", shape_of(record));
        if (level == COMPARE_SETUP) copy(o, record, setup);
        key[level] = json_dumps(o, JSON_COMPACT | JSON_SORT_KEYS);
        done = done && key[level];
    }
    json_decref(o);
    return done;
}

void compare_work_text(int kind, const json_t *record, char *text, size_t size) {
    const json_t *r = record_at(record, "result"), *w = record_at(record, "workload"),
                 *config = record_at(record, "config");
    if (kind == STUDY_RATE_KERNEL)
        snprintf(text, size, "%s %s %s%s%s", record_text(r, "op"), record_text(r, "shape"), record_text(r, "dtype"),
                 is_own(record_text(r, "variant")) ? "" : " by ",
                 is_own(record_text(r, "variant")) ? "" : record_text(r, "variant"));
    else if (kind == STUDY_RATE_COMM)
        snprintf(text, size, "%s of %lld bytes, %lld ranks%s%s", record_text(r, "op"), record_whole(r, "bytes"),
                 ranks_of(record), !strcmp(group_of(record), "all") ? "" : ", ",
                 !strcmp(group_of(record), "all") ? "" : group_of(record));
    else if (kind == STUDY_RATE_FIGURE)
        snprintf(text, size, "%s", record_text(r, "metric"));
    else if (json_is_object(w))
        snprintf(text, size, "%s v%lld %s", record_text(w, "name"), record_whole(w, "version"),
                 record_text(w, "precision"));
    else
        snprintf(text, size, "%s %s, %lld x %lld tokens", record_text(config, "model"),
                 record_text(config, "precision"), record_whole(config, "global_batch"), record_whole(config, "seq"));
}

static bool is_leaf(const json_t *value) {
    return !json_is_object(value);
}

static void add_difference(json_t *list, const char *key, const json_t *base, const json_t *new) {
    json_t *o = json_object();
    record_set(o, "key", json_string(key));
    record_set(o, "base", base ? json_incref((json_t *)base) : json_null());
    record_set(o, "new", new ? json_incref((json_t *)new) : json_null());
    json_array_append_new(list, o);
}

static void walk(json_t *list, const char *path, const json_t *base, const json_t *new, int most) {
    char inner[256];
    const char *key;
    json_t *value;
    if ((int)json_array_size(list) >= most) return;
    if ((is_leaf(base) && is_leaf(new)) || (is_leaf(base) && base) || (is_leaf(new) && new)) {
        const bool none = (!base || json_is_null(base)) && (!new || json_is_null(new));
        if (!none && !json_equal(base, new)) add_difference(list, path, base, new);
        return;
    }
    json_object_foreach((json_t *)base, key, value) {
        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "", key);
        walk(list, inner, value, json_object_get(new, key), most);
    }
    json_object_foreach((json_t *)new, key, value) {
        snprintf(inner, sizeof inner, "%s%s%s", path, *path ? "." : "", key);
        if (!json_object_get(base, key)) walk(list, inner, NULL, value, most);
    }
}

json_t *compare_differences(const json_t *base, const json_t *new, int most) {
    json_t *list = json_array();
    walk(list, "", base, new, most);
    return list;
}
