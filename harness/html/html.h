/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as one HTML file that needs no network and no JavaScript, and can be read in light, in the dark and on paper.
 *
 * The room html/ promises that every figure links to its record, and every record has its place and its SHA-256; that
 * each drawing has its data in words beside it; and that tables come without gnuplot too. A page of thousands of nodes
 * stays bounded: long tables are cut, and say so. It needs records/, inventory/, and draw/ to run gnuplot. It
 * measures and compares nothing. */
#ifndef TOISE_HTML_HTML_H
#define TOISE_HTML_HTML_H

#include "records/load.h"

struct html_input {
    const struct record_list *records;
    const json_t *launches;   /* array of records of kind "launches", with the hash of each launch's record */
    const json_t *comparison; /* a record of kind "compare"; NULL: none was made */
    const char *uncompared;   /* why there is none; "": nobody asked */
};

/* Writes the page, replacing `path` at once or not at all. *plain: whether drawings are left out, as there is no
 * gnuplot. BASE_BROKEN: it cannot be written. */
int html_write(const char *path, const struct html_input *input, bool *plain, struct base_error *e);

#endif
