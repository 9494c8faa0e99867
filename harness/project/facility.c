/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a site of facilities.json. */
#include "base/record.h"
#include "base/text.h"
#include "project/machine_fields.h"
#include "project/machine_read.h"
#include "project/machine_rows.h"

static void list_sites(const json_t *sites, char *text, size_t size) {
    const char *name;
    json_t *site;
    text[0] = 0;
    json_object_foreach((json_t *)sites, name, site) base_text_append(text, size, name);
}

static int read_site(struct project_machine *m, const struct project_document *d, const char *name,
                     struct base_error *e) {
    struct project_facility *f = &m->facility;
    const char *country;
    int code = project_document_text(d, "title", true, &f->title, e);
    if (!code) code = project_document_text(d, "country", true, &country, e);
    if (!code) code = project_fields_read(d, PROJECT_OF_FACILITY, m, e);
    if (!code) code = project_rows_storage(d, "storage.achieved", &f->storage_achieved, e);
    if (code) return code;
    f->name = project_keep(d->texts, name);
    m->country = country;
    return BASE_OK;
}

int project_facility_read(struct project_machine *m, const char *flag, const char *name, struct base_error *e) {
    struct project_document d = {.texts = &m->texts};
    char known[512];
    json_t *file = NULL;
    int code = base_catalog_path("facilities.json", d.path, e);
    if (!code) code = base_json_load(d.path, &file, e);
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
