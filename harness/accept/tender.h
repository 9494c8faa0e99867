/* SPDX-License-Identifier: Apache-2.0
 *
 * A tender's file: what a machine is pledged to do, on which workload. README.md has an example and all fields. */
#ifndef TOISE_ACCEPT_TENDER_H
#define TOISE_ACCEPT_TENDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum accept_item { ACCEPT_RATE, ACCEPT_SUSTAINED, ACCEPT_SPREAD, ACCEPT_EFFICIENCY, ACCEPT_ENERGY, ACCEPT_ITEMS };

struct accept_tender {
    json_t *json;                     /* the file as it is */
    const char *workload, *precision; /* of the launches that count */
    int64_t nodes;                    /* that the machine must have */
    int64_t copy_nodes;               /* of a launch that counts; not of efficiency */
    int64_t efficiency_nodes;         /* of the large launches */
    double pledged[ACCEPT_ITEMS]; /* NAN: not pledged. By item: tokens/s per node of the slowest node; minutes that it
                                     holds for; how much slower than the typical node the slowest may be, as a share;
                                     rate per node of a large launch over that of a copy; joules per token at most */
    double tolerance;             /* what is surely this share worse than pledged is never accepted */
};

/* "tokens_per_s_per_node", "sustained_minutes", "spread", "efficiency", "joules_per_token" */
const char *accept_item_name(enum accept_item item);
/* BASE_USAGE with file and field: unreadable, unknown or missing fields, values out of range, nothing pledged, no such
 * workload in the catalogue. Close it also after an error. */
int accept_tender_read(const char *path, struct accept_tender *tender, struct base_error *e);
void accept_tender_close(struct accept_tender *tender);

#endif
