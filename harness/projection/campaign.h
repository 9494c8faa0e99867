/* SPDX-License-Identifier: Apache-2.0
 *
 * A programme as a file of harness/catalog/campaigns: its machines, the models that it trains, what electricity costs.
 */
#ifndef TOISE_PROJECTION_CAMPAIGN_H
#define TOISE_PROJECTION_CAMPAIGN_H

#include <jansson.h>

#include "costmodel/search.h"
#include "machine/machine.h"

enum { PROJECTION_CAMPAIGN_ROWS = 16 };

struct projection_campaign_system {
    const char *machine, *role;
    struct machine_fact count, nodes; /* how many such machines; nodes: where the campaign sets them */
    bool outside;                     /* not paid by the programme */
};

struct projection_campaign_training {
    const char *model, *machine; /* machine: that it was trained on; NULL: not published */
    struct machine_fact tokens, sequence, global_batch, accelerators;
    struct machine_fact ramp_batch, ramp_tokens; /* batches grow from that over these */
    struct plan_layout choice;                   /* there */
    enum cost_framework framework;
    bool blocking, slots;
    struct machine_fact published_hours, published_days;
};

struct projection_campaign {
    const char *name, *title, *path;
    json_t *json; /* all of it: budgets and notes are shown as they stand */
    struct projection_campaign_system system[PROJECTION_CAMPAIGN_ROWS];
    struct projection_campaign_training training[PROJECTION_CAMPAIGN_ROWS];
    int systems, trainings;
    struct machine_fact eur_per_mwh; /* the first reading; low and high: of all readings */
    struct machine_text *texts;
};

/* `name`: of the catalogue, or a path. BASE_USAGE names file, field and fix. Close it in any case. */
int projection_campaign_read(const char *name, struct projection_campaign *c, struct base_error *e);
void projection_campaign_close(struct projection_campaign *c);

#endif
