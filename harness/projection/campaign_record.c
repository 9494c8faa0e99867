/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows of a campaign's record. Trainings a year assume jobs of one size, as many at once as the machine holds, without
 * a pause. */
#include "projection/campaign_record.h"

#include <string.h>

#include "projection/record.h"
#include "records/get.h"
#include "records/set.h"

static const double JOB = 256, YEAR_S = 365 * 86400.0;

struct row {
    const struct projection_campaign_system *system;
    const struct projection_campaign_training *training;
    struct machine machine;
    struct projection projection;
    struct projection_cost cost, low, high; /* for the middle, lowest and highest number of tokens */
};

static double job_size(const struct row *r, const struct projection_campaign_options *o) {
    const double node = r->machine.node.accelerators.value, all = r->machine.accelerators.low;
    const double asked = o->accelerators > 0                              ? o->accelerators
                         : machine_fact_known(&r->training->accelerators) ? r->training->accelerators.value
                                                                          : JOB;
    return asked <= all && fmod(asked, node) == 0 ? asked
                                                  : projection_round_accelerators(&r->machine, fmin(asked, all));
}

static int question(const struct row *r, const struct model_config *config, const struct projection_campaign_options *o,
                    struct projection_question *q, struct base_error *e) {
    const struct projection_campaign_training *t = r->training;
    const bool there = t->machine && !strcmp(t->machine, r->system->machine);
    projection_question_default(config, q);
    q->choice.schedule = PLAN_1F1B; /* usual frameworks have no zero-bubble */
    int code =
        machine_fact_known(&t->sequence) ? projection_question_sequence(q, (int64_t)t->sequence.value, e) : BASE_OK;
    if (code) return code;
    if (machine_fact_known(&t->global_batch)) q->global_batch = (int64_t)t->global_batch.value;
    q->accelerators = job_size(r, o);
    if (t->ramp_batch.value > (double)q->global_batch)
        return base_fail(e, BASE_USAGE, "ramp_batch %g is above the global batch of %lld; give a smaller one",
                         t->ramp_batch.value, (long long)q->global_batch);
    if (!there || q->accelerators != t->accelerators.value) return BASE_OK;
    q->choice = t->choice, q->framework = t->framework;
    q->blocking = t->blocking, q->slots = t->slots;
    if (t->framework == COST_MEGATRON) q->choice.sequence_parallel = 0;
    return BASE_OK;
}

static int read_machine(struct row *r, const struct projection_campaign_options *o, struct base_error *e) {
    const struct machine_fact *nodes = &r->system->nodes;
    char range[64];
    int code = machine_read(r->system->machine, &r->machine, e);
    if (!code && machine_fact_known(nodes)) {
        snprintf(range, sizeof range, nodes->low < nodes->high ? "%.0f..%.0f" : "%.0f", nodes->low, nodes->high);
        code = machine_set(&r->machine, "nodes", range, e);
    }
    if (!code && o->set && r->machine.hypothetical) code = machine_set_list(&r->machine, o->set, e);
    return code;
}

static int price(struct row *r, const struct model_config *config, const struct fit_result *fitted,
                 const struct projection_campaign_options *o, struct base_error *e) {
    const struct machine_fact *tokens = &r->training->tokens;
    struct projection_question q;
    struct cost_search search;
    const struct machine_fact *ramp = &r->training->ramp_tokens, *from = &r->training->ramp_batch;
    struct projection_assumptions assumptions = o->assumptions;
    if (machine_fact_known(ramp) && machine_fact_known(from))
        assumptions.ramp_batch = from->value, assumptions.ramp_tokens = ramp->value;
    int code = question(r, config, o, &q, e);
    if (code) return code;
    code = projection_make(&r->machine, &q, fitted, 1, &r->projection, &search, e);
    cost_search_free(&search);
    if (code) return code;
    const double each[] = {tokens->value, tokens->low, tokens->high};
    struct projection_cost *const costs[] = {&r->cost, &r->low, &r->high};
    for (int i = 0; i < 3 && !code; i++) {
        assumptions.tokens = each[i];
        code = projection_cost_fill(&r->projection, &fitted->parameters, &assumptions, costs[i], e);
    }
    return code;
}

static json_t *range(double middle, double low, double high) {
    json_t *o = json_object();
    if (!isfinite(middle)) return json_decref(o), json_null();
    record_set_number(o, "value", middle), record_set_number(o, "low", low), record_set_number(o, "high", high);
    return o;
}

/* MWh inside one boundary. Its range combines those of tokens and of a step. */
static json_t *energy(const struct row *r, double middle, double low, double high) {
    const struct projection *p = &r->projection;
    return range(middle, low * p->low_s / p->step.total, high * p->high_s / p->step.total);
}

