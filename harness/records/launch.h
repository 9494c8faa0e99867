/* SPDX-License-Identifier: Apache-2.0
 *
 * The object `launch` of a record: which start of toise it comes from. Levels of replication are step, launch, job and
 * node. The launch is the least: steps of one launch share its memory layout, its clocks and its neighbours. Launches
 * of one job are not independent jobs, since they share its nodes and its hour. */
#ifndef TOISE_RECORDS_LAUNCH_H
#define TOISE_RECORDS_LAUNCH_H

#include "records/set.h"

struct record_launch {
    char id[64];   /* date, host and process of rank 0 */
    char job[80];  /* as given by --job; else "slurm-ID" within a job of Slurm; else the id */
    int nodes;     /* that it runs on */
    int index, of; /* it is the index-th (from 1) of so many planned by --launches; 0: it was started alone */
    json_t *place; /* more keys: hosts, and how they are connected; borrowed; NULL: unknown */
};

static inline json_t *record_launch_json(const struct record_launch *l) {
    json_t *o = json_object();
    record_set(o, "id", json_string(l->id));
    record_set_integer(o, "nodes", l->nodes);
    record_set(o, "job", json_string(l->job));
    if (l->index) record_set_integer(o, "index", l->index), record_set_integer(o, "of", l->of);
    if (l->place) json_object_update(o, l->place);
    return o;
}

#endif
