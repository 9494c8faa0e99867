/* SPDX-License-Identifier: Apache-2.0
 *
 * The figure by which runs of a kind are compared. */
#ifndef TOISE_STUDY_RATE_H
#define TOISE_STUDY_RATE_H

#include <jansson.h>
#include <stdbool.h>

enum study_rate_kind { STUDY_RATE_TRAIN, STUDY_RATE_KERNEL, STUDY_RATE_COMM, STUDY_RATE_FIGURE, STUDY_RATES };

struct study_rate {
    const char *kind, *key; /* of the record; where its figure is */
    bool lower;             /* it is a time: a lower one is better, and the rate is its inverse */
    const char *unit;       /* of the rate; "": the record says */
};
extern const struct study_rate study_rates[STUDY_RATES];

/* The kind of a record; -1: runs of its kind are not compared. */
int study_rate_find(const json_t *record);

#endif
