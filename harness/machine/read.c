/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a machine's file, with its node and network, then the files of its accelerator and facility. */
#include "machine/read.h"

#include <stdio.h>
#include <string.h>

#include "machine/check.h"
#include "machine/fields.h"
#include "machine/rows.h"
#include "records/record.h"

static int read_kind(const struct machine_document *d, struct machine_accelerator *a, struct base_error *e) {
    static const char *const kinds[] = {[MACHINE_GPU] = "gpu", [MACHINE_APU] = "apu",
                                        [MACHINE_TPU] = "tpu", [MACHINE_ACCELERATOR] = "accelerator",
                                        [MACHINE_CPU] = "cpu", NULL};
    const struct machine_rule rule = {.figure = MACHINE_WORD, .words = kinds};
    const char *kind;
    char known[64];
    int code = machine_document_text(d, "kind", true, &kind, e);
    if (code) return code;
    const int i = machine_rule_word(&rule, kind);
    machine_rule_words(&rule, known, sizeof known);
    if (i < 0)
        return base_fail(e, BASE_USAGE, "%s: field \"kind\" is \"%s\"; known: %s", machine_document_where(d, "kind"),
                         kind, known);
    a->kind = (enum machine_kind)i;
    return BASE_OK;
}

static int read_devices(const struct machine_document *d, struct machine_accelerator *a, struct base_error *e) {
    const json_t *devices = json_object_get(d->json, "devices");
    const json_int_t n = devices ? json_integer_value(devices) : 1;
    if (n < 1 || n > 64)
        return base_fail(e, BASE_USAGE, "%s: field \"devices\" must be a whole number from 1 to 64",
                         machine_document_where(d, "devices"));
    a->devices = (int)n;
    return BASE_OK;
}

/* Every accelerator needs a peak of some type. It needs its memory unless it is a CPU, which uses its node's. */
static int check_needed(const struct machine_document *d, const struct machine_accelerator *a, struct base_error *e) {
    bool peak = false;
    for (int t = 0; t < MACHINE_DTYPES; t++) peak = peak || machine_fact_known(&a->peak_flop_per_s[t]);
    if (!peak)
        return base_fail(e, BASE_USAGE, "%s: field \"peak_flop_per_s\" is missing; give it by type, as \"bf16\"",
                         d->path);
    if (a->kind != MACHINE_CPU && !machine_fact_known(&a->memory_bytes))
        return base_fail(e, BASE_USAGE,
                         "%s: field \"memory_bytes\" is missing; only a CPU may leave it out and use its node's",
                         d->path);
    return BASE_OK;
}

/* An accelerator that takes its class from the one that it is like was not fitted itself: its class is assumed. */
static void inherit_class(const struct machine_document *d, struct machine_fact *class) {
    if (!machine_fact_known(class) || json_object_get(d->own, "class")) return;
    *class = machine_fact_make(class->value, class->value, MACHINE_ASSUMED, "of the accelerator that it is like");
}

static int read_accelerator(struct machine *m, const struct machine_document *d, struct base_error *e) {
    struct machine_accelerator *a = &m->accelerator;
    const char *vendor;
    a->path = machine_keep(d->texts, d->path);
    int code = machine_document_text(d, "name", true, &a->name, e);
    if (!code) code = machine_document_text(d, "title", true, &a->title, e);
    if (!code) code = machine_document_text(d, "vendor", true, &vendor, e);
    if (!code) code = machine_document_text(d, "unit", false, &a->unit, e);
    if (!code) code = read_kind(d, a, e);
    if (!code) code = read_devices(d, a, e);
    if (!code) code = machine_fields_read(d, MACHINE_OF_ACCELERATOR, m, e);
    if (!code) code = machine_rows_collectives(d, "scale_up.achieved", &a->scale_up_achieved, e);
    if (!code) code = machine_rows_tiles(d, a, e);
    inherit_class(d, &a->class);
    return code ? code : check_needed(d, a, e);
}

int machine_accelerator_read(struct machine *m, const char *flag, const char *name, const char *beside,
                             struct base_error *e) {
    struct machine_document d = {.texts = &m->texts};
    memset(&m->accelerator, 0, sizeof m->accelerator);
    machine_fields_clear(m, MACHINE_OF_ACCELERATOR);
    int code = machine_document_open(&d, "accelerators", flag, name, beside, e);
    if (!code) code = read_accelerator(m, &d, e);
    machine_document_close(&d);
    return code;
}

