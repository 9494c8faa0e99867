/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "comm". */
#include "run/comm_record.h"

#include "run/record_set.h"

double run_comm_algbw(double bytes, double seconds) {
    return bytes / seconds;
}

double run_comm_busbw(double bytes, double seconds, int ranks) {
    return run_comm_algbw(bytes, seconds) * 2 * (ranks - 1) / ranks;
}

static json_t *head_of(enum run_status status, const char *why, const struct run_comm_origin *origin) {
    const struct comm *w = origin->world;
    json_t *o = run_record_head("comm", status, why);
    set(o, "launch", json_pack("{s:s, s:i}", "id", origin->launch, "nodes", w->nodes));
    set(o, "machine", json_incref(origin->machine));
    set(o, "workload", json_null());
    set(o, "layout",
        json_pack("{s:i, s:i, s:i, s:s}", "world", w->size, "nodes", w->nodes, "threads", origin->threads,
                  "threads_from", origin->threads_from));
    return o;
}

/* Everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct run_comm_size *s, int ranks) {
    const double bytes = (double)s->bytes;
    set_number(o, "time_s", s->call.median);
    set_number(o, "time_s_low", s->call.low);
    set_number(o, "time_s_high", s->call.high);
    set_number(o, "confidence", s->call.confidence);
    set_number(o, "algbw_byte_per_s", run_comm_algbw(bytes, s->call.median));
    set_number(o, "busbw_byte_per_s", run_comm_busbw(bytes, s->call.median, ranks));
    if (!s->pairs) return;
    set_number(o, "cost_s", s->cost.median);
    set_number(o, "cost_s_low", s->cost.low);
    set_number(o, "cost_s_high", s->cost.high);
    set_number(o, "hidden", s->hidden);
    set_number(o, "hidden_low", s->hidden_low);
    set_number(o, "hidden_high", s->hidden_high);
}

static json_t *samples_of(const struct run_comm_size *s) {
    json_t *o = measure_samples_json(&s->samples), *call = json_array();
    for (int i = 0; i < s->samples.count; i++) json_array_append_new(call, number(s->samples.seconds[i] / s->calls));
    json_object_del(o, "step_s");
    json_object_del(o, "phase_s");
    set(o, "time_s", call);
    set_integer(o, "calls", s->calls);
    if (!s->pairs) return o;
    set(o, "compute_s", numbers(s->compute_s, s->pairs));
    set(o, "beside_s", numbers(s->beside_s, s->pairs));
    return o;
}

json_t *run_comm_record(const struct run_comm_size *s, const struct run_comm_origin *origin) {
    json_t *o = head_of(s->status, s->why, origin), *result = json_object();
    const bool failed = s->status == RUN_FAILED;
    set(o, "samples", failed ? json_object() : samples_of(s));
    set(result, "op", json_string("all_reduce"));
    set(result, "dtype", json_string("f32"));
    set_integer(result, "bytes", s->bytes);
    if (!failed) set_rates(result, s, origin->world->size);
    set_number(result, "wrong", s->wrong);
    set(o, "result", result);
    return o;
}

json_t *run_comm_share_record(const struct run_comm_share *s, const struct run_comm_origin *origin) {
    json_t *o = head_of(s->status, s->why, origin), *result = json_object(), *samples = json_object();
    set(samples, "matmul_alone_flop_per_s", numbers(s->matmul_alone, s->rounds));
    set(samples, "matmul_together_flop_per_s", numbers(s->matmul_together, s->rounds));
    set(samples, "pass_alone_byte_per_s", numbers(s->pass_alone, s->rounds));
    set(samples, "pass_together_byte_per_s", numbers(s->pass_together, s->rounds));
    set(o, "samples", samples);
    set(result, "op", json_string("share"));
    set_number(result, "matmul", s->matmul);
    set_number(result, "pass", s->pass);
    set(o, "result", result);
    return o;
}
