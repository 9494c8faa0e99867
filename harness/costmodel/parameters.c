/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of parameters as a table, and the priors. */
#include "costmodel/parameters.h"

const struct cost_parameter_info cost_parameter_infos[COST_PARAMETERS] = {
#define P(parameter, mean, spread, text) {#parameter, text, mean, spread},
    COST_PARAMETER_LIST(P)
#undef P
};

void cost_parameters_prior(struct cost_parameters *p) {
    for (int i = 0; i < COST_PARAMETERS; i++) {
        p->value[i] = cost_parameter_infos[i].prior;
        p->sd[i] = cost_parameter_infos[i].sd;
    }
}
