/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the record of a measured projection. results/README.md explains the keys. */
#include "projection/measured_record.h"

#include "plan/record.h"
#include "records/set.h"
#include "train/record.h"

static json_t *phases_of(const struct projection_measured *r) {
    json_t *o = json_object();
    for (int i = 0; i < PLAN_PHASES; i++) record_set_number(o, plan_phase_name((enum plan_phase)i), r->phase_s[i]);
    return o;
}

static json_t *kinds_of(const struct projection_measured *r) {
    static const char *const names[PROJECTION_OP_KINDS] = {"matmul", "attention", "passes", "messages", "pipeline"};
    json_t *o = json_object();
    for (int i = 0; i < PROJECTION_OP_KINDS; i++)
        if (i < PROJECTION_STAGES || r->by_kind_s[i] > 0) record_set_number(o, names[i], r->by_kind_s[i]);
    return o;
}

static json_t *ops_of(const struct projection_measured *r) {
    json_t *list = json_array();
    for (int i = 0; i < r->count; i++) {
        const struct projection_priced *p = &r->ops[i];
        json_t *o = json_object();
        record_set(o, "name", json_string(p->name));
        record_set(o, "op", json_string(p->op));
        if (p->trans[0]) record_set(o, "trans", json_string(p->trans));
        record_set(o, "phase", json_string(plan_phase_name(p->phase)));
        record_set_number(o, "count", p->count);
        record_set_number(o, "call_s", p->call_s);
        record_set_number(o, "seconds", p->count * p->call_s);
        record_set_number(o, "sd", p->sd);
        record_set(o, "basis", json_string(projection_basis_name(p->basis)));
        if (p->points) record_set_integer(o, "points", p->points);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *result_of(const struct projection_measured *r, const struct plan *p, bool fits) {
    const struct plan_ledger *l = &p->ledger;
    json_t *o = json_object();
    const double tokens = (double)p->request.global_batch * (double)p->request.seq,
                 world = plan_layout_world(&p->request.layout), rank = l->model_flop / world;
    record_set_number(o, "step_s", r->step_s);
    record_set_number(o, "step_s_low", r->low_s);
    record_set_number(o, "step_s_high", r->high_s);
    record_set(o, "label", json_string(r->interpolated ? "interpolated" : "extrapolated"));
    if (!r->interpolated) record_set(o, "why", json_string(r->why));
    record_set_number(o, "tokens_per_s", tokens / r->step_s);
    record_set_number(o, "model_flop_per_s", l->model_flop / r->step_s);
    record_set_number(o, "tflop_per_s_per_accelerator", rank / r->step_s / 1e12); /* a rank counts as an accelerator */
    record_set_number(o, "mfu", rank / r->step_s / r->peak_flop_per_s);
    record_set_number(o, "hfu", l->hardware_flop / world / r->step_s / r->peak_flop_per_s);
    record_set(o, "mfu_of",
               json_sprintf("measured %s peak of the kernel records, a rank's threads",
                            p->request.dtype == KERNEL_F32 ? "f32" : "bf16"));
    record_set_number(o, "bubble", r->bubble);
    record_set_number(o, "memory_bytes", p->memory_bytes);
    record_set(o, "fits", json_boolean(fits));
    record_set(o, "breakdown", phases_of(r));
    record_set(o, "by_operation", kinds_of(r));
    record_set_number(o, "compute_s", r->compute_s);
    record_set_number(o, "message_s", r->message_s);
    record_set_number(o, "exposed_s", r->exposed_s);
    if (world > 1)
        record_set(o, "communication", plan_communication_record(&p->request.layout, r->axis_s, r->axis_exposed_s));
    record_set_number(o, "drift", r->drift);
    record_set_number(o, "matmul_share", r->matmul);
    record_set_number(o, "pass_share", r->pass);
    record_set(o, "ops", ops_of(r));
    return o;
}

json_t *projection_measured_record(const struct projection_measured *r, const struct machine *m, const struct plan *p) {
    const double memory = m->node.memory_bytes.value,
                 need = plan_node_bytes(&p->request, plan_layout_world(&p->request.layout));
    const bool fits = !(need > memory); /* all ranks share a node; unknown memory always fits */
    json_t *o = record_head("project", fits ? RECORD_PASSED : RECORD_FAILED,
                            fits ? "" : "the node's memory is too small for all its ranks");
    record_set(o, "machine", json_pack("{s:s, s:s, s:s}", "name", m->name, "title", m->title, "records", m->path));
    record_set(o, "config", train_plan_config(p));
    record_set(o, "layout", plan_layout_record(p));
    record_set(o, "result", result_of(r, p, fits));
    return o;
}
