/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes what records say of a plan's layout. */
#include "plan/record.h"

#include <math.h>

#include "records/set.h"

static json_t *stage_layers(const struct plan *p) {
    const struct plan_layout *l = &p->request.layout;
    json_t *all = json_array();
    for (int i = 0; i < l->pp * l->vp; i++)
        json_array_append_new(all, json_integer(plan_layout_layers(l, p->request.config.layers, i)));
    return all;
}

json_t *plan_layout_record(const struct plan *p) {
    const struct plan_layout *l = &p->request.layout;
    json_t *o = json_object();
    record_set_integer(o, "world", plan_layout_world(l));
    record_set_integer(o, "dp", l->dp);
    if (l->tp > 1) record_set_integer(o, "tp", l->tp);
    if (l->cp > 1) record_set_integer(o, "cp", l->cp);
    if (l->ep > 1) record_set_integer(o, "ep", l->ep);
    if (l->pp > 1) record_set_integer(o, "pp", l->pp);
    if (l->vp > 1) record_set_integer(o, "vp", l->vp);
    if (l->pp > 1) record_set(o, "schedule", json_string(plan_schedule_name((enum plan_schedule)l->schedule)));
    if (l->pp > 1) record_set(o, "stage_layers", stage_layers(p));
    char order[32];
    plan_grid_order_text(l, order);
    if (*order) record_set(o, "order", json_string(order));
    if (l->sequence_parallel) record_set(o, "sp", json_true());
    if (l->zero) record_set_integer(o, "zero", l->zero);
    if (l->reproducible) record_set_integer(o, "reproducible", l->reproducible);
    record_set_integer(o, "micro_batch", l->micro_batch);
    record_set_integer(o, "accumulation", p->accumulation);
    record_set_integer(o, "threads", p->request.threads);
    if (l->recompute) record_set(o, "recompute", json_string(plan_recompute_name((enum plan_recompute)l->recompute)));
    return o;
}

json_t *plan_communication_record(const struct plan_layout *l, const double total_s[PLAN_TALKING],
                                  const double exposed_s[PLAN_TALKING]) {
    json_t *o = json_object();
    for (int a = 0; a < PLAN_TALKING; a++) {
        if (plan_axis_talking(l, (enum plan_axis)a) == 1) continue;
        json_t *axis = json_object();
        record_set_number(axis, "total_s", a == PLAN_PP ? NAN : total_s[a]);
        record_set_number(axis, "exposed_s", exposed_s[a]);
        record_set(o, plan_axis_name((enum plan_axis)a), axis);
    }
    return o;
}
