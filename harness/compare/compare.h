/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares sides of records: is the new one faster, by how much, and how sure? Each later side is compared with the
 * first. Records pair if they did the same work: a workload, or an identical configuration. The result is a record of
 * kind "compare"; results/README.md has its keys. */
#ifndef TOISE_COMPARE_H
#define TOISE_COMPARE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/error.h"
#include "study/verdict.h"

/* Half of the 2% that a comparison should find, and as much as --ci 1% leaves open. */
#define COMPARE_DELTA "1%"
enum { COMPARE_SIDES_MOST = 64 };

struct compare_options {
    double delta;       /* rates within 1 / (1 + delta) to 1 + delta are equivalent */
    bool across_builds; /* a verdict although the versions of toise, the compiler or its flags differ */
    bool skip_bad;      /* leave out lines that are not records */
};

/* Compares the sides at paths[count], files or folders; count is 2 to COMPARE_SIDES_MOST. *record: to be freed with
 * json_decref. BASE_USAGE with the place: a side cannot be read; the same launch, record or file is on two sides; no
 * record of two sides did the same work. */
int compare_make(const char *const *paths, int count, const struct compare_options *options, json_t **record,
                 enum study_verdict *verdict, struct base_error *e);

#endif
