/* SPDX-License-Identifier: Apache-2.0
 *
 * A group of launches and its record. For launches.c only. */
#ifndef TOISE_STUDY_LAUNCHES_RECORD_H
#define TOISE_STUDY_LAUNCHES_RECORD_H

#include "study/launches.h"

struct study_group {
    const struct study_launches_kind *kind;
    const struct record_loaded **launch; /* [count], borrowed */
    size_t count, room;
    int twice;   /* launches met again and not counted */
    json_t *ids; /* of the launches */
};

/* A record of kind "launches". */
json_t *study_launches_record(const struct study_group *group, double ci);

#endif
