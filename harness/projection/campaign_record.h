/* SPDX-License-Identifier: Apache-2.0
 *
 * Projects a programme: every model of a campaign on every one of its machines. */
#ifndef TOISE_PROJECTION_CAMPAIGN_RECORD_H
#define TOISE_PROJECTION_CAMPAIGN_RECORD_H

#include "projection/campaign.h"
#include "projection/cost.h"

struct projection_campaign_options {
    double accelerators; /* of a job; 0: as many as the model was trained on, or 256 if not published */
    double eur_per_mwh;  /* NAN: the campaign's */
    const char *set;     /* "key=value,..." for hypothetical machines; NULL: none */
    struct projection_assumptions assumptions;
};

/* A model of the campaign: its sizes, or why they are unknown. */
struct projection_campaign_model {
    struct model_config config;
    char why[256]; /* "": config is filled */
};

/* Makes *record, of kind "campaign". It has a row for each system and training. A row that cannot be projected is blank
 * and says why. models: [campaign->trainings]. BASE_USAGE: a machine's file is wrong. */
int projection_campaign_record(const struct projection_campaign *campaign,
                               const struct projection_campaign_model *models, const struct fit_result *fitted,
                               const struct projection_campaign_options *options, json_t **record,
                               struct base_error *e);

#endif
