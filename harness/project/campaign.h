/* SPDX-License-Identifier: Apache-2.0
 *
 * A programme as a file of harness/catalog/campaigns: its machines, the models that it trains, what electricity costs.
 */
#ifndef TOISE_PROJECT_CAMPAIGN_H
#define TOISE_PROJECT_CAMPAIGN_H

#include <jansson.h>

#include "project/machine.h"
#include "project/search.h"

enum { PROJECT_CAMPAIGN_ROWS = 16 };

struct project_campaign_system {
    const char *machine, *role;
    struct project_fact count, nodes; /* how many such machines; nodes: where the campaign sets them */
    bool outside;                     /* not paid by the programme */
};

struct project_campaign_training {
    const char *model, *machine; /* machine: that it was trained on; NULL: not published */
    struct project_fact tokens, sequence, global_batch, accelerators;
    struct project_fact ramp_batch, ramp_tokens; /* batches grow from that over these */
    struct project_choice choice;                /* there */
    enum project_era era;
    bool blocking, slots;
    struct project_fact published_hours, published_days;
};

struct project_campaign {
    const char *name, *title, *path;
    json_t *json; /* all of it: budgets and notes are shown as they stand */
    struct project_campaign_system system[PROJECT_CAMPAIGN_ROWS];
    struct project_campaign_training training[PROJECT_CAMPAIGN_ROWS];
    int systems, trainings;
    struct project_fact eur_per_mwh; /* the first reading; low and high: of all readings */
    struct project_text *texts;
};

/* `name`: of the catalogue, or a path. BASE_USAGE names file, field and fix. Close it in any case. */
int project_campaign_read(const char *name, struct project_campaign *c, struct base_error *e);
void project_campaign_close(struct project_campaign *c);

#endif
