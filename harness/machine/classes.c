/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the device classes of classes.json. */
#include "machine/classes.h"

#include <stdio.h>
#include <string.h>

#include "machine/document.h"
#include "records/get.h"
#include "records/record.h"

enum { FIELD = 96 };
static const char OTHER[] = "other"; /* the class of accelerators without one, and the defaults of the others */

const char *machine_class_names[MACHINE_CLASSES + 1];

static const char shares[] = "give a share from 0.001 to 1", rates[] = "give bytes/s one way";
static const char *const no_or_yes[] = {"no", "yes", NULL};
static const struct machine_rule share = {MACHINE_RATE, 1e-3, 1, shares, NULL};
static const struct machine_rule rate = {MACHINE_RATE, 1e8, 1e13, rates, NULL};
static const struct machine_rule kernels = {MACHINE_WORD, 0, 0, NULL, no_or_yes};
static const struct machine_rule joules = {MACHINE_RATE, 1e-15, 1e-9, "give watts over FLOP/s of the 16-bit peak",
                                           NULL};
static const struct machine_rule spread = {MACHINE_RATE, 1e-3, 3, "give the logarithm's standard deviation", NULL};
static const struct machine_rule factor = {MACHINE_RATE, 1e-2, 1e2, "give a factor near 1", NULL};

static const struct {
    const char *key, *meaning;
    const struct machine_rule *rule;
} traits[MACHINE_TRAITS] = {
    [MACHINE_MATMUL_SHARE] = {"matmul_share", "share of peak of large matmuls", &share},
    [MACHINE_FLASH_SHARE] = {"flash_share", "share of peak of flash attention", &share},
    [MACHINE_OLDER_FLASH_SHARE] = {"older_flash_share", "the same, by kernels older than it", &share},
    [MACHINE_FP8_SHARE] = {"fp8_share", "share of the FP8 peak of large matmuls", &share},
    [MACHINE_FP4_SHARE] = {"fp4_share", "share of the FP4 peak of large matmuls", &share},
    [MACHINE_DIRECT_RATE] = {"direct_bytes_per_s", "bytes/s of all-reduces over links shared out among peers", &rate},
    [MACHINE_OMNIPATH_NODE] = {"omnipath_node_bytes_per_s", "Omni-Path: bytes/s of all groups of a node", &rate},
    [MACHINE_OMNIPATH_GROUP] = {"omnipath_group_bytes_per_s", "Omni-Path: bytes/s of one group alone", &rate},
};

/* The class that is being read, and all those before it. */
struct reading {
    const struct machine_document *d;
    struct machine_classes *all;
    struct machine_class *class;
    struct base_error *e;
};

static int read_number(const struct reading *r, const char *field, const json_t *json, const char *key,
                       const struct machine_rule *rule, double *x) {
    const json_t *value = json_object_get(json, key);
    if (!json_is_number(value))
        return base_fail(r->e, BASE_USAGE, "%s: field \"%s\": \"%s\" must be a number", r->d->path, field, key);
    *x = json_number_value(value);
    return machine_rule_check(rule, r->d->path, field, *x, *x, r->e);
}

/* Another class's trait, times a constant. */
static int read_shared(const struct reading *r, const char *field, const json_t *json, enum machine_trait trait) {
    static const char *const known[] = {"class", "times", "status", "source", "how", "note", NULL};
    const struct machine_class *of = machine_class_find(r->all, json_string_value(json_object_get(json, "class")));
    double times = 1;
    int code = record_check_keys(json, known, r->d->path, field, r->e);
    if (code) return code;
    if (!of || !machine_class_has(of, trait))
        return base_fail(r->e, BASE_USAGE, "%s: field \"%s\": \"class\" must name an earlier class that has this field",
                         r->d->path, field);
    if (json_object_get(json, "times")) code = read_number(r, field, json, "times", &factor, &times);
    r->class->trait[trait].prior = of->trait[trait].prior;
    r->class->trait[trait].times = times * of->trait[trait].times;
    return code;
}

static int read_prior(const struct reading *r, const char *field, const json_t *json, enum machine_trait trait,
                      const char *why) {
    static const char *const known[] = {"value", "spread", "status", "source", "how", "note", NULL};
    struct machine_prior *p = &r->all->prior[r->all->priors];
    char text[512];
    int code = record_check_keys(json, known, r->d->path, field, r->e);
    if (!code && r->all->priors == MACHINE_PRIORS)
        code = base_fail(r->e, BASE_USAGE, "%s: more than %d priors; share some between classes", r->d->path,
                         MACHINE_PRIORS);
    if (!code) code = read_number(r, field, json, "value", traits[trait].rule, &p->value);
    if (!code) code = read_number(r, field, json, "spread", &spread, &p->spread);
    if (code) return code;
    snprintf(p->name, sizeof p->name, "%.63s", field);
    snprintf(text, sizeof text, "%s: %s%s%s", r->class->title, traits[trait].meaning, why ? "; " : "", why ? why : "");
    p->meaning = machine_keep(r->d->texts, text);
    r->class->trait[trait].prior = r->all->priors++;
    r->class->trait[trait].times = 1;
    return BASE_OK;
}

static int read_trait(const struct reading *r, enum machine_trait trait) {
    char field[FIELD];
    const json_t *json;
    struct machine_fact origin = machine_fact_unknown();
    r->class->trait[trait].prior = -1;
    snprintf(field, sizeof field, "%.40s.%s", r->class->name, traits[trait].key);
    int code = machine_document_find(r->d, field, &json, r->e);
    if (code || !json) return code;
    code = machine_document_origin(r->d, field, json, &origin, r->e);
    if (code) return code;
    return json_object_get(json, "class") ? read_shared(r, field, json, trait)
                                          : read_prior(r, field, json, trait, origin.how ? origin.how : origin.note);
}

