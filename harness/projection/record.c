/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "project". results/README.md explains their keys. */
#include <math.h>
#include <stdlib.h>

#include "config/params.h"
#include "projection/record.h"
#include "records/set.h"

static json_t *layout_json(const struct plan_layout *l) {
    json_t *o = json_object();
    record_set_integer(o, "tp", l->tp), record_set_integer(o, "pp", l->pp), record_set_integer(o, "vp", l->vp),
        record_set_integer(o, "cp", l->cp);
    record_set_integer(o, "dp", l->dp), record_set_integer(o, "ep", plan_layout_expert_ranks(l)),
        record_set_integer(o, "zero", l->zero), record_set(o, "sp", json_boolean(l->sequence_parallel));
    record_set_integer(o, "micro_batch", l->micro_batch);
    record_set(o, "recompute", json_string(plan_recompute_name((enum plan_recompute)l->recompute)));
    record_set(o, "schedule", json_string(plan_schedule_name((enum plan_schedule)l->schedule)));
    return o;
}

static json_t *memory_json(const struct cost_memory *m) {
    json_t *o = json_object();
    record_set_number(o, "weights", m->weights), record_set_number(o, "gradients", m->gradients);
    record_set_number(o, "optimizer", m->optimizer), record_set_number(o, "activations", m->activations);
    record_set_number(o, "logits", m->logits);
    return o;
}

static json_t *config_json(const struct projection_question *q, const struct projection_outcome *r) {
    const struct cost_traits *x = &r->projection.job.traits;
    json_t *o = json_object();
    record_set(o, "model", json_string(q->config->name)), record_set_integer(o, "parameters", q->config->parameters);
    if (q->config->experts > 0) {
        record_set_integer(o, "active_parameters", model_params_active(q->config));
        record_set_integer(o, "experts", q->config->experts);
        record_set_integer(o, "experts_active", q->config->active);
        if (q->config->shared) record_set_integer(o, "shared_experts", q->config->shared);
    }
    model_config_notes(o, q->config);
    record_set(o, "precision", json_string(machine_dtype_name(r->projection.dtype)));
    record_set_integer(o, "seq", q->seq), record_set_integer(o, "global_batch", q->global_batch);
    record_set(o, "framework", json_string(cost_framework_name(x->framework)));
    record_set(o, "attention", json_string(x->flash ? "fused" : "unfused"));
    record_set(o, "blocking", json_boolean(x->blocking)), record_set(o, "slots", json_boolean(x->slots));
    record_set_number(o, "grad_bytes", x->grad_bytes);
    return o;
}

static json_t *machine_json(const struct projection *p) {
    const struct machine *m = p->machine;
    json_t *o = json_object();
    record_set(o, "name", json_string(m->name)), record_set(o, "title", json_string(m->title));
    record_set(o, "accelerator", json_string(m->accelerator.title));
    record_set_number(o, "accelerators", m->accelerators.value);
    record_set_number(o, "peak_flop_per_s", p->job.platform.peak_flop_per_s * p->job.accelerators / p->accelerators);
    record_set_number(o, "memory_bytes", p->job.platform.memory_bytes);
    if (m->remarks) record_set(o, "remarks", json_string(m->remarks));
    record_set(o, "announced", json_boolean(m->announced)),
        record_set(o, "hypothetical", json_boolean(m->hypothetical));
    return o;
}

static json_t *breakdown_json(const struct cost_step *s) {
    json_t *o = json_object();
    double inside = 0;
    for (enum cost_term t = 0; t < COST_TERMS; t++) {
        const enum cost_term_part part = cost_term_part(t);
        if (part == COST_PART_MIXTURE && s->experts == 0) continue;
        record_set_number(o, cost_term_name(t), cost_step_seconds(s, t));
        if (part != COST_PART_STEP) inside += cost_step_seconds(s, t);
    }
    record_set_number(o, "other", s->work - inside); /* embedding look-up, context parallelism */
    return o;
}

