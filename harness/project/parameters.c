/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of parameters as a table, and the priors. */
#include "project/parameters.h"

const struct project_parameter_info project_parameter_infos[PROJECT_PARAMETERS] = {
#define P(parameter, mean, spread, text) {#parameter, text, mean, spread},
    PROJECT_PARAMETER_LIST(P)
#undef P
};

void project_parameters_prior(struct project_parameters *p) {
    for (int i = 0; i < PROJECT_PARAMETERS; i++) {
        p->value[i] = project_parameter_infos[i].prior;
        p->sd[i] = project_parameter_infos[i].sd;
    }
}
