/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the data sheets and finds the one that a text names. */
#include "fit/published_sheets.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "costmodel/platform.h"
#include "machine/read.h"
#include "records/catalog.h"

/* Sources round the peak that they divide by: 989 TFLOP/s for 989.4 of the data sheet. */
static double three_digits(double x) {
    const double unit = pow(10, floor(log10(x)) - 2);
    return round(x / unit) * unit;
}

static bool is_texts(const json_t *list) {
    const json_t *text;
    size_t i;
    json_array_foreach(list, i, text) if (!json_is_string(text)) return false;
    return json_array_size(list) > 0;
}

static double known(const struct machine_fact *f) {
    return machine_fact_known(f) ? f->value : 0;
}

static int fill(const struct machine *m, struct fit_sheet *s, struct base_error *e) {
    const struct machine_accelerator *a = &m->accelerator;
    const enum machine_dtype dtype = cost_platform_dtype(m);
    struct cost_platform *x = &s->platform;
    *x = (struct cost_platform){
        .peak_flop_per_s = three_digits(a->peak_flop_per_s[dtype].value),
        .fp32_flop_per_s = a->peak_flop_per_s[MACHINE_FP32].value,
        .peak_fp8_flop_per_s = known(&a->peak_flop_per_s[MACHINE_FP8]),
        .peak_fp4_flop_per_s = known(&a->peak_flop_per_s[MACHINE_FP4]),
        .power_w = known(&a->power_w),
        .memory_bytes = known(&a->memory_bytes),
        .memory_bytes_per_s = a->memory_bytes_per_s.value,
        .units = a->units.value,
        .link_nominal_bytes_per_s = a->scale_up_bytes_per_s.value,
    };
    const int code = cost_platform_class(m, dtype, COST_MIDDLE, x, &s->unlike, e);
    if (code) return code;
    x->tf32_share = x->class->tf32_share.value;
    x->link_bytes_per_s = x->class->link_share.value * x->link_nominal_bytes_per_s;
    return BASE_OK;
}

struct reading {
    struct fit_sheets *sheets;
    struct base_error *e;
};

static int read_sheet(void *context, const char *name) {
    const struct reading *r = context;
    struct machine m = {.name = NULL};
    char path[RECORD_CATALOG_PATH];
    json_t *file = NULL;
    int code = record_catalog_load("accelerators", "accelerators", name, &file, path, r->e);
    if (code) return code;
    const json_t *runs = json_object_get(file, "runs"); /* not inherited by `like`: names differ */
    struct fit_sheet s = {.names = json_object_get(runs, "names"),
                          .with = json_object_get(runs, "with"),
                          .direct = json_object_get(runs, "direct"),
                          .network = json_string_value(json_object_get(runs, "network")),
                          .file = file};
    if (!runs) {
        json_decref(file);
        return BASE_OK;
    }
    if (!is_texts(s.names) || (s.with && !is_texts(s.with)) || (s.direct && !is_texts(s.direct)) || !s.network)
        code = base_fail(r->e, BASE_USAGE,
                         "%s: field \"runs\" must have \"names\" (a list of texts), \"network\" (a text), and may have "
                         "\"with\" and \"direct\" (lists of texts)",
                         path);
    if (!code) code = machine_accelerator_read(&m, "accelerators", name, NULL, r->e);
    if (!code) code = fill(&m, &s, r->e);
    machine_close(&m);
    struct fit_sheet *more = code ? NULL : realloc(r->sheets->sheet, (size_t)(r->sheets->count + 1) * sizeof *more);
    if (!more) {
        json_decref(file);
        return code ? code : base_fail(r->e, BASE_BROKEN, "out of memory for %s", path);
    }
    r->sheets->sheet = more;
    more[r->sheets->count++] = s;
    return BASE_OK;
}

int fit_sheets_read(struct fit_sheets *sheets, struct base_error *e) {
    struct reading r = {sheets, e};
    *sheets = (struct fit_sheets){0};
    const int code = record_catalog_names("accelerators", read_sheet, &r, e);
    if (code) fit_sheets_free(sheets);
    return code;
}

void fit_sheets_free(struct fit_sheets *sheets) {
    for (int i = 0; i < sheets->count; i++) json_decref(sheets->sheet[i].file);
    free(sheets->sheet);
    *sheets = (struct fit_sheets){0};
}

/* Whether the text contains the word as a whole word: "GH200" does not contain "H200". */
static bool has_word(const char *text, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = text; *at; at++)
        if (!strncasecmp(at, word, n) && (at == text || !isalnum((unsigned char)at[-1])) &&
            !isalnum((unsigned char)at[n]))
            return true;
    return false;
}

const char *fit_sheets_word(const char *text, const json_t *words) {
    const json_t *word;
    size_t i;
    json_array_foreach(words, i, word) if (has_word(text, json_string_value(word))) return json_string_value(word);
    return NULL;
}

static int refuse(const struct fit_sheets *sheets, const char *text, struct base_error *e) {
    char known[512] = "", name[64];
    for (int i = 0; i < sheets->count; i++) {
        snprintf(name, sizeof name, "%s", json_string_value(json_array_get(sheets->sheet[i].names, 0)));
        if (!sheets->sheet[i].with) base_text_append(known, sizeof known, name);
    }
    return base_fail(e, BASE_USAGE,
                     "the accelerator's data sheet is not among those fitted: accelerator \"%.60s\"; known: %s", text,
                     known);
}

int fit_sheets_find(const struct fit_sheets *sheets, const char *text, const struct fit_sheet **found,
                    struct base_error *e) {
    const char *name = NULL;
    bool told = false; /* told from its sibling */
    *found = NULL;
    for (int i = 0; i < sheets->count; i++) {
        const struct fit_sheet *s = &sheets->sheet[i];
        const char *own = fit_sheets_word(text, s->names);
        if (!own) continue;
        if (name && strcmp(name, own) != 0)
            return base_fail(e, BASE_USAGE, "accelerator \"%.60s\" names both %s and %s; give one", text, name, own);
        name = own;
        if (s->with && !fit_sheets_word(text, s->with)) continue;
        if (*found && told) continue;
        *found = s, told = s->with != NULL;
    }
    return *found ? BASE_OK : refuse(sheets, text, e);
}

const char *fit_sheets_name(const struct fit_sheets *sheets, const char *text) {
    const struct fit_sheet *sheet;
    if (fit_sheets_find(sheets, text, &sheet, NULL)) return "";
    return json_string_value(json_object_get(sheet->file, "name"));
}