static void add_cost(json_t *o, const struct projection_assumptions *t, const struct projection_cost *b) {
    json_t *parts = json_object(), *assumptions = json_object();
    record_set_number(o, "tokens", t->tokens), record_set_number(o, "steps", b->steps);
    record_set_number(o, "days", b->wall_s / 86400);
    record_set_number(o, "days_low", b->low_wall_s / 86400), record_set_number(o, "days_high", b->high_wall_s / 86400);
    record_set_number(o, "goodput", b->goodput), record_set_number(o, "accelerator_hours", b->accelerator_hours);
    record_set_number(o, "mwh", b->accelerator_mwh), record_set_number(o, "mwh_node", b->node_mwh);
    record_set_number(o, "mwh_facility", b->facility_mwh);
    record_set_number(o, "cost_eur", b->electricity_eur),
        record_set_number(o, "cost_eur_accelerators", b->accelerators_eur);
    record_set_number(parts, "steps", b->steps_s), record_set_number(parts, "ramp", b->ramp_s);
    record_set_number(parts, "straggling", b->straggling_s), record_set_number(parts, "checkpoints", b->checkpoint_s);
    record_set_number(parts, "lost", b->lost_s), record_set_number(parts, "restarts", b->restart_s);
    record_set_number(parts, "queue", b->queue_s);
    record_set(o, "wall_s", parts);
    record_set_number(assumptions, "mtbf_hours", t->mtbf_hours),
        record_set_number(assumptions, "restart_s", t->restart_s);
    record_set_number(assumptions, "checkpoint_every_s", b->checkpoint_every_s);
    record_set_number(assumptions, "checkpoint_one_s", b->checkpoint_one_s);
    record_set_number(assumptions, "failures", b->failures), record_set_number(assumptions, "jobs", b->jobs);
    record_set_number(assumptions, "straggling", t->straggling), record_set_number(assumptions, "load", t->load);
    record_set_number(assumptions, "ramp_batch", t->ramp_batch),
        record_set_number(assumptions, "ramp_tokens", t->ramp_tokens);
    record_set_number(assumptions, "eur_per_mwh", t->eur_per_mwh),
        record_set_number(assumptions, "eur_per_hour", t->eur_per_hour);
    record_set(o, "assumptions", assumptions);
}

static json_t *would_fit_json(const struct projection *p) {
    json_t *o = layout_json(&p->job.layout);
    record_set_number(o, "accelerators", p->accelerators);
    record_set_number(o, "step_s", p->step.total), record_set_number(o, "memory_bytes", p->memory_needed);
    return o;
}

static json_t *weakest_json(const struct projection *p) {
    enum machine_status status;
    const char *key = cost_platform_weakest(p->machine, p->dtype, &status);
    return json_pack("{s:s, s:s}", "fact", key, "status", machine_status_name(status));
}

static json_t *straggler_json(const struct cost_straggler *x) {
    json_t *o = json_object();
    record_set_number(o, "slower", x->slower), record_set_number(o, "step_s", x->step_s),
        record_set_number(o, "loss", x->loss);
    record_set_integer(o, "pipeline_rank", x->rank);
    return o;
}

json_t *projection_peak_name(const struct projection *p) {
    return json_sprintf("nominal %s peak, %s", machine_dtype_name(p->dtype), p->machine->accelerator.title);
}

static json_t *result_json(const struct projection_outcome *r) {
    const struct projection *p = &r->projection;
    const struct projection_rates x = projection_rates(p);
    json_t *o = json_object();
    record_set_number(o, "step_s", p->step.total), record_set_number(o, "step_s_low", p->low_s);
    record_set_number(o, "step_s_high", p->high_s);
    record_set(o, "label", json_string(cost_label_name(p->label)));
    record_set(o, "why", p->why ? json_string(p->why) : json_null());
    record_set(o, "weakest_fact", weakest_json(p));

    record_set_number(o, "tokens_per_s", x.tokens_per_s);
    record_set_number(o, "tflop_per_s_per_accelerator", x.flop_per_s / 1e12);
    record_set_number(o, "tflop_per_s_per_accelerator_square", x.flop_per_s_square / 1e12);
    record_set_number(o, "mfu", x.mfu), record_set_number(o, "hfu", x.hfu);
    record_set(o, "mfu_of", projection_peak_name(p));
    record_set_number(o, "bubble", p->step.bubble / p->step.total);
    record_set(o, "breakdown", breakdown_json(&p->step));
    record_set_number(o, "pipeline_simulated_s", r->simulated_s);
    record_set_number(o, "pipeline_s", p->step.work + p->step.imbalance + p->step.bubble + p->step.p2p);
    if (r->straggler.step_s > 0) record_set(o, "slow_node", straggler_json(&r->straggler));
    record_set_number(o, "memory_bytes", p->memory_needed), record_set(o, "memory", memory_json(&p->memory));
    record_set(o, "fits", json_boolean(p->fits));
    if (r->has_would_fit) record_set(o, "would_fit", would_fit_json(&r->would_fit));
    if (r->has_cost) add_cost(o, &r->assumptions, &r->cost);
    return o;
}

