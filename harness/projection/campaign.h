/* SPDX-License-Identifier: Apache-2.0
 *
 * A campaign, the input of `toise programme`: machines, the models they train, the price of electricity. Files are as
 * in harness/catalog/campaigns. */
#ifndef TOISE_PROJECTION_CAMPAIGN_H
#define TOISE_PROJECTION_CAMPAIGN_H

#include <jansson.h>

#include "costmodel/search.h"
#include "machine/machine.h"

enum { PROJECTION_CAMPAIGN_ROWS = 16 };

struct projection_campaign_system {
    const char *machine, *role;
    struct machine_fact count, nodes; /* number of such machines; nodes of one, where the campaign sets them */
    bool outside;                     /* the programme does not pay for it */
};

struct projection_campaign_training {
    const char *model, *machine; /* machine: where it was trained; NULL: not published */
    struct machine_fact tokens, sequence, global_batch, accelerators;
    struct machine_fact ramp_batch, ramp_tokens; /* the batch grows from ramp_batch over ramp_tokens */
    struct plan_layout choice;                   /* as published, like the three below; the rest is free */
    enum cost_framework framework;
    bool blocking, slots; /* as in struct cost_traits */
    struct machine_fact published_hours, published_days;
};

struct projection_campaign {
    const char *name, *title, *path;
    json_t *json; /* the whole file: budgets and sources are copied to the record */
    struct projection_campaign_system system[PROJECTION_CAMPAIGN_ROWS];
    struct projection_campaign_training training[PROJECTION_CAMPAIGN_ROWS];
    int systems, trainings;
    struct machine_fact eur_per_mwh; /* of the first reading; low and high span all readings */
    struct machine_text *texts;
};

/* `name`: a campaign of the catalogue, or a path. BASE_USAGE names file, field and fix. Close it in any case. */
int projection_campaign_read(const char *name, struct projection_campaign *c, struct base_error *e);
void projection_campaign_close(struct projection_campaign *c);

#endif
