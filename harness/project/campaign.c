/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a campaign. */
#include "project/campaign.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "project/document.h"

static const struct project_rule a_count = {PROJECT_COUNT, 1, 1e8, "give a count", NULL};
static const struct project_rule a_rate = {PROJECT_RATE, 1e-3, 1e18, "give the figure itself, as 366e9 for 366 billion",
                                           NULL};

/* A row of a list as a document of its own, so that messages name it. */
struct row {
    const struct project_document *d;
    const json_t *json;
    char at[64];
};

static int fact(const struct row *r, const char *key, const struct project_rule *rule, bool required,
                struct project_fact *f, struct base_error *e) {
    char field[128];
    const json_t *value = json_object_get(r->json, key);
    *f = project_fact_unknown();
    snprintf(field, sizeof field, "%s.%s", r->at, key);
    if (value) return project_document_fact(r->d, field, value, rule, f, e);
    return required ? base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing", r->d->path, field) : BASE_OK;
}

static int text(const struct row *r, const char *key, bool required, const char **words, struct base_error *e) {
    const json_t *value = json_object_get(r->json, key);
    *words = project_keep(r->d->texts, json_string_value(value));
    if (*words || (!value && !required)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s.%s\" %s", r->d->path, r->at, key,
                     value ? "must be text" : "is missing");
}

static int read_system(struct project_campaign *c, const struct row *r, struct base_error *e) {
    struct project_campaign_system *s = &c->system[c->systems++];
    int code = text(r, "machine", true, &s->machine, e);
    if (!code) code = text(r, "role", false, &s->role, e);
    if (!code) code = fact(r, "count", &a_count, true, &s->count, e);
    if (!code) code = fact(r, "nodes", &a_count, false, &s->nodes, e);
    s->outside = json_is_true(json_object_get(r->json, "outside_budgets"));
    return code;
}

/* A figure of the layout that was used; free where it is not stated. */
static int given(const json_t *layout, const char *key) {
    const json_t *x = json_object_get(layout, key);
    return json_is_integer(x) ? (int)json_integer_value(x) : PROJECT_FREE;
}

/* Of a layout, the word at `key`, if there is one. */
static int word(const struct row *r, const json_t *layout, const char *key, bool (*find)(const char *name, int *index),
                int *index, struct base_error *e) {
    const char *name = json_string_value(json_object_get(layout, key));
    if (!name || find(name, index)) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: field \"%s.layout.%s\" is \"%s\", which toise project --help does not have",
                     r->d->path, r->at, key, name);
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

static bool find_era(const char *name, int *index) {
    enum project_era x;
    const bool found = project_era_find(name, &x);
    if (found) *index = (int)x;
    return found;
}

static int read_layout(struct project_campaign_training *t, const struct row *r, struct base_error *e) {
    const json_t *l = json_object_get(r->json, "layout");
    int era = PROJECT_MEGATRON_CORE;
    t->choice = (struct project_choice){given(l, "tp"), given(l, "pp"),   given(l, "cp"),
                                        given(l, "vp"), given(l, "zero"), PROJECT_FREE,
                                        PROJECT_FREE,   PROJECT_FREE,     given(l, "micro_batch")};
    int code = word(r, l, "recompute", find_recompute, &t->choice.recompute, e);
    if (!code) code = word(r, l, "schedule", find_schedule, &t->choice.schedule, e);
    if (!code) code = word(r, l, "framework", find_era, &era, e);
    t->era = (enum project_era)era;
    t->blocking = json_is_true(json_object_get(l, "blocking"));
    t->slots = json_is_true(json_object_get(l, "slots"));
    return code;
}

static int read_training(struct project_campaign *c, const struct row *r, struct base_error *e) {
    struct project_campaign_training *t = &c->training[c->trainings++];
    struct row published = {r->d, json_object_get(r->json, "published"), ""};
    snprintf(published.at, sizeof published.at, "%.40s.published", r->at);
    int code = text(r, "model", true, &t->model, e);
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

static int read_list(struct project_campaign *c, const struct project_document *d, const char *key,
                     int (*read)(struct project_campaign *c, const struct row *r, struct base_error *e),
                     struct base_error *e) {
    const json_t *list = json_object_get(d->json, key), *item;
    size_t i;
    int code = BASE_OK;
    if (json_array_size(list) == 0)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is missing or empty; a campaign has some", d->path, key);
    if (json_array_size(list) > PROJECT_CAMPAIGN_ROWS)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" has more than %d rows; split the campaign", d->path, key,
                         PROJECT_CAMPAIGN_ROWS);
    json_array_foreach(list, i, item) {
        struct row r = {d, item, ""};
        snprintf(r.at, sizeof r.at, "%s.%zu", key, i);
        if (!code) code = read(c, &r, e);
    }
    return code;
}

static int read_price(struct project_campaign *c, const struct project_document *d, struct base_error *e) {
    const json_t *list, *item;
    size_t i;
    int code = project_document_find(d, "electricity.price_eur_per_mwh", &list, e);
    c->eur_per_mwh = project_fact_unknown();
    json_array_foreach(list, i, item) {
        struct project_fact f, *all = &c->eur_per_mwh;
        char field[64];
        snprintf(field, sizeof field, "electricity.price_eur_per_mwh.%zu", i);
        json_t *plain = json_deep_copy(item);
        json_object_del(plain, "date"), json_object_del(plain, "covers");
        if (!code) code = project_document_fact(d, field, plain, &a_rate, &f, e);
        json_decref(plain);
        if (code) break;
        const double low = project_fact_known(all) ? fmin(all->low, f.low) : f.low;
        const double high = project_fact_known(all) ? fmax(all->high, f.high) : f.high;
        if (!project_fact_known(all)) *all = f;
        all->low = low, all->high = high;
    }
    return code;
}

int project_campaign_read(const char *name, struct project_campaign *c, struct base_error *e) {
    struct project_document d = {.texts = &c->texts};
    *c = (struct project_campaign){.texts = NULL};
    int code = project_document_open(&d, "campaigns", "--campaign", name, NULL, e);
    if (!code) {
        c->json = json_incref(d.json);
        c->path = project_keep(&c->texts, d.path);
        code = project_document_text(&d, "name", true, &c->name, e);
    }
    if (!code) code = project_document_text(&d, "title", true, &c->title, e);
    if (!code) code = read_list(c, &d, "systems", read_system, e);
    if (!code) code = read_list(c, &d, "training", read_training, e);
    if (!code) code = read_price(c, &d, e);
    project_document_close(&d);
    return code;
}

void project_campaign_close(struct project_campaign *c) {
    json_decref(c->json);
    project_texts_free(c->texts);
    c->json = NULL, c->texts = NULL;
}