static void add_energy(json_t *o, const struct row *r, const struct machine_fact *price) {
    const struct projection_cost *m = &r->cost, *l = &r->low, *h = &r->high;
    json_t *widest = NULL;
    const char *of = NULL;
    json_t *each[] = {energy(r, m->accelerator_mwh, l->accelerator_mwh, h->accelerator_mwh),
                      energy(r, m->node_mwh, l->node_mwh, h->node_mwh),
                      energy(r, m->facility_mwh, l->facility_mwh, h->facility_mwh)};
    static const char *const keys[] = {"mwh_accelerator", "mwh_node", "mwh_facility"}, *const names[] = {"accelerator",
                                                                                                         "node",
                                                                                                         "facility"};
    for (int i = 0; i < 3; i++) {
        record_set(o, keys[i], each[i]);
        if (!json_is_null(each[i])) widest = each[i], of = names[i];
    }
    const double mwh = record_real(widest, "value"), least = record_real(widest, "low");
    const double most = record_real(widest, "high");
    const bool known = widest && machine_fact_known(price);
    record_set(o, "eur", known ? range(mwh * price->value, least * price->low, most * price->high) : json_null());
    record_set(o, "eur_of", known ? json_string(of) : json_null());
}

static json_t *row_json(const struct row *r, const struct machine_fact *eur_per_mwh) {
    const struct projection *p = &r->projection;
    const struct machine_fact *all = &r->machine.accelerators, *count = &r->system->count;
    json_t *o = json_object();
    const double slow = r->high.high_wall_s, fast = r->low.low_wall_s, wall = r->cost.wall_s, job = p->accelerators;
    record_set(o, "machine", json_string(r->system->machine)), record_set(o, "model", json_string(r->training->model));
    record_set_number(o, "count", count->value), record_set_number(o, "accelerators", job);
    record_set(o, "label", json_string(cost_label_name(p->label)));
    record_set(o, "why", p->why ? json_string(p->why) : json_null());
    record_set(o, "fits", json_boolean(p->fits));
    record_set(o, "tokens", range(r->training->tokens.value, r->training->tokens.low, r->training->tokens.high));
    record_set_number(o, "step_s", p->step.total), record_set_number(o, "mfu", projection_rates(p).mfu);
    record_set(o, "mfu_of", projection_peak_name(p));
    record_set_number(o, "goodput", r->cost.goodput);
    if (!p->fits) return o;
    record_set(o, "days", range(wall / 86400, fast / 86400, slow / 86400));
    record_set(o, "accelerator_hours", range(job * wall / 3600, job * fast / 3600, job * slow / 3600));
    record_set_number(o, "published_accelerator_hours",
                      r->training->machine && !strcmp(r->training->machine, r->system->machine)
                          ? r->training->published_hours.value
                          : NAN);
    record_set(o, "trainings_a_year",
               range(count->value * floor(all->value / job) * YEAR_S / wall,
                     count->low * floor(all->low / job) * YEAR_S / slow,
                     count->high * floor(all->high / job) * YEAR_S / fast));
    add_energy(o, r, eur_per_mwh);
    return o;
}

static json_t *blank(const struct row *r, const char *why) {
    return json_pack("{s:s, s:s, s:b, s:s}", "machine", r->system->machine, "model", r->training->model, "blank", true,
                     "why", why);
}

static int add_row(const struct machine_fact *eur_per_mwh, struct row *r, const struct projection_campaign_model *model,
                   const struct fit_result *fitted, const struct projection_campaign_options *o, json_t *rows,
                   struct base_error *e) {
    struct base_error why = {0};
    int code = read_machine(r, o, e);
    if (code) return machine_close(&r->machine), code;
    if (model->why[0])
        json_array_append_new(rows, blank(r, model->why));
    else if (price(r, &model->config, fitted, o, &why))
        json_array_append_new(rows, blank(r, why.text));
    else {
        json_t *row = row_json(r, eur_per_mwh);
        model_config_notes(row, &model->config);
        json_array_append_new(rows, row);
    }
    machine_close(&r->machine);
    return BASE_OK;
}

int projection_campaign_record(const struct projection_campaign *c, const struct projection_campaign_model *models,
                               const struct fit_result *fitted, const struct projection_campaign_options *o,
                               json_t **record, struct base_error *e) {
    json_t *rows = json_array(), *result = json_object();
    struct machine_fact price_of = c->eur_per_mwh;
    int code = BASE_OK;
    if (isfinite(o->eur_per_mwh))
        price_of = machine_fact_make(o->eur_per_mwh, o->eur_per_mwh, MACHINE_ASSUMED, "given");
    for (int i = 0; i < c->systems && !code; i++)
        for (int j = 0; j < c->trainings && !code; j++) {
            struct row r = {.system = &c->system[i], .training = &c->training[j]};
            code = add_row(&price_of, &r, &models[j], fitted, o, rows, e);
        }
    record_set(result, "rows", rows);
    record_set(result, "budgets", json_deep_copy(json_object_get(c->json, "budgets")));
    record_set(result, "sources", json_deep_copy(json_object_get(c->json, "sources")));
    record_set(result, "eur_per_mwh", range(price_of.value, price_of.low, price_of.high));
    *record = record_head("campaign", RECORD_PASSED, "");
    record_set(*record, "config",
               json_pack("{s:s, s:s, s:s}", "campaign", c->name, "title", c->title, "file", c->path));
    record_set(*record, "result", result);
    return code;
}
