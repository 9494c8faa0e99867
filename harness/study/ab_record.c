/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "ab". */
#include "records/set.h"
#include "study/ab.h"

static json_t *config_of(const struct study_ab *ab) {
    const struct study_ab_rule *rule = &ab->rule;
    json_t *o = json_object(), *looks = json_array();
    int look[STUDY_AB_LOOKS];
    const int count = study_ab_looks(rule, look);
    for (int i = 0; i < count; i++) json_array_append_new(looks, json_integer(look[i]));
    record_set(o, "a", json_string(ab->command[0]));
    record_set(o, "b", json_string(ab->command[1]));
    record_set(o, "metric", json_string(study_ab_metric_text(ab)));
    record_set(o, "better", json_string(ab->lower ? "lower" : "higher"));
    record_set_number(o, "delta", rule->delta);
    record_set_number(o, "alpha", rule->alpha);
    record_set(o, "looks", looks);
    record_set_integer(o, "warmup", ab->warmup);
    record_set_integer(o, "seed", (int64_t)ab->seed);
    return o;
}

static json_t *samples_of(const struct study_ab *ab) {
    json_t *o = json_object(), *order = json_array();
    for (int s = 0; s < 2; s++) {
        json_t *side = measure_samples_json(&ab->samples[s]);
        json_object_del(side, "phase_s");
        record_set(side, "wall_s", json_incref(json_object_get(side, "step_s")));
        json_object_del(side, "step_s");
        record_set(side, "value", record_numbers(ab->value[s], ab->blocks));
        record_set(o, s ? "b" : "a", side);
    }
    for (int b = 0; b < ab->blocks; b++) json_array_append_new(order, json_string(ab->b_first[b] ? "BA" : "AB"));
    record_set(o, "order", order);
    return o;
}

static json_t *result_of(const struct study_ab *ab) {
    const struct study_ab_view *v = &ab->view;
    const int counted = ab->blocks - ab->warmup;
    json_t *o = json_object();
    record_set_number(o, "ratio", v->ratio);
    record_set_number(o, "low", v->low);
    record_set_number(o, "high", v->high);
    record_set_number(o, "confidence", v->confidence);
    record_set_number(o, "delta", ab->rule.delta);
    record_set(o, "verdict", json_string(study_verdict_name(v->verdict)));
    record_set_integer(o, "blocks", counted > 0 ? counted : 0);
    record_set_number(o, "sd", v->sd);
    if (v->needed > 0) record_set_integer(o, "blocks_needed", v->needed);
    return o;
}

json_t *study_ab_record(const struct study_ab *ab, const struct record_launch *launch, const char *why,
                        json_t *machine) {
    const bool decided = ab->view.verdict != STUDY_INCONCLUSIVE;
    json_t *o = record_head("ab", decided ? RECORD_PASSED : RECORD_INCONCLUSIVE, why);
    record_set(o, "launch", record_launch_json(launch));
    record_set(o, "machine", machine);
    record_set(o, "workload", json_null());
    record_set(o, "config", config_of(ab));
    record_set(o, "samples", samples_of(ab));
    record_set(o, "result", result_of(ab));
    return o;
}
