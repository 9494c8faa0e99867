/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "comm". */
#include "bench/comm_record.h"

#include "records/set.h"

double bench_comm_algbw(double bytes, double seconds) {
    return bytes / seconds;
}

double bench_comm_busbw(double bytes, double seconds, int ranks) {
    return bench_comm_algbw(bytes, seconds) * 2 * (ranks - 1) / ranks;
}

static json_t *head_of(enum record_status status, const char *why, const struct bench_comm_origin *origin) {
    const struct comm *w = origin->world;
    json_t *o = record_head("comm", status, why);
    record_set(o, "launch", json_pack("{s:s, s:i}", "id", origin->launch, "nodes", w->nodes));
    record_set(o, "machine", json_incref(origin->machine));
    record_set(o, "workload", json_null());
    record_set(o, "layout",
               json_pack("{s:i, s:i, s:i, s:s}", "world", w->size, "nodes", w->nodes, "threads", origin->threads,
                         "threads_from", origin->threads_from));
    return o;
}

/* Everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct bench_comm_size *s, int ranks) {
    const double bytes = (double)s->bytes;
    record_set_number(o, "time_s", s->timed.call.median);
    record_set_number(o, "time_s_low", s->timed.call.low);
    record_set_number(o, "time_s_high", s->timed.call.high);
    record_set_number(o, "confidence", s->timed.call.confidence);
    record_set_number(o, "algbw_byte_per_s", bench_comm_algbw(bytes, s->timed.call.median));
    record_set_number(o, "busbw_byte_per_s", bench_comm_busbw(bytes, s->timed.call.median, ranks));
    if (!s->pairs) return;
    record_set_number(o, "cost_s", s->cost.median);
    record_set_number(o, "cost_s_low", s->cost.low);
    record_set_number(o, "cost_s_high", s->cost.high);
    record_set_number(o, "hidden", s->hidden);
    record_set_number(o, "hidden_low", s->hidden_low);
    record_set_number(o, "hidden_high", s->hidden_high);
}

static json_t *samples_of(const struct bench_comm_size *s) {
    json_t *o = measure_samples_json(&s->timed.samples), *call = json_array();
    for (int i = 0; i < s->timed.samples.count; i++)
        json_array_append_new(call, record_number(s->timed.samples.seconds[i] / s->timed.calls));
    json_object_del(o, "step_s");
    json_object_del(o, "phase_s");
    record_set(o, "time_s", call);
    record_set_integer(o, "calls", s->timed.calls);
    if (!s->pairs) return o;
    record_set(o, "compute_s", record_numbers(s->compute_s, s->pairs));
    record_set(o, "beside_s", record_numbers(s->beside_s, s->pairs));
    return o;
}

json_t *bench_comm_record(const struct bench_comm_size *s, const struct bench_comm_origin *origin) {
    json_t *o = head_of(s->status, s->why, origin), *result = json_object();
    const bool failed = s->status == RECORD_FAILED;
    record_set(o, "samples", failed ? json_object() : samples_of(s));
    record_set(result, "op", json_string("all_reduce"));
    record_set(result, "dtype", json_string("f32"));
    record_set_integer(result, "bytes", s->bytes);
    if (!failed) set_rates(result, s, origin->world->size);
    record_set_number(result, "wrong", s->wrong);
    record_set(o, "result", result);
    return o;
}

json_t *bench_comm_share_record(const struct bench_comm_share *s, const struct bench_comm_origin *origin) {
    json_t *o = head_of(s->status, s->why, origin), *result = json_object(), *samples = json_object();
    record_set(samples, "matmul_alone_flop_per_s", record_numbers(s->matmul_alone, s->rounds));
    record_set(samples, "matmul_together_flop_per_s", record_numbers(s->matmul_together, s->rounds));
    record_set(samples, "pass_alone_byte_per_s", record_numbers(s->pass_alone, s->rounds));
    record_set(samples, "pass_together_byte_per_s", record_numbers(s->pass_together, s->rounds));
    record_set(o, "samples", samples);
    record_set(result, "op", json_string("share"));
    record_set_number(result, "matmul", s->matmul);
    record_set_number(result, "pass", s->pass);
    record_set(o, "result", result);
    return o;
}
