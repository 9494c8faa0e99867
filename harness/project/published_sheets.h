/* SPDX-License-Identifier: Apache-2.0
 *
 * Data sheets of published runs: the catalogue's accelerators, by what tables call them ("runs" of their files). */
#ifndef TOISE_PROJECT_PUBLISHED_SHEETS_H
#define TOISE_PROJECT_PUBLISHED_SHEETS_H

#include <jansson.h>

#include "project/job.h"

struct project_sheet {
    json_t *names, *with;             /* words that tables name it by; of those that tell it from a sibling, or NULL */
    const char *network;              /* where a run does not say */
    const char *unlike;               /* why no fitted run speaks for it; NULL: one does */
    struct project_platform platform; /* what its file alone decides */
    json_t *file;
};

struct project_sheets {
    struct project_sheet *sheet; /* in the order of their files' names */
    int count;
};

/* BASE_USAGE names file and field. Frees what it has read on an error. */
int project_sheets_read(struct project_sheets *sheets, struct base_error *e);
void project_sheets_free(struct project_sheets *sheets);
/* The sheet whose name stands in the text as a word, whatever its case. BASE_USAGE, worded without a place: none does,
 * or several. */
int project_sheets_find(const struct project_sheets *sheets, const char *text, const struct project_sheet **found,
                        struct base_error *e);

#endif