static json_t *search_json(const struct cost_search *s, int listed) {
    json_t *o = json_object(), *list = json_array();
    for (int i = 0; i < s->count && i < listed; i++) {
        json_t *x = layout_json(&s->best[i].layout);
        record_set_number(x, "step_s", s->best[i].step_s);
        record_set_number(x, "memory_bytes", cost_memory_needed(&s->best[i].memory));
        json_array_append_new(list, x);
    }
    record_set_integer(o, "legal", s->legal), record_set_integer(o, "faster_that_do_not_fit", s->faster);
    record_set(o, "best", list);
    return o;
}

static void verdict(const struct projection_outcome *r, char why[256]) {
    const struct projection *p = &r->projection;
    why[0] = 0;
    if (!p->fits)
        snprintf(why, 256, "memory: a rank needs %.1f GB, more than its %.1f GB", p->memory_needed / 1e9,
                 p->job.platform.memory_bytes / 1e9);
    else if (r->verdict)
        snprintf(why, 256, "%s", r->verdict);
}

static void add_fact(void *context, const char *key, const struct machine_fact *f, const char *word) {
    json_t *o = json_object();
    record_set(o, "fact", json_string(key));
    if (word || isinf(f->value))
        record_set(o, "value", json_string(word ? word : "no limit"));
    else
        record_set_number(o, "value", f->value);
    if (!word && f->low < f->high) record_set_number(o, "low", f->low), record_set_number(o, "high", f->high);
    record_set(o, "status", json_string(machine_status_name(f->status)));
    if (f->source) record_set(o, "source", json_string(f->source));
    if (f->how) record_set(o, "how", json_string(f->how));
    json_array_append_new(context, o);
}

json_t *projection_record(const struct projection_outcome *r, const struct projection_question *q,
                          const struct fit_result *fitted, int listed, bool explain) {
    const struct projection *p = &r->projection;
    char why[256];
    verdict(r, why);
    json_t *record = record_head("project", *why ? RECORD_FAILED : RECORD_PASSED, why);
    json_t *layout = layout_json(&p->job.layout);
    record_set_number(layout, "accelerators", p->accelerators);
    record_set_number(layout, "ranks", p->job.accelerators);
    record_set_number(layout, "micro_batches", p->step.micro_batches);
    record_set(record, "machine", machine_json(p));
    record_set(record, "config", config_json(q, r));
    record_set(record, "layout", layout);
    record_set(record, "parameters", json_string(fitted->date));
    record_set(record, "result", result_json(r));
    if (listed > 0) record_set(record, "search", search_json(&r->search, listed));
    if (!explain) return record;
    json_t *facts = json_array();
    machine_each(&r->machine, add_fact, facts);
    record_set(record, "explain", projection_explain(r, fitted));
    record_set(record, "facts", facts);
    return record;
}

void projection_record_against(json_t *record, const struct projection_outcome *first,
                               const struct projection_outcome *r) {
    const struct projection *a = &first->projection, *b = &r->projection;
    const bool whole = first->has_cost && r->has_cost;
    const double time_a = whole ? first->cost.wall_s : a->step.total / (double)a->job.batch.global_batch;
    const double time_b = whole ? r->cost.wall_s : b->step.total / (double)b->job.batch.global_batch;
    const double faster = hypot(log(a->high_s / a->step.total), log(b->step.total / b->low_s));
    const double slower = hypot(log(a->step.total / a->low_s), log(b->high_s / b->step.total));
    json_t *o = json_object();
    record_set(o, "machine", json_string(first->machine.name));
    record_set(o, "of", json_string(whole ? "training" : "token"));
    record_set_number(o, "ratio", time_a / time_b);
    record_set_number(o, "low", time_a / time_b * exp(-slower)),
        record_set_number(o, "high", time_a / time_b * exp(faster));
    record_set(record, "against", o);
}
