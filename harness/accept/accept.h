/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the pledge of a tender kept? Judges launches of toise train that fill a machine with copies: the slowest place
 * counts. The result is a record of kind "accept"; results/README.md has its keys.
 *
 * The room accept/ promises one verdict, the interval of each pledged figure, and the launches that a decision takes.
 * A machine at its pledge is rejected in at most 5% (judge.h). It needs records/, study/ and base/. It knows no flags
 * and no pages, and does not know who ran the launches. */
#ifndef TOISE_ACCEPT_H
#define TOISE_ACCEPT_H

#include "accept/judge.h"
#include "accept/tender.h"
#include "records/load.h"

/* Judges the records of paths[count], files or folders, by the tender. *record: to be freed with json_decref. skip_bad:
 * leave out lines that are not records. BASE_USAGE with the place: a file cannot be read, the tender is wrong, no
 * record is of its workload, or records are of several versions of toise. */
int accept_make(const char *tender, const char *const *paths, int count, bool skip_bad, json_t **record,
                enum accept_verdict *verdict, struct base_error *e);

#endif
