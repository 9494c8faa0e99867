/* SPDX-License-Identifier: Apache-2.0
 *
 * Other tools' output as records.
 *
 * The room import/ promises that nothing is read as what it is not: a file has one format, which it shows itself or the
 * caller names, and every figure keeps its file, hash and line. Such records are UNVERIFIED, since toise checked
 * nothing. It needs records/ and base/. It does not know what is done with them, and never guesses a unit. */
#ifndef TOISE_IMPORT_IMPORT_H
#define TOISE_IMPORT_IMPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum import_format {
    IMPORT_AUTO,
    IMPORT_MEGATRON,   /* log of Megatron-LM, or of a fork with its lines */
    IMPORT_NCCL_TESTS, /* what it prints, or its JSON file */
    IMPORT_GOOGLE_BENCHMARK,
    IMPORT_CSV, /* columns node, metric, value; as wanted unit, better, launch */
    IMPORT_FORMATS
};
/* "auto", "megatron", ...; NULL after the last. */
const char *import_format_name(int format);

/* The collectives of nccl-tests, as toise names them; NULL after the last. */
const char *import_op_name(int i);

/* What the files do not say. NULL and 0: not given. */
struct import_options {
    enum import_format from;
    const char *node, *machine, *model; /* labels of the records */
    const char *job;                    /* launches that share it are not independent */
    int op;                             /* the collective, or -1, which an older nccl-tests does not name */
    int64_t nodes;                      /* that each launch ran on */
    int64_t seq;                        /* tokens of a sequence, for a log without its arguments */
    int64_t warmup;                     /* iterations of each launch */
    bool skip_bad;
};

/* What was read, beside the records. */
struct import_notes {
    enum import_format format;
    long skipped, repeated; /* damaged lines or rows; lines that stood twice */
    char first[1024];       /* why the first one was skipped; "": none was */
};

/* Reads one file of any size, and appends its records to the array. The i-th launch of a file has the id HASH-i, so the
 * same file gives the same launches. BASE_USAGE with file and line: not the format, several formats, or none; damaged
 * (with skip_bad: the rest is used); the whole log stands in it twice. */
int import_file(const char *path, const struct import_options *options, json_t *records, struct import_notes *notes,
                struct base_error *e);

#endif