static int read_fact(const struct reading *r, const char *key, const struct machine_rule *rule,
                     struct machine_fact *fact) {
    char field[FIELD];
    const json_t *json;
    *fact = machine_fact_unknown();
    snprintf(field, sizeof field, "%.40s.%s", r->class->name, key);
    const int code = machine_document_find(r->d, field, &json, r->e);
    return code || !json ? code : machine_document_fact(r->d, field, json, rule, fact, r->e);
}

static int read_class(const struct reading *r, const json_t *json) {
    const char *known[MACHINE_TRAITS + 7] = {"title",      "notes",           "link_share",
                                             "tf32_share", "fused_attention", "joule_per_flop"};
    struct machine_class *c = r->class;
    char field[FIELD];
    for (int t = 0; t < MACHINE_TRAITS; t++) known[6 + t] = traits[t].key;
    snprintf(field, sizeof field, "%.40s.title", c->name);
    int code = record_check_keys(json, known, r->d->path, c->name, r->e);
    if (!code) code = machine_document_text(r->d, field, true, &c->title, r->e);
    if (!code) code = read_fact(r, "link_share", &share, &c->link_share);
    if (!code) code = read_fact(r, "tf32_share", &share, &c->tf32_share);
    if (!code) code = read_fact(r, "fused_attention", &kernels, &c->fused_attention);
    if (!code) code = read_fact(r, "joule_per_flop", &joules, &c->joule_per_flop);
    for (int t = 0; t < MACHINE_TRAITS && !code; t++) code = read_trait(r, (enum machine_trait)t);
    return code;
}

/* Fills what a class leaves out from class "other". */
static int complete(struct machine_classes *all, const char *path, struct base_error *e) {
    const struct machine_class *other = machine_class_find(all, OTHER);
    if (!other || !machine_fact_known(&other->link_share) || !machine_fact_known(&other->tf32_share) ||
        !machine_fact_known(&other->fused_attention))
        return base_fail(e, BASE_USAGE,
                         "%s: class \"other\" must have link_share, tf32_share and fused_attention, the defaults of "
                         "the other classes",
                         path);
    for (int i = 0; i < all->count; i++) {
        struct machine_class *c = &all->class[i];
        if (!machine_fact_known(&c->link_share)) c->link_share = other->link_share;
        if (!machine_fact_known(&c->tf32_share)) c->tf32_share = other->tf32_share;
        if (!machine_fact_known(&c->fused_attention)) c->fused_attention = other->fused_attention;
        for (int t = 0; t < MACHINE_TRAITS; t++)
            if (c->trait[t].prior < 0) c->trait[t] = other->trait[t];
    }
    return BASE_OK;
}

static int read_classes(const struct machine_document *d, const json_t *list, struct machine_classes *all,
                        struct base_error *e) {
    const char *name;
    json_t *json;
    int code = BASE_OK;
    json_object_foreach((json_t *)list, name, json) {
        struct machine_class *c = &all->class[all->count];
        const struct reading r = {d, all, c, e};
        if (all->count == MACHINE_CLASSES)
            return base_fail(e, BASE_USAGE, "%s: more than %d classes; remove some", d->path, MACHINE_CLASSES);
        *c = (struct machine_class){.name = machine_keep(d->texts, name), .index = all->count};
        if ((code = read_class(&r, json))) return code;
        all->count++;
    }
    return complete(all, d->path, e);
}

int machine_classes(const struct machine_classes **classes, struct base_error *e) {
    static struct machine_classes kept; /* for the whole process, as callers keep pointers into it */
    static struct machine_text *texts;
    static const char *const known[] = {"schema", "classes", "sources", NULL};
    struct machine_classes all = {.count = 0};
    struct machine_document d = {.texts = &texts};
    json_t *file = NULL;
    *classes = &kept;
    if (kept.count > 0) return BASE_OK;
    int code = record_catalog_path("classes.json", d.path, e);
    if (!code) code = record_json_load(d.path, &file, e);
    if (!code) code = record_check_keys(file, known, d.path, "the file", e);
    if (!code && strcmp(record_text(file, "schema"), "classes/1") != 0)
        code = base_fail(e, BASE_USAGE, "%s: field \"schema\" must be \"classes/1\"", d.path);
    d.json = d.own = json_object_get(file, "classes");
    d.sources = json_object_get(file, "sources");
    if (!code) code = read_classes(&d, d.json, &all, e);
    json_decref(file);
    if (code) return code;
    kept = all;
    for (int i = 0; i < kept.count; i++) machine_class_names[i] = kept.class[i].name;
    return BASE_OK;
}

const struct machine_class *machine_class_find(const struct machine_classes *classes, const char *name) {
    for (int i = 0; name && i < classes->count; i++)
        if (!strcmp(name, classes->class[i].name)) return &classes->class[i];
    return NULL;
}

bool machine_class_has(const struct machine_class *class, enum machine_trait trait) {
    return class->trait[trait].prior >= 0;
}

int machine_class_of(const struct machine_fact *stated, const struct machine_class **class, struct base_error *e) {
    const struct machine_classes *all;
    const int code = machine_classes(&all, e);
    if (code) return code;
    *class = machine_fact_known(stated) ? &all->class[(int)stated->value] : machine_class_find(all, OTHER);
    return BASE_OK;
}
