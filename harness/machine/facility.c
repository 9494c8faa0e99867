/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a facility of facilities.json. */
#include "base/text.h"
#include "machine/fields.h"
#include "machine/read.h"
#include "machine/rows.h"
#include "records/record.h"

static void list_sites(const json_t *sites, char *text, size_t size) {
    const char *name;
    json_t *site;
    text[0] = 0;
    json_object_foreach((json_t *)sites, name, site) base_text_append(text, size, name);
}

static int read_site(struct machine *m, const struct machine_document *d, const char *name, struct base_error *e) {
    struct machine_facility *f = &m->facility;
    const char *country;
    int code = machine_document_text(d, "title", true, &f->title, e);
    if (!code) code = machine_document_text(d, "country", true, &country, e);
    if (!code) code = machine_fields_read(d, MACHINE_OF_FACILITY, m, e);
    if (!code) code = machine_rows_storage(d, "storage.achieved", &f->storage_achieved, e);
    if (code) return code;
    f->name = machine_keep(d->texts, name);
    m->country = country;
    return BASE_OK;
}

int machine_facility_read(struct machine *m, const char *flag, const char *name, struct base_error *e) {
    struct machine_document d = {.texts = &m->texts};
    char known[512];
    json_t *file = NULL;
    int code = record_catalog_path("facilities.json", d.path, e);
    if (!code) code = record_json_load(d.path, &file, e);
    if (code) return code;
    const json_t *sites = json_object_get(file, "facilities");
    d.json = d.own = json_object_get(sites, name);
    d.sources = json_object_get(file, "sources");
    list_sites(sites, known, sizeof known);
    code = d.json ? read_site(m, &d, name, e)
                  : base_fail(e, BASE_USAGE, "%s: unknown \"%.64s\"; known: %s", flag, name, known);
    json_decref(file);
    return code;
}
