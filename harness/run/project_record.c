/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "project". */
#include <math.h>
#include <stdlib.h>

#include "model/params.h"
#include "run/project.h"
#include "run/record_set.h"

static json_t *layout_json(const struct plan_layout *l, int64_t micro_batch) {
    json_t *o = json_object();
    set_integer(o, "tp", l->tp), set_integer(o, "pp", l->pp), set_integer(o, "vp", l->vp), set_integer(o, "cp", l->cp);
    set_integer(o, "dp", l->dp), set_integer(o, "ep", plan_layout_expert_ranks(l)), set_integer(o, "zero", l->zero),
        set(o, "sp", json_boolean(l->sequence_parallel));
    set_integer(o, "micro_batch", micro_batch);
    set(o, "recompute", json_string(plan_recompute_name(l->recompute)));
    set(o, "schedule", json_string(plan_schedule_name(l->schedule)));
    return o;
}

static json_t *memory_json(const struct project_memory *m) {
    json_t *o = json_object();
    set_number(o, "weights", m->weights), set_number(o, "gradients", m->gradients);
    set_number(o, "optimizer", m->optimizer), set_number(o, "activations", m->activations);
    set_number(o, "logits", m->logits);
    return o;
}

static json_t *config_json(const struct project_question *q, const struct run_project *r) {
    const struct project_practice *x = &r->projection.job.practice;
    json_t *o = json_object();
    set(o, "model", json_string(q->config->name)), set_integer(o, "parameters", q->config->parameters);
    if (q->config->experts > 0) {
        set_integer(o, "active_parameters", model_params_active(q->config));
        set_integer(o, "experts", q->config->experts), set_integer(o, "experts_active", q->config->active);
    }
    set_notes(o, q->config);
    set(o, "precision", json_string(project_dtype_name(r->projection.dtype)));
    set_integer(o, "seq", q->seq), set_integer(o, "global_batch", q->global_batch);
    set(o, "framework", json_string(project_era_name(x->era)));
    set(o, "attention", json_string(x->flash ? "fused" : "unfused"));
    set(o, "blocking", json_boolean(x->blocking)), set(o, "slots", json_boolean(x->slots));
    set_number(o, "grad_bytes", x->grad_bytes);
    return o;
}

static json_t *machine_json(const struct project_projection *p) {
    const struct project_machine *m = p->machine;
    json_t *o = json_object();
    set(o, "name", json_string(m->name)), set(o, "title", json_string(m->title));
    set(o, "accelerator", json_string(m->accelerator.title));
    set_number(o, "accelerators", m->accelerators.value);
    set_number(o, "peak_flop_per_s", p->job.platform.peak_flop_per_s * p->job.accelerators / p->accelerators);
    set_number(o, "memory_bytes", p->job.platform.memory_bytes);
    if (m->remarks) set(o, "remarks", json_string(m->remarks));
    set(o, "announced", json_boolean(m->announced)), set(o, "hypothetical", json_boolean(m->hypothetical));
    return o;
}

static json_t *breakdown_json(const struct project_step *s) {
    json_t *o = json_object();
    set_number(o, "linear", s->linear), set_number(o, "attention", s->attention), set_number(o, "passes", s->passes);
    set_number(o, "launch", s->launch), set_number(o, "head", s->head);
    set_number(o, "tensor_parallel", s->tensor_parallel), set_number(o, "zero3", s->zero3);
    set_number(o, "imbalance", s->imbalance), set_number(o, "bubble", s->bubble), set_number(o, "p2p", s->p2p);
    set_number(o, "data_parallel", s->data_parallel), set_number(o, "embedding", s->embedding);
    set_number(o, "optimizer", s->optimizer), set_number(o, "iteration", s->iteration);
    if (s->experts > 0) {
        set_number(o, "experts", s->experts), set_number(o, "router", s->router);
        set_number(o, "all_to_all", s->all_to_all);
    }
    const double named = s->linear + s->attention + s->passes + s->launch + s->head + s->tensor_parallel + s->zero3 +
                         s->experts + s->router + s->all_to_all;
    set_number(o, "other", s->work - named); /* the look-up of tokens, context parallelism */
    return o;
}

