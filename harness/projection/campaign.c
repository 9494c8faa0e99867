/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a campaign's file and checks every field. */
#include "projection/campaign.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "machine/document.h"
#include "records/get.h"

enum { RANKS_MOST = 4096 };

static const struct machine_rule a_count = {MACHINE_COUNT, 1, 1e8, "give a count", NULL};
static const struct machine_rule a_rate = {MACHINE_RATE, 1e-3, 1e18, "give the number itself, as 366e9 for 366 billion",
                                           NULL};

/* An object inside the file, and its place for messages: "training.2". */
struct row {
    const struct machine_document *d;
    const json_t *json;
    char at[64];
};

static int check_keys(const struct row *r, const char *const *known, struct base_error *e) {
    return record_check_keys(r->json, known, r->d->path, r->at, e);
}

static int fact(const struct row *r, const char *key, const struct machine_rule *rule, bool required,
                struct machine_fact *f, struct base_error *e) {
    char field[128];
    const json_t *value = json_object_get(r->json, key);
    *f = machine_fact_unknown();
    snprintf(field, sizeof field, "%s.%s", r->at, key);
    if (value) return machine_document_fact(r->d, field, value, rule, f, e);
    return required ? base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing", r->d->path, field) : BASE_OK;
}

static int text(const struct row *r, const char *key, bool required, const char **words, struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    *words = machine_keep(r->d->texts, json_string_value(value));
    if (*words || (!value && !required)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" %s", r->d->path, r->at, key,
                     value ? "must be text" : "is missing");
}

/* An absent flag is false. */
static int flag(const struct row *r, const char *key, bool *is, struct base_error *e) {
    const json_t *x = json_object_get(r->json, key);
    *is = json_is_true(x);
    if (!x || json_is_boolean(x)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" must be true or false", r->d->path, r->at, key);
}

static int read_system(struct projection_campaign *c, const struct row *r, struct base_error *e) {
    static const char *const known[] = {"machine", "count",           "role",  "hypothetical",
                                        "nodes",   "outside_budgets", "notes", NULL};
    struct projection_campaign_system *s = &c->system[c->systems++];
    int code = check_keys(r, known, e);
    if (!code) code = text(r, "machine", true, &s->machine, e);
    if (!code) code = text(r, "role", false, &s->role, e);
    if (!code) code = fact(r, "count", &a_count, true, &s->count, e);
    if (!code) code = fact(r, "nodes", &a_count, false, &s->nodes, e);
    return code ? code : flag(r, "outside_budgets", &s->outside, e);
}

/* A number of the published layout; an absent one is free. */
static int given(const struct row *r, const char *key, int least, int most, int *figure, struct base_error *e) {
    const json_t *x = json_object_get(r->json, key);
    const json_int_t value = json_integer_value(x);
    *figure = x ? (int)value : PLAN_FREE;
    if (!x || (json_is_integer(x) && value >= least && value <= most)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" must be a whole number from %d to %d, or be left out",
                     r->d->path, r->at, key, least, most);
}

/* A name in the published layout, looked up by `find`; an absent one changes nothing. */
static int word(const struct row *r, const char *key, bool (*find)(const char *name, int *index), int *index,
                struct base_error *e) {
    const json_t *x = json_object_get(r->json, key);
    const char *name = json_string_value(x);
    if (!x || (name && find(name, index))) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" is %s%s%s; toise project --help lists what it can be",
                     r->d->path, r->at, key, name ? "\"" : "", name ? name : "not text", name ? "\"" : "");
}

static bool find_recompute(const char *name, int *index) {
    enum plan_recompute x;
    const bool found = plan_recompute_find(name, &x);
    if (found) *index = (int)x;
    return found;
}

static bool find_schedule(const char *name, int *index) {
    enum plan_schedule x;
    const bool found = plan_schedule_find(name, &x);
    if (found) *index = (int)x;
    return found;
}

static bool find_framework(const char *name, int *index) {
    enum cost_framework x;
    const bool found = cost_framework_find(name, &x);
    if (found) *index = (int)x;
    return found;
}

