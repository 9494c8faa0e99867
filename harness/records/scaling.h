/* SPDX-License-Identifier: Apache-2.0
 *
 * The object `scaling` of a record: the point of a scaling curve that a run measured. */
#ifndef TOISE_RECORDS_SCALING_H
#define TOISE_RECORDS_SCALING_H

#include "records/get.h"
#include "records/set.h"

enum record_scaling_mode {
    RECORD_STRONG, /* the global batch is the same at each point */
    RECORD_WEAK    /* the batch of a unit is the same at each point */
};
enum record_scaling_unit { RECORD_NODE, RECORD_RANK };

struct record_scaling {
    enum record_scaling_mode mode;
    enum record_scaling_unit unit; /* what n counts */
    int n;
    int repeat; /* from 1: in each repeat every point runs once, in an order drawn anew */
    int order;  /* from 1: when it ran within its repeat */
};

/* "strong", "weak"; "node", "rank"; NULL after the last. */
static inline const char *record_scaling_mode_name(int mode) {
    static const char *const names[] = {"strong", "weak", NULL};
    return names[mode];
}
static inline const char *record_scaling_unit_name(int unit) {
    static const char *const names[] = {"node", "rank", NULL};
    return names[unit];
}

static inline json_t *record_scaling_json(const struct record_scaling *s) {
    json_t *o = json_object();
    record_set(o, "mode", json_string(record_scaling_mode_name(s->mode)));
    record_set(o, "unit", json_string(record_scaling_unit_name(s->unit)));
    record_set_integer(o, "n", s->n);
    record_set_integer(o, "repeat", s->repeat), record_set_integer(o, "order", s->order);
    return o;
}

#endif