static void add_bill(json_t *o, const struct project_terms *t, const struct project_bill *b) {
    json_t *parts = json_object(), *terms = json_object();
    set_number(o, "tokens", t->tokens), set_number(o, "steps", b->steps);
    set_number(o, "days", b->wall_s / 86400);
    set_number(o, "days_low", b->low_wall_s / 86400), set_number(o, "days_high", b->high_wall_s / 86400);
    set_number(o, "goodput", b->goodput), set_number(o, "accelerator_hours", b->accelerator_hours);
    set_number(o, "mwh", b->accelerator_mwh), set_number(o, "mwh_node", b->node_mwh);
    set_number(o, "mwh_facility", b->facility_mwh);
    set_number(o, "cost_eur", b->electricity_eur), set_number(o, "cost_eur_accelerators", b->accelerators_eur);
    set_number(parts, "steps", b->steps_s), set_number(parts, "ramp", b->ramp_s);
    set_number(parts, "straggling", b->straggling_s), set_number(parts, "checkpoints", b->checkpoint_s);
    set_number(parts, "lost", b->lost_s), set_number(parts, "restarts", b->restart_s);
    set_number(parts, "queue", b->queue_s);
    set(o, "wall_s", parts);
    set_number(terms, "mtbf_hours", t->mtbf_hours), set_number(terms, "restart_s", t->restart_s);
    set_number(terms, "checkpoint_every_s", b->checkpoint_every_s);
    set_number(terms, "checkpoint_one_s", b->checkpoint_one_s);
    set_number(terms, "failures", b->failures), set_number(terms, "jobs", b->jobs);
    set_number(terms, "straggling", t->straggling), set_number(terms, "load", t->load);
    set_number(terms, "ramp_batch", t->ramp_batch), set_number(terms, "ramp_tokens", t->ramp_tokens);
    set_number(terms, "eur_per_mwh", t->eur_per_mwh), set_number(terms, "eur_per_hour", t->eur_per_hour);
    set(o, "terms", terms);
}

static json_t *would_fit_json(const struct project_projection *p) {
    json_t *o = layout_json(&p->job.layout, p->job.batch.micro_batch);
    set_number(o, "accelerators", p->accelerators);
    set_number(o, "step_s", p->step.total), set_number(o, "memory_bytes", p->memory_needed);
    return o;
}

static json_t *weakest_json(const struct project_projection *p) {
    enum project_status status;
    const char *key = project_platform_weakest(p->machine, p->dtype, &status);
    return json_pack("{s:s, s:s}", "fact", key, "status", project_status_name(status));
}

static json_t *straggler_json(const struct project_straggler *x) {
    json_t *o = json_object();
    set_number(o, "slower", x->slower), set_number(o, "step_s", x->step_s), set_number(o, "loss", x->loss);
    set_integer(o, "pipeline_rank", x->rank);
    return o;
}

static json_t *result_json(const struct run_project *r) {
    const struct project_projection *p = &r->projection;
    const struct project_rates_shown x = project_projection_rates(p);
    json_t *o = json_object();
    set_number(o, "step_s", p->step.total), set_number(o, "step_s_low", p->low_s);
    set_number(o, "step_s_high", p->high_s);
    set(o, "label", json_string(project_label_name(p->label)));
    set(o, "why", p->why ? json_string(p->why) : json_null());
    set(o, "weakest_fact", weakest_json(p));

    set_number(o, "tokens_per_s", x.tokens_per_s);
    set_number(o, "tflop_per_s_per_accelerator", x.flop_per_s / 1e12);
    set_number(o, "tflop_per_s_per_accelerator_square", x.flop_per_s_square / 1e12);
    set_number(o, "mfu", x.mfu), set_number(o, "hfu", x.hfu);
    set_number(o, "bubble", p->step.bubble / p->step.total);
    set(o, "breakdown", breakdown_json(&p->step));
    set_number(o, "pipeline_simulated_s", r->simulated_s);
    set_number(o, "pipeline_s", p->step.work + p->step.imbalance + p->step.bubble + p->step.p2p);
    if (r->straggler.step_s > 0) set(o, "slow_node", straggler_json(&r->straggler));
    set_number(o, "memory_bytes", p->memory_needed), set(o, "memory", memory_json(&p->memory));
    set(o, "fits", json_boolean(p->fits));
    if (r->some) set(o, "would_fit", would_fit_json(&r->would_fit));
    if (r->billed) add_bill(o, &r->terms, &r->bill);
    return o;
}

