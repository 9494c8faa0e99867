/* SPDX-License-Identifier: Apache-2.0
 *
 * The common parts of records. results/README.md has the keys. */
#include "measure/record.h"

#include <stdio.h>

json_t *measure_record_head(const char *kind, enum record_status status, const char *why,
                            const struct measure_origin *x) {
    json_t *o = record_head(kind, status, why);
    record_set(o, "launch", record_launch_json(x->launch));
    record_set(o, "machine", json_incref(x->machine));
    record_set(o, "workload", json_null());
    record_set(o, "layout",
               json_pack("{s:i, s:i, s:i, s:s}", "world", x->ranks, "nodes", x->launch->nodes, "threads", x->threads,
                         "threads_from", x->threads_from));
    return o;
}

json_t *measure_record_samples(const struct measure_timed *t, const char *key) {
    json_t *o = measure_samples_json(&t->samples), *call = json_array();
    for (int i = 0; i < t->samples.count; i++)
        json_array_append_new(call, record_number(t->samples.seconds[i] / t->calls));
    json_object_del(o, "step_s");
    json_object_del(o, "phase_s");
    record_set(o, key, call);
    record_set_integer(o, "calls", t->calls);
    return o;
}

void measure_record_call(json_t *o, const struct measure_timed *t, const char *key) {
    record_set_interval(o, key, t->call.median, t->call.low, t->call.high);
    record_set_number(o, "confidence", t->call.confidence);
}
