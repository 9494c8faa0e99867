/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sheets of published runs: the catalogue's accelerators, found by their names in tables ("runs" in their files).
 */
#ifndef TOISE_FIT_PUBLISHED_SHEETS_H
#define TOISE_FIT_PUBLISHED_SHEETS_H

#include <jansson.h>

#include "costmodel/job.h"

struct fit_sheet {
    json_t *names, *with;          /* its names in tables; words that tell it from a sibling, or NULL */
    json_t *direct;                /* names of networks whose nodes divide links among peers, or NULL */
    const char *network;           /* the default network */
    const char *unlike;            /* why no fitted run represents it; NULL: one does */
    struct cost_platform platform; /* the part that follows from its file */
    json_t *file;
};

struct fit_sheets {
    struct fit_sheet *sheet; /* in the order of their files' names */
    int count;
};

/* BASE_USAGE names file and field. Frees everything on an error. */
int fit_sheets_read(struct fit_sheets *sheets, struct base_error *e);
void fit_sheets_free(struct fit_sheets *sheets);
/* The sheet whose name is a word of the text, ignoring case. BASE_USAGE, without file and line: none is, or several. */
int fit_sheets_find(const struct fit_sheets *sheets, const char *text, const struct fit_sheet **found,
                    struct base_error *e);
/* Its file's name; "": none. */
const char *fit_sheets_name(const struct fit_sheets *sheets, const char *text);
/* The first of the words that the text contains; NULL: none. */
const char *fit_sheets_word(const char *text, const json_t *words);

#endif
