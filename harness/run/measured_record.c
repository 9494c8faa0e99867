/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes it; keys as results/README.md has them. */
#include "run/measured_record.h"

#include "run/record_set.h"
#include "run/train_record.h"

static json_t *phases_of(const struct project_measured *r) {
    json_t *o = json_object();
    for (int i = 0; i < PROJECT_PHASES; i++) set_number(o, project_phase_name((enum project_phase)i), r->phase_s[i]);
    return o;
}

static json_t *kinds_of(const struct project_measured *r) {
    static const char *const names[PROJECT_OP_KINDS] = {"matmul", "attention", "passes", "messages"};
    json_t *o = json_object();
    for (int i = 0; i < PROJECT_OP_KINDS; i++) set_number(o, names[i], r->by_kind_s[i]);
    return o;
}

static json_t *ops_of(const struct project_measured *r) {
    json_t *list = json_array();
    for (int i = 0; i < r->count; i++) {
        const struct project_priced *p = &r->ops[i];
        json_t *o = json_object();
        set(o, "name", json_string(p->name));
        set(o, "op", json_string(p->op));
        if (p->trans[0]) set(o, "trans", json_string(p->trans));
        set(o, "phase", json_string(project_phase_name(p->phase)));
        set_number(o, "count", p->count);
        set_number(o, "call_s", p->call_s);
        set_number(o, "seconds", p->count * p->call_s);
        set_number(o, "sd", p->sd);
        set(o, "basis", json_string(project_basis_name(p->basis)));
        if (p->points) set_integer(o, "points", p->points);
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *layout_of(const struct plan *p) {
    return json_pack("{s:i, s:i, s:I, s:I, s:i}", "world", p->request.world, "dp", p->data_parallel, "micro_batch",
                     (json_int_t)p->request.micro_batch, "accumulation", (json_int_t)p->accumulation, "threads",
                     p->request.threads);
}

static json_t *result_of(const struct project_measured *r, const struct plan *p, bool fits) {
    struct plan_ledger l;
    json_t *o = json_object();
    plan_ledger_fill(&l, p);
    const double tokens = (double)p->request.global_batch * (double)p->request.seq,
                 rank = l.model_flop / p->request.world;
    set_number(o, "step_s", r->step_s);
    set_number(o, "step_s_low", r->low_s);
    set_number(o, "step_s_high", r->high_s);
    set(o, "label", json_string(r->interpolated ? "interpolated" : "extrapolated"));
    if (!r->interpolated) set(o, "why", json_string(r->why));
    set_number(o, "tokens_per_s", tokens / r->step_s);
    set_number(o, "model_flop_per_s", l.model_flop / r->step_s);
    set_number(o, "tflop_per_s_per_accelerator", rank / r->step_s / 1e12); /* an accelerator: one rank */
    set_number(o, "mfu", rank / r->step_s / r->peak_flop_per_s);
    set_number(o, "hfu", rank / r->step_s / r->peak_flop_per_s);
    set_number(o, "bubble", 0);
    set_number(o, "memory_bytes", p->memory_bytes);
    set(o, "fits", json_boolean(fits));
    set(o, "breakdown", phases_of(r));
    set(o, "by_operation", kinds_of(r));
    set_number(o, "compute_s", r->compute_s);
    set_number(o, "message_s", r->message_s);
    set_number(o, "exposed_s", r->exposed_s);
    set_number(o, "drift", r->drift);
    set_number(o, "matmul_share", r->matmul);
    set_number(o, "pass_share", r->pass);
    set(o, "ops", ops_of(r));
    return o;
}

json_t *run_measured_record(const struct project_measured *r, const struct project_machine *m, const struct plan *p) {
    const double memory = m->node.memory_bytes.value, need = p->memory_bytes * p->request.world;
    const bool fits = !(need > memory); /* all ranks on one node; unknown memory holds anything */
    json_t *o =
        run_record_head("project", fits ? RUN_PASSED : RUN_FAILED, fits ? "" : "the node's memory is too small");
    set(o, "machine", json_pack("{s:s, s:s, s:s}", "name", m->name, "title", m->title, "records", m->path));
    set(o, "config", run_plan_config(p));
    set(o, "layout", layout_of(p));
    set(o, "result", result_of(r, p, fits));
    return o;
}
