/* SPDX-License-Identifier: Apache-2.0
 *
 * Recognises files that hold neither text nor tokens by their first bytes: archives, arrays, tables, weights, indexes,
 * images. A file on this list is refused whatever its name or the named format. */
#ifndef TOISE_DATA_FOREIGN_H
#define TOISE_DATA_FOREIGN_H

#include "data/map.h"

struct data_foreign {
    const char *name; /* "a gzip file" */
    const char *cure; /* what the user should do instead */
};

/* NULL: not foreign. Each signature has four bytes, or relations between fields that say as much. So at most one file
 * of 16-bit tokens in 2^24 is refused by mistake. */
const struct data_foreign *data_foreign_find(const struct data_map *map);

#endif
