/* SPDX-License-Identifier: Apache-2.0
 *
 * What the formats share: one file on its way to records. */
#ifndef TOISE_IMPORT_JOB_H
#define TOISE_IMPORT_JOB_H

#include "base/stats.h"
#include "import/import.h"
#include "records/get.h"
#include "records/lines.h"
#include "records/set.h"

struct import_job {
    const char *path, *tool; /* the tool's name, for people */
    const struct import_options *options;
    json_t *records;
    size_t first; /* of this file's records */
    struct import_notes *notes;
    struct base_error *e;
    char sha256[RECORD_HASH_TEXT]; /* of the file */
};

/* One for each format. Each appends its records, and calls import_finish at the end. */
int import_megatron(struct import_job *job);
int import_nccl_text(struct import_job *job);
int import_nccl_json(struct import_job *job, const json_t *json);
int import_google_benchmark(struct import_job *job, const json_t *json);
int import_figures(struct import_job *job);

/* A damaged line or row (0: no line): BASE_USAGE with the place; with skip_bad counts it, BASE_OK. */
int import_bad(struct import_job *job, long line, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* A new record of this file's launch `index` (from 1), already in job->records: head, launch, machine, origin.
 * Borrowed. `status` is UNVERIFIED or FAILED. `first` and `last`: lines it was read from; 0: a JSON document. */
json_t *import_record(struct import_job *job, const char *kind, enum record_status status, const char *why, int index,
                      long first, long last);
/* Writes ids of launches, the file's hash and what was skipped into all its records. */
void import_finish(struct import_job *job, int launches);
/* KEY, KEY_low and KEY_high: the median of x[n] with its interval. Nothing if n is 0. */
void import_set_median(json_t *o, const char *key, const double *x, int n);

/* Reads the file, sets job->sha256, and calls `each` for its lines, cleaned. */
int import_lines(struct import_job *job, int (*each)(void *context, char *text, long line), void *context);
/* Removes colours and other escape sequences in place; NUL and carriage return become blanks. */
void import_clean(char *text, size_t length);
/* Whether the whole text is a number; "nan" and "inf" are. */
bool import_number(const char *text, double *x);
/* The next word: skips blanks, sets *length. NULL: no word. */
const char *import_word(const char *text, size_t *length);
/* Removes blanks on both sides, in place. */
char *import_trim(char *text);

#endif
