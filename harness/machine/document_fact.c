/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads facts: figures, checked against their rules, with status and source. */
#include "machine/document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "machine/classes.h"
#include "records/get.h"

int machine_rule_ready(const struct machine_rule *rule, struct base_error *e) {
    const struct machine_classes *classes;
    return rule->words == machine_class_names ? machine_classes(&classes, e) : BASE_OK;
}

int machine_rule_word(const struct machine_rule *rule, const char *word) {
    for (int i = 0; word && rule->words[i]; i++)
        if (!strcmp(word, rule->words[i])) return i;
    return -1;
}

void machine_rule_words(const struct machine_rule *rule, char *text, size_t size) {
    text[0] = 0;
    for (int i = 0; rule->words[i]; i++) base_text_append(text, size, rule->words[i]);
}

int machine_rule_check(const struct machine_rule *rule, const char *where, const char *field, double low, double high,
                       struct base_error *e) {
    if (!isfinite(low) || !isfinite(high))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a finite number", where, field);
    if (low <= 0)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %g, not above 0; leave out what is unknown", where, field,
                         low);
    if (low < rule->least || high > rule->most)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %g, not within %g to %g: %s", where, field,
                         low < rule->least ? low : high, rule->least, rule->most, rule->slip);
    if (rule->figure == MACHINE_COUNT && (low != floor(low) || high != floor(high)))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %g; it must be a whole number", where, field,
                         low != floor(low) ? low : high);
    return BASE_OK;
}

/* The texts of a fact's sources: one key of `sources`, or a list of keys. */
static int read_sources(const struct machine_document *d, const char *field, const json_t *json, const char **source,
                        struct base_error *e) {
    const size_t count = json_is_array(json) ? json_array_size(json) : 1;
    const char *where = machine_document_where(d, field);
    char text[2048] = "";
    for (size_t i = 0; i < count; i++) {
        const json_t *key = json_is_array(json) ? json_array_get(json, i) : json;
        const char *name = json_string_value(key), *said = json_string_value(json_object_get(d->sources, name));
        if (!name)
            return base_fail(e, BASE_USAGE,
                             "%s: field \"%s\": \"source\" must be a key of \"sources\", or a list of them", where,
                             field);
        if (!said)
            return base_fail(e, BASE_USAGE,
                             "%s: field \"%s\": source \"%s\" is not among the file's \"sources\"; add it", where,
                             field, name);
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", i ? "; " : "", said);
    }
    *source = machine_keep(d->texts, text);
    return BASE_OK;
}

/* Reads "how" or "note"; both are optional. */
static int read_words(const struct machine_document *d, const char *field, const json_t *json, const char *key,
                      const char **text, struct base_error *e) {
    const json_t *value = json_object_get(json, key);
    if (value && (!json_is_string(value) || !*json_string_value(value)))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\": \"%s\" must be text", machine_document_where(d, field),
                         field, key);
    *text = machine_keep(d->texts, json_string_value(value));
    return BASE_OK;
}

int machine_document_origin(const struct machine_document *d, const char *field, const json_t *json,
                            struct machine_fact *fact, struct base_error *e) {
    const char *where = machine_document_where(d, field), *name = json_string_value(json_object_get(json, "status"));
    const json_t *source = json_object_get(json, "source");
    int code = BASE_OK;
    if (!name || !machine_status_find(name, &fact->status))
        return base_fail(e, BASE_USAGE,
                         "%s: field \"%s\": \"status\" is %s%s%s; known: measured, published, derived, announced, "
                         "recalled, assumed",
                         where, field, name ? "\"" : "", name ? name : "missing", name ? "\"" : "");
    if (source) code = read_sources(d, field, source, &fact->source, e);
    if (!code) code = read_words(d, field, json, "how", &fact->how, e);
    if (!code) code = read_words(d, field, json, "note", &fact->note, e);
    if (code) return code;
    const enum machine_status s = fact->status;
    if (!source && (s == MACHINE_MEASURED || s == MACHINE_PUBLISHED || s == MACHINE_ANNOUNCED))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %s but has no \"source\"; add it, or make it recalled",
                         where, field, name);
    if (!fact->how && (s == MACHINE_DERIVED || s == MACHINE_ASSUMED))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" is %s but has no \"how\"; add the arithmetic or the reason",
                         where, field, name);
    return BASE_OK;
}

static int read_word(const struct machine_rule *rule, const char *where, const char *field, const json_t *value,
                     struct machine_fact *fact, struct base_error *e) {
    const char *word = json_string_value(value);
    char known[256];
    if (rule->figure == MACHINE_TEXT) {
        if (!word || !*word) return base_fail(e, BASE_USAGE, "%s: field \"%s\": \"value\" must be text", where, field);
        return BASE_OK;
    }
    const int i = machine_rule_word(rule, word);
    machine_rule_words(rule, known, sizeof known);
    if (i < 0 && !word)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be text; known: %s", where, field, known);
    if (i < 0) return base_fail(e, BASE_USAGE, "%s: field \"%s\" is \"%s\"; known: %s", where, field, word, known);
    *fact = machine_fact_make(i, i, MACHINE_UNKNOWN, NULL);
    return BASE_OK;
}

static int read_figure(const struct machine_rule *rule, const char *where, const char *field, const json_t *json,
                       struct machine_fact *fact, struct base_error *e) {
    const json_t *value = json_object_get(json, "value"), *low = json_object_get(json, "low"),
                 *high = json_object_get(json, "high");
    if (value ? low || high : !low || !high)
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must have either \"value\", or \"low\" and \"high\"", where,
                         field);
    if (rule->figure >= MACHINE_WORD) return read_word(rule, where, field, value, fact, e);
    if (value ? !json_is_number(value) : !json_is_number(low) || !json_is_number(high))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\": %s must be a number, without quotes", where, field,
                         value ? "\"value\"" : "\"low\" and \"high\"");
    const double from = json_number_value(value ? value : low), to = json_number_value(value ? value : high);
    if (low && from >= to)
        return base_fail(
            e, BASE_USAGE,
            "%s: field \"%s\": \"low\" (%g) must be below \"high\" (%g); give a single figure as \"value\"", where,
            field, from, to);
    int code = machine_rule_check(rule, where, field, from, to, e);
    if (code) return code;
    *fact = machine_fact_make(from, to, MACHINE_UNKNOWN, NULL);
    if (rule->figure == MACHINE_COUNT) machine_fact_round(fact);
    return BASE_OK;
}

int machine_document_fact(const struct machine_document *d, const char *field, const json_t *json,
                          const struct machine_rule *rule, struct machine_fact *fact, struct base_error *e) {
    static const char *const known[] = {"value", "low", "high", "status", "source", "how", "note", "also", NULL};
    const char *where = machine_document_where(d, field);
    struct machine_fact read = machine_fact_unknown();
    if (!json_is_object(json))
        return base_fail(e, BASE_USAGE, "%s: field \"%s\" must be a fact: {\"value\": ..., \"status\": ...}", where,
                         field);
    int code = record_check_keys(json, known, where, field, e);
    if (!code) code = read_figure(rule, where, field, json, &read, e);
    if (!code) code = machine_document_origin(d, field, json, &read, e);
    if (!code) *fact = read;
    return code;
}
