/* SPDX-License-Identifier: Apache-2.0
 *
 * The parameters as a table: those of the list, then those of the device classes. */
#include "costmodel/parameters.h"

static const struct cost_parameter_info list[COST_PARAMETERS] = {
#define P(parameter, mean, spread, text) {#parameter, text, mean, spread},
    COST_PARAMETER_LIST(P)
#undef P
};

int cost_parameters_count(const struct cost_parameters *p) {
    return COST_PARAMETERS + p->classes->priors;
}

struct cost_parameter_info cost_parameters_info(const struct cost_parameters *p, int index) {
    if (index < COST_PARAMETERS) return list[index];
    const struct machine_prior *x = &p->classes->prior[index - COST_PARAMETERS];
    return (struct cost_parameter_info){x->name, x->meaning, x->value, x->spread};
}

int cost_parameters_prior(struct cost_parameters *p, struct base_error *e) {
    const int code = machine_classes(&p->classes, e);
    for (int i = 0; !code && i < cost_parameters_count(p); i++) {
        const struct cost_parameter_info info = cost_parameters_info(p, i);
        p->value[i] = info.prior, p->sd[i] = info.sd;
    }
    return code;
}

double cost_parameters_trait(const struct cost_parameters *p, const struct machine_class *class,
                             enum machine_trait trait) {
    return class->trait[trait].times * p->value[COST_PARAMETERS + class->trait[trait].prior];
}
