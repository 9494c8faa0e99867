/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of formats, and how "auto" chooses one. Each format has its own file. */
#include "data/format.h"

#include <string.h>

#include "data/foreign.h"
#include "data/llmc.h"
#include "data/megatron.h"
#include "data/raw.h"
#include "data/text.h"

enum kind { TEXT, LLMC, RAW, MEGATRON };

/* Every value of --data-format except auto. DATA_FORMATS lists them for messages. */
static const struct format {
    const char *name;
    enum kind kind;
    int width; /* of a token; 0: the file says */
    const char *title;
} formats[] = {
    {"text", TEXT, 1, NULL},
    {"llmc", LLMC, 0, NULL},
    {"nanogpt", RAW, 2, "nanoGPT tokens"},
    {"uint16", RAW, 2, "raw uint16 tokens"},
    {"uint32", RAW, 4, "raw uint32 tokens"},
    {"uint64", RAW, 8, "raw uint64 tokens"},
    {"megatron", MEGATRON, 0, NULL},
};

static const struct format *format_named(const char *name) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (!strcmp(name, formats[i].name)) return &formats[i];
    return NULL;
}

static bool ends_in_bin(const char *path) {
    size_t n = strlen(path);
    return n >= 4 && !strcmp(path + n - 4, ".bin");
}

/* Neither the file nor an index next to it may contradict the named format (NULL: none named). */
static int contradiction_check(const struct data_file *f, const struct data_options *o, const struct format *asked,
                               const struct data_index *index, struct base_error *e) {
    const struct data_foreign *foreign = data_foreign_find(&f->map);
    if (foreign) return base_fail(e, BASE_USAGE, "data file '%s': is %s; %s", o->path, foreign->name, foreign->cure);
    if (!asked || asked->kind == LLMC) return BASE_OK;
    if (data_llmc_is(&f->map))
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': begins like llm.c's tokens, which --data-format %s contradicts; leave the flag out",
            o->path, asked->name);
    if (index->width && index->width != asked->width)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': the index next to it says that a token takes %d bytes, which --data-format "
                         "%s contradicts; leave the flag out",
                         o->path, index->width, asked->name);
    return BASE_OK;
}

int data_format_open(struct data_file *f, const struct data_options *o, struct base_error *e) {
    const bool stated = o->format && strcmp(o->format, "auto");
    const struct format *format = stated ? format_named(o->format) : NULL;
    struct data_index index;
    if (stated && !format)
        return base_fail(e, BASE_USAGE, "data file '%s': format '%s' is unknown; give auto, %s", o->path, o->format,
                         DATA_FORMATS);
    data_index_look(&index, o->path);
    if (stated ? format->kind == MEGATRON : index.found && index.known) return data_megatron_open(f, o, e);
    int code = data_map_open(&f->map, o->path, "give a text file or a file of tokens that is there and readable", e);
    if (!code) code = contradiction_check(f, o, format, &index, e);
    if (code) return code;
    if (!stated) format = format_named(data_llmc_is(&f->map) ? "llmc" : ends_in_bin(o->path) ? "nanogpt" : "text");
    if (!stated && format->kind != LLMC && index.found) { /* an unknown index: let its reader report it */
        data_file_close(f);
        return data_megatron_open(f, o, e);
    }
    if (format->kind == LLMC) return data_llmc_read(f, o, e);
    if (format->kind == RAW) return data_raw_read(f, o, format->width, format->title, stated, e);
    data_text_read(f, stated);
    return BASE_OK;
}