/* Reads whether the machine runs, is announced or is hypothetical. */
static int read_state(struct machine *m, const struct machine_document *d, struct base_error *e) {
    const json_t *hypothetical = json_object_get(d->json, "hypothetical");
    const char *state;
    int code = machine_document_text(d, "state", false, &state, e);
    if (code) return code;
    if (state && strcmp(state, "announced"))
        return base_fail(
            e, BASE_USAGE,
            "%s: field \"state\" is \"%s\"; give \"announced\", or leave it out if the machine runs or ran",
            machine_document_where(d, "state"), state);
    if (hypothetical && !json_is_boolean(hypothetical))
        return base_fail(e, BASE_USAGE, "%s: field \"hypothetical\" must be true or false",
                         machine_document_where(d, "hypothetical"));
    m->announced = state != NULL;
    m->hypothetical = json_is_true(hypothetical);
    if (!m->hypothetical && !machine_fact_known(&m->year))
        return base_fail(e, BASE_USAGE, "%s: field \"year\" is missing; add it, or mark the machine \"hypothetical\"",
                         d->path);
    return BASE_OK;
}

static int read_rows(struct machine *m, const struct machine_document *d, struct base_error *e) {
    int code = machine_rows_collectives(d, "node.achieved", &m->node.achieved, e);
    if (!code) code = machine_rows_levels(d, &m->network, e);
    if (!code) code = machine_rows_collectives(d, "network.achieved", &m->network.achieved, e);
    if (!code) code = machine_rows_costs(d, m, e);
    if (!code) code = machine_rows_queues(d, m, e);
    return code;
}

/* Reads the accelerator and the facility that the file names. */
static int read_others(struct machine *m, const struct machine_document *d, struct base_error *e) {
    char flag[RECORD_CATALOG_PATH + 64];
    const char *accelerator, *facility;
    int code = machine_document_text(d, "node.accelerator", true, &accelerator, e);
    if (!code) code = machine_document_text(d, "facility", false, &facility, e);
    if (code) return code;
    snprintf(flag, sizeof flag, "%s: field \"node.accelerator\"", machine_document_where(d, "node.accelerator"));
    code = machine_accelerator_read(m, flag, accelerator, machine_document_where(d, "node"), e);
    snprintf(flag, sizeof flag, "%s: field \"facility\"", machine_document_where(d, "facility"));
    if (!code && facility) code = machine_facility_read(m, flag, facility, e);
    if (!code && !m->country)
        code =
            base_fail(e, BASE_USAGE, "%s: fields \"facility\" and \"country\" are missing; give one of them", d->path);
    return code;
}

static int read_machine(struct machine *m, const struct machine_document *d, struct base_error *e) {
    m->path = machine_keep(d->texts, d->path);
    int code = machine_document_text(d, "name", true, &m->name, e);
    if (!code) code = machine_document_text(d, "title", true, &m->title, e);
    if (!code) code = machine_document_text(d, "country", false, &m->country, e);
    if (!code) code = machine_document_text(d, "network.technology", false, &m->network.technology, e);
    if (!code) code = machine_fields_read(d, MACHINE_OF_MACHINE, m, e);
    if (!code) code = read_state(m, d, e);
    if (!code) code = read_rows(m, d, e);
    if (!code) code = read_others(m, d, e);
    if (code) return code;
    machine_complete(m);
    return machine_check(m, NULL, e);
}

/* A machine of the catalogue. */
static int read_named(struct machine *m, const char *name, struct base_error *e) {
    struct machine_document d = {.texts = &m->texts};
    int code = machine_document_open(&d, "machines", "--machine", name, NULL, e);
    if (!code) code = read_machine(m, &d, e);
    machine_document_close(&d);
    return code;
}

/* A user's file, in toise's or in Calculon's form. */
static int read_path(struct machine *m, const char *path, struct base_error *e) {
    struct machine_document d = {.texts = &m->texts};
    json_t *json = NULL;
    int code = record_json_load(path, &json, e);
    if (!code && machine_calculon_is(json)) {
        code = machine_calculon_read(m, json, path, e);
        json_decref(json);
        return code;
    }
    if (!code) code = machine_document_take(&d, "machines", json, path, e);
    if (!code) code = read_machine(m, &d, e);
    machine_document_close(&d);
    return code;
}

void machine_file_name(const char *path, char name[MACHINE_FILE_NAME]) {
    const char *slash = strrchr(path, '/');
    snprintf(name, MACHINE_FILE_NAME, "%s", slash ? slash + 1 : path);
    name[strcspn(name, ".")] = 0;
}

int machine_read(const char *name, struct machine *machine, struct base_error *e) {
    const size_t n = strlen(name);
    struct machine m = {.name = NULL};
    for (int part = MACHINE_OF_MACHINE; part <= MACHINE_OF_FACILITY; part++)
        machine_fields_clear(&m, (enum machine_part)part);
    int code = n > 6 && !strcmp(name + n - 6, ".jsonl") ? machine_records_read(&m, name, e)
               : record_catalog_is_path(name)           ? read_path(&m, name, e)
                                                        : read_named(&m, name, e);
    if (code)
        machine_close(&m);
    else
        *machine = m;
    return code;
}
