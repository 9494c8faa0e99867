/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of accept/ share. Only accept/ includes it. */
#ifndef TOISE_ACCEPT_PARTS_H
#define TOISE_ACCEPT_PARTS_H

#include "accept/accept.h"

/* A launch that counts. */
struct accept_launch {
    int place;
    bool large; /* of efficiency; else a copy */
    double rate, late,
        joules; /* tokens/s per node of all timed steps and of the last quarter; per token; NAN: unknown */
};

struct accept {
    struct accept_tender tender;
    struct record_list list;
    struct accept_launch *launch; /* by place */
    int launches;
    json_t *places;         /* name -> number */
    const char **name;      /* by number */
    json_t *hosts;          /* of copies: CPU and host -> true */
    json_t *failed;         /* launches whose checks FAILED: path, line, node, why */
    json_t *left_out;       /* why -> number of records */
    json_t *jobs;           /* job -> true */
    json_t *resumed;        /* launches that others went on with: id -> true */
    const char *unmeasured; /* why a copy has no energy; NULL: all have it */
};

/* Reads tender and records. Close it also after an error. */
int accept_load(struct accept *a, const char *tender, const char *const *paths, int count, bool skip_bad,
                struct base_error *e);
void accept_close(struct accept *a);
/* Judges all that is pledged, as a record. NULL: out of memory. */
json_t *accept_record(const struct accept *a, enum accept_verdict *verdict);

#endif