static int read_layout(struct projection_campaign_training *t, const struct row *training, struct base_error *e) {
    static const char *const known[] = {"tp",          "pp",        "cp",       "vp",        "dp",       "zero",
                                        "micro_batch", "recompute", "schedule", "framework", "blocking", "slots",
                                        "status",      "source",    "ep",       NULL};
    struct row r = {training->d, json_object_get(training->json, "layout"), ""};
    struct plan_layout *x = &t->choice;
    int framework = COST_MEGATRON_CORE, micro_batch = PLAN_FREE;
    snprintf(r.at, sizeof r.at, "%.40s.layout", training->at);
    *x = (struct plan_layout){.sequence_parallel = PLAN_FREE, .recompute = PLAN_FREE, .schedule = PLAN_FREE};
    int code = check_keys(&r, known, e);
    if (!code) code = given(&r, "tp", 1, RANKS_MOST, &x->tp, e);
    if (!code) code = given(&r, "pp", 1, RANKS_MOST, &x->pp, e);
    if (!code) code = given(&r, "cp", 1, RANKS_MOST, &x->cp, e);
    if (!code) code = given(&r, "vp", 1, RANKS_MOST, &x->vp, e);
    if (!code) code = given(&r, "ep", 1, RANKS_MOST, &x->ep, e);
    if (!code) code = given(&r, "zero", 0, 3, &x->zero, e);
    if (!code) code = given(&r, "micro_batch", 1, INT16_MAX, &micro_batch, e);
    if (!code) code = word(&r, "recompute", find_recompute, &x->recompute, e);
    if (!code) code = word(&r, "schedule", find_schedule, &x->schedule, e);
    if (!code) code = word(&r, "framework", find_framework, &framework, e);
    if (!code) code = flag(&r, "blocking", &t->blocking, e);
    x->micro_batch = micro_batch, t->framework = (enum cost_framework)framework;
    return code ? code : flag(&r, "slots", &t->slots, e);
}

static int read_training(struct projection_campaign *c, const struct row *r, struct base_error *e) {
    static const char *const known[] = {"model",      "machine",     "tokens",    "sequence",     "global_batch",
                                        "ramp_batch", "ramp_tokens", "precision", "accelerators", "layout",
                                        "published",  "notes",       NULL};
    struct projection_campaign_training *t = &c->training[c->trainings++];
    struct row published = {r->d, json_object_get(r->json, "published"), ""};
    snprintf(published.at, sizeof published.at, "%.40s.published", r->at);
    int code = check_keys(r, known, e);
    if (!code) code = text(r, "model", true, &t->model, e);
    if (!code) code = text(r, "machine", false, &t->machine, e);
    if (!code) code = fact(r, "tokens", &a_rate, true, &t->tokens, e);
    if (!code) code = fact(r, "sequence", &a_count, false, &t->sequence, e);
    if (!code) code = fact(r, "global_batch", &a_count, false, &t->global_batch, e);
    if (!code) code = fact(r, "ramp_batch", &a_count, false, &t->ramp_batch, e);
    if (!code) code = fact(r, "ramp_tokens", &a_rate, false, &t->ramp_tokens, e);
    if (!code) code = fact(r, "accelerators", &a_count, false, &t->accelerators, e);
    if (!code) code = read_layout(t, r, e);
    if (!code) code = fact(&published, "accelerator_hours", &a_rate, false, &t->published_hours, e);
    return code ? code : fact(&published, "days", &a_rate, false, &t->published_days, e);
}

static int read_list(struct projection_campaign *c, const struct machine_document *d, const char *key,
                     int (*read)(struct projection_campaign *c, const struct row *r, struct base_error *e),
                     struct base_error *e) {
    const json_t *list = json_object_get(d->json, key), *item;
    size_t i;
    int code = BASE_OK;
    if (json_array_size(list) == 0)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing or empty; give a list of at least one", d->path,
                         key);
    if (json_array_size(list) > PROJECTION_CAMPAIGN_ROWS)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" has more than %d entries; split the campaign", d->path, key,
                         PROJECTION_CAMPAIGN_ROWS);
    json_array_foreach(list, i, item) {
        struct row r = {d, item, ""};
        snprintf(r.at, sizeof r.at, "%s.%zu", key, i);
        if (!code) code = read(c, &r, e);
    }
    return code;
}

