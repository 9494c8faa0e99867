/* SPDX-License-Identifier: Apache-2.0
 *
 * A programme priced: every model of a campaign on every machine of it. */
#ifndef TOISE_PROJECTION_CAMPAIGN_RECORD_H
#define TOISE_PROJECTION_CAMPAIGN_RECORD_H

#include "projection/campaign.h"
#include "projection/cost.h"

struct projection_campaign_options {
    double accelerators; /* of a job; 0: what the model was trained on, else 256 */
    double eur_per_mwh;  /* NAN: the campaign's readings */
    const char *set;     /* "key=value,..." of hypothetical machines; NULL: nothing */
    struct projection_assumptions assumptions;
};

/* A model of the campaign: its sizes, or why it is not priced. */
struct projection_campaign_model {
    struct model_config config;
    char why[256]; /* "": it is */
};

/* A record of kind "campaign" into *record: a row for each system and training, blank where a fact is unknown.
 * models: [campaign->trainings]. BASE_USAGE: a machine's file is wrong. */
int projection_campaign_record(const struct projection_campaign *campaign,
                               const struct projection_campaign_model *models, const struct fit_result *fitted,
                               const struct projection_campaign_options *options, json_t **record,
                               struct base_error *e);

#endif
