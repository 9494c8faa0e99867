/* SPDX-License-Identifier: Apache-2.0
 *
 * Loads all records of files and folders, each with its place and its hash. */
#ifndef TOISE_RECORDS_LOAD_H
#define TOISE_RECORDS_LOAD_H

#include "records/hash.h"
#include "records/record.h"

struct record_loaded {
    json_t *record;
    const char *path;              /* of the file, owned by the list */
    long line;                     /* from 1 */
    int source;                    /* index of the path given to record_load */
    char sha256[RECORD_HASH_TEXT]; /* of the line without its end */
};

struct record_list {
    struct record_loaded *at;
    size_t count, room;
    char **paths; /* of the files read */
    size_t files;
    struct record_skipped skipped;
};

/* Loads every record of paths[count] in order. A folder stands for all *.jsonl files in it and in its folders, sorted
 * by path; links to folders are not followed. skip_bad: skips lines that are not records, and counts them in
 * list->skipped. BASE_USAGE with file and line: a line is not a record, torn or has an unknown schema; a path does not
 * exist, a folder holds no such file, a file no record. Records of other kinds than the caller's are loaded too. Close
 * the list also after an error. */
int record_load(struct record_list *list, const char *const *paths, int count, bool skip_bad, struct base_error *e);
void record_list_close(struct record_list *list);
/* The launches that a record among these goes on with (launch.resumes), as keys of an object. It has their samples, so
 * their own records must not count beside it. */
json_t *record_resumed(const struct record_loaded *records, size_t count);
/* The run had faults of --inject, so it measured no machine: its figures must not count. */
bool record_injected(const json_t *record);

#endif