static int read_price(struct projection_campaign *c, const struct machine_document *d, struct base_error *e) {
    const json_t *list, *item;
    size_t i;
    int code = machine_document_find(d, "electricity.price_eur_per_mwh", &list, e);
    c->eur_per_mwh = machine_fact_unknown();
    if (!code && list && !json_is_array(list))
        code = base_fail(e, BASE_USAGE, "%s: field \"electricity.price_eur_per_mwh\" must be a list", d->path);
    json_array_foreach(list, i, item) {
        struct machine_fact f, *all = &c->eur_per_mwh;
        char field[64];
        snprintf(field, sizeof field, "electricity.price_eur_per_mwh.%zu", i);
        json_t *plain = json_deep_copy(item);
        json_object_del(plain, "date"), json_object_del(plain, "covers");
        if (!code) code = machine_document_fact(d, field, plain, &a_rate, &f, e);
        json_decref(plain);
        if (code) break;
        const double low = machine_fact_known(all) ? fmin(all->low, f.low) : f.low;
        const double high = machine_fact_known(all) ? fmax(all->high, f.high) : f.high;
        if (!machine_fact_known(all)) *all = f;
        all->low = low, all->high = high;
    }
    return code;
}

/* The record copies budgets. This checks only the fields that the report prints. */
static int check_budgets(const struct machine_document *d, struct base_error *e) {
    const json_t *list = json_object_get(d->json, "budgets"), *budget, *amount;
    size_t i, k;
    if (list && !json_is_array(list)) return base_fail(e, BASE_USAGE, "%s: field \"budgets\" must be a list", d->path);
    json_array_foreach(list, i, budget) {
        const json_t *amounts = json_object_get(budget, "amounts");
        if (!json_is_string(json_object_get(budget, "name")) ||
            (!json_is_array(amounts) && !json_is_string(json_object_get(budget, "machine"))))
            return base_fail(e, BASE_USAGE, "%s: field \"budgets.%zu\" needs a name, and amounts or a machine", d->path,
                             i);
        json_array_foreach(amounts, k, amount) {
            if (!(json_number_value(json_object_get(amount, "eur")) > 0))
                return base_fail(e, BASE_USAGE,
                                 "%s: field \"budgets.%zu.amounts.%zu.eur\" must be a number of euros, as 500e6",
                                 d->path, i, k);
        }
    }
    return BASE_OK;
}

int projection_campaign_read(const char *name, struct projection_campaign *c, struct base_error *e) {
    static const char *const known[] = {
        "schema", "name",    "title", "like", "budgets", "systems", "training", "electricity", "energy_boundaries",
        "notes",  "sources", NULL};
    struct machine_document d = {.texts = &c->texts};
    *c = (struct projection_campaign){.texts = NULL};
    int code = machine_document_open(&d, "campaigns", "programme", name, NULL, e);
    if (!code) {
        c->json = json_incref(d.json);
        c->path = machine_keep(&c->texts, d.path);
        const struct row whole = {&d, d.json, "top level"};
        code = check_keys(&whole, known, e);
    }
    if (!code) code = machine_document_text(&d, "name", true, &c->name, e);
    if (!code) code = machine_document_text(&d, "title", true, &c->title, e);
    if (!code) code = read_list(c, &d, "systems", read_system, e);
    if (!code) code = read_list(c, &d, "training", read_training, e);
    if (!code) code = read_price(c, &d, e);
    if (!code) code = check_budgets(&d, e);
    machine_document_close(&d);
    return code;
}

void projection_campaign_close(struct projection_campaign *c) {
    json_decref(c->json);
    machine_texts_free(c->texts);
    c->json = NULL, c->texts = NULL;
}
