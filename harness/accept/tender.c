/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a tender, field by field. A figure out of its range is refused: it must be a typing error. */
#include "accept/tender.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/catalog.h"
#include "records/record.h"

const char *accept_item_name(enum accept_item item) {
    static const char *const names[ACCEPT_ITEMS] = {"tokens_per_s_per_node", "sustained_minutes", "spread",
                                                    "efficiency", "joules_per_token"};
    return names[item];
}

/* Where a pledge stands, and what it may be. */
static const struct {
    const char *field;
    double above, most;
    const char *must;
} pledges[ACCEPT_ITEMS] = {
    [ACCEPT_RATE] = {"pledged.tokens_per_s_per_node", 0, INFINITY, "a number above 0"},
    [ACCEPT_SUSTAINED] = {"pledged.sustained_minutes", 0, 1e5, "a number above 0, up to 100,000"},
    [ACCEPT_SPREAD] = {"pledged.spread", 0, 0.5, "a share above 0, up to 0.5"},
    [ACCEPT_EFFICIENCY] = {"pledged.efficiency.least", 0, 1.5, "a share above 0, up to 1.5"},
    [ACCEPT_ENERGY] = {"pledged.joules_per_token", 0, INFINITY, "a number above 0"},
};

static int refuse(const char *path, const char *field, const char *must, struct base_error *e) {
    return base_fail(e, BASE_USAGE, "%s: field %s must be %s", path, field, must);
}

/* A whole number; `fallback` if the field is absent, unless that is 0. */
static int read_nodes(const char *path, const json_t *o, const char *field, int64_t least, int64_t fallback, int64_t *x,
                      struct base_error *e) {
    const json_t *value = record_at(o, field);
    *x = fallback;
    if (!value && fallback) return BASE_OK;
    *x = json_integer_value(value);
    if (json_is_integer(value) && *x >= least && *x <= 10000000) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field %s must be a whole number, %lld to 10,000,000", path, field,
                     (long long)least);
}

static int read_pledges(const char *path, struct accept_tender *t, struct base_error *e) {
    int count = 0;
    for (int i = 0; i < ACCEPT_ITEMS; i++) {
        const json_t *value = record_at(t->json, pledges[i].field);
        const double x = json_number_value(value);
        t->pledged[i] = NAN;
        if (!value) continue;
        if (!json_is_number(value) || !(x > pledges[i].above) || x > pledges[i].most)
            return refuse(path, pledges[i].field, pledges[i].must, e);
        t->pledged[i] = x, count++;
    }
    if (!count && !record_at(t->json, "pledged.efficiency"))
        return base_fail(e, BASE_USAGE,
                         "%s: nothing is pledged: give \"pledged\" at least one of tokens_per_s_per_node, spread, "
                         "efficiency, joules_per_token",
                         path);
    if (!isnan(t->pledged[ACCEPT_SUSTAINED]) && isnan(t->pledged[ACCEPT_RATE]))
        return base_fail(e, BASE_USAGE,
                         "%s: field pledged.sustained_minutes says how long a rate holds: give "
                         "pledged.tokens_per_s_per_node too",
                         path);
    return BASE_OK;
}

static int read_efficiency(const char *path, struct accept_tender *t, struct base_error *e) {
    static const char *const known[] = {"nodes", "least", NULL};
    const json_t *o = record_at(t->json, "pledged.efficiency");
    if (!o) return BASE_OK;
    int code = record_check_keys(o, known, path, "pledged.efficiency", e);
    if (!code && isnan(t->pledged[ACCEPT_EFFICIENCY]))
        code = refuse(path, "pledged.efficiency.least", pledges[ACCEPT_EFFICIENCY].must, e);
    if (!code) code = read_nodes(path, t->json, "pledged.efficiency.nodes", 2, 0, &t->efficiency_nodes, e);
    if (!code && t->efficiency_nodes <= t->copy_nodes)
        code = base_fail(e, BASE_USAGE,
                         "%s: field pledged.efficiency.nodes is %lld, no more than the %lld of a copy: efficiency "
                         "compares a larger launch with the copies",
                         path, (long long)t->efficiency_nodes, (long long)t->copy_nodes);
    if (!code && t->efficiency_nodes > t->nodes)
        code = base_fail(e, BASE_USAGE, "%s: field pledged.efficiency.nodes is %lld, and the machine has %lld", path,
                         (long long)t->efficiency_nodes, (long long)t->nodes);
    return code;
}

static int read_work(const char *path, struct accept_tender *t, struct base_error *e) {
    char file[RECORD_CATALOG_PATH];
    json_t *workload = NULL;
    t->workload = record_text(t->json, "workload"), t->precision = record_text(t->json, "precision");
    if (!*t->workload) return refuse(path, "workload", "the name of a workload, such as \"node-s\"", e);
    if (strcmp(t->precision, "fp32") != 0 && strcmp(t->precision, "bf16") != 0)
        return refuse(path, "precision", "\"fp32\" or \"bf16\"", e);
    int code = record_catalog_load("workloads", path, t->workload, &workload, file, e);
    json_decref(workload);
    return code;
}

static int read_fields(const char *path, struct accept_tender *t, struct base_error *e) {
    static const char *const known[] = {"title",      "workload",  "precision", "nodes",
                                        "copy_nodes", "tolerance", "pledged",   NULL};
    static const char *const known_pledges[] = {
        "tokens_per_s_per_node", "sustained_minutes", "spread", "efficiency", "joules_per_token", NULL};
    const json_t *tolerance = json_object_get(t->json, "tolerance");
    int code = record_check_keys(t->json, known, path, "of the tender", e);
    if (!code) code = record_check_keys(record_at(t->json, "pledged"), known_pledges, path, "pledged", e);
    if (!code) code = read_work(path, t, e);
    if (!code) code = read_nodes(path, t->json, "nodes", 1, 0, &t->nodes, e);
    if (!code) code = read_nodes(path, t->json, "copy_nodes", 1, 1, &t->copy_nodes, e);
    if (!code && t->nodes % t->copy_nodes)
        code = base_fail(e, BASE_USAGE, "%s: copies of %lld nodes (field copy_nodes) do not fill %lld nodes", path,
                         (long long)t->copy_nodes, (long long)t->nodes);
    t->tolerance = tolerance ? json_number_value(tolerance) : 0.05;
    if (!code && (!(t->tolerance >= 0.001) || t->tolerance > 0.5))
        code = refuse(path, "tolerance", "a share of 0.001 to 0.5", e);
    if (!code) code = read_pledges(path, t, e);
    return code ? code : read_efficiency(path, t, e);
}

int accept_tender_read(const char *path, struct accept_tender *tender, struct base_error *e) {
    *tender = (struct accept_tender){0};
    const int code = record_json_load(path, &tender->json, e);
    return code ? code : read_fields(path, tender, e);
}

void accept_tender_close(struct accept_tender *tender) {
    json_decref(tender->json);
    *tender = (struct accept_tender){0};
}
