/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that hold neither text nor tokens as they are read here, told by their first bytes: archives, arrays, tables,
 * weights, indexes, images. What is on this list is never read as anything else, whatever its name or the format asked.
 */
#ifndef TOISE_DATA_FOREIGN_H
#define TOISE_DATA_FOREIGN_H

#include "data/map.h"

struct data_foreign {
    const char *name; /* "a gzip file" */
    const char *cure; /* what to do instead */
};

/* NULL: none of them. A signature has four bytes or as much in relations between its fields, so that one file of 16-bit
 * tokens in 2^24 at most is taken for what it is not. */
const struct data_foreign *data_foreign_find(const struct data_map *map);

#endif