static json_t *search_json(const struct project_search *s, int listed) {
    json_t *o = json_object(), *list = json_array();
    for (int i = 0; i < s->count && i < listed; i++) {
        json_t *x = layout_json(&s->best[i].layout, s->best[i].micro_batch);
        set_number(x, "step_s", s->best[i].step_s);
        set_number(x, "memory_bytes", project_memory_needed(&s->best[i].memory));
        json_array_append_new(list, x);
    }
    set_integer(o, "legal", s->legal), set_integer(o, "faster_that_do_not_fit", s->faster);
    set(o, "best", list);
    return o;
}

static void verdict(const struct run_project *r, char why[256]) {
    const struct project_projection *p = &r->projection;
    why[0] = 0;
    if (!p->fits)
        snprintf(why, 256, "memory: %.1f GB of the %.1f GB that an accelerator has", p->memory_needed / 1e9,
                 p->job.platform.memory_bytes / 1e9);
    else if (r->verdict)
        snprintf(why, 256, "%s", r->verdict);
}

static void add_fact(void *context, const char *key, const struct project_fact *f, const char *word) {
    json_t *o = json_object();
    set(o, "fact", json_string(key));
    if (word || isinf(f->value))
        set(o, "value", json_string(word ? word : "no limit"));
    else
        set_number(o, "value", f->value);
    if (!word && f->low < f->high) set_number(o, "low", f->low), set_number(o, "high", f->high);
    set(o, "status", json_string(project_status_name(f->status)));
    if (f->source) set(o, "source", json_string(f->source));
    if (f->how) set(o, "how", json_string(f->how));
    json_array_append_new(context, o);
}

json_t *run_project_record(const struct run_project *r, const struct project_question *q,
                           const struct project_fitted *fitted, int listed, bool explain) {
    const struct project_projection *p = &r->projection;
    char why[256];
    verdict(r, why);
    json_t *record = run_record_head("project", *why ? RUN_FAILED : RUN_PASSED, why);
    json_t *layout = layout_json(&p->job.layout, p->job.batch.micro_batch);
    set_number(layout, "accelerators", p->accelerators);
    set_number(layout, "ranks", p->job.accelerators);
    set_number(layout, "micro_batches", p->step.micro_batches);
    set(record, "machine", machine_json(p));
    set(record, "config", config_json(q, r));
    set(record, "layout", layout);
    set(record, "parameters", json_string(fitted->date));
    set(record, "result", result_json(r));
    if (listed > 0) set(record, "search", search_json(&r->search, listed));
    if (!explain) return record;
    json_t *facts = json_array();
    project_machine_each(&r->machine, add_fact, facts);
    set(record, "explain", run_project_explain(r, fitted));
    set(record, "facts", facts);
    return record;
}

void run_project_against(json_t *record, const struct run_project *first, const struct run_project *r) {
    const struct project_projection *a = &first->projection, *b = &r->projection;
    const bool whole = first->billed && r->billed;
    const double time_a = whole ? first->bill.wall_s : a->step.total / (double)a->job.batch.global_batch;
    const double time_b = whole ? r->bill.wall_s : b->step.total / (double)b->job.batch.global_batch;
    const double faster = hypot(log(a->high_s / a->step.total), log(b->step.total / b->low_s));
    const double slower = hypot(log(a->step.total / a->low_s), log(b->high_s / b->step.total));
    json_t *o = json_object();
    set(o, "machine", json_string(first->machine.name));
    set(o, "of", json_string(whole ? "training" : "token"));
    set_number(o, "ratio", time_a / time_b);
    set_number(o, "low", time_a / time_b * exp(-slower)), set_number(o, "high", time_a / time_b * exp(faster));
    set(record, "against", o);
}
