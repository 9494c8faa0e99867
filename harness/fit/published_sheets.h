/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sheets of published runs: the catalogue's accelerators, by what tables call them ("runs" of their files). */
#ifndef TOISE_FIT_PUBLISHED_SHEETS_H
#define TOISE_FIT_PUBLISHED_SHEETS_H

#include <jansson.h>

#include "costmodel/job.h"

struct fit_sheet {
    json_t *names, *with;          /* words that tables name it by; of those that tell it from a sibling, or NULL */
    json_t *direct;                /* words of networks whose nodes share links out among peers, or NULL */
    const char *network;           /* where a run does not say */
    const char *unlike;            /* why no fitted run speaks for it; NULL: one does */
    struct cost_platform platform; /* what its file alone decides */
    json_t *file;
};

struct fit_sheets {
    struct fit_sheet *sheet; /* in the order of their files' names */
    int count;
};

/* BASE_USAGE names file and field. Frees what it has read on an error. */
int fit_sheets_read(struct fit_sheets *sheets, struct base_error *e);
void fit_sheets_free(struct fit_sheets *sheets);
/* The sheet whose name stands in the text as a word, whatever its case. BASE_USAGE, worded without a place: none does,
 * or several. */
int fit_sheets_find(const struct fit_sheets *sheets, const char *text, const struct fit_sheet **found,
                    struct base_error *e);
/* The first of the words that stands in the text; NULL: none. */
const char *fit_sheets_word(const char *text, const json_t *words);

#endif
