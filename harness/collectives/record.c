/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "comm". */
#include "collectives/record.h"

double collectives_algbw(double bytes, double seconds) {
    return bytes / seconds;
}

double collectives_busbw(double bytes, double seconds, int ranks) {
    return collectives_algbw(bytes, seconds) * 2 * (ranks - 1) / ranks;
}

/* Writes everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct collectives_size *s, int ranks) {
    const double bytes = (double)s->bytes;
    measure_record_call(o, &s->timed, "time_s");
    record_set_number(o, "algbw_byte_per_s", collectives_algbw(bytes, s->timed.call.median));
    record_set_number(o, "busbw_byte_per_s", collectives_busbw(bytes, s->timed.call.median, ranks));
    if (!s->pairs) return;
    record_set_number(o, "cost_s", s->cost.median);
    record_set_number(o, "cost_s_low", s->cost.low);
    record_set_number(o, "cost_s_high", s->cost.high);
    record_set_number(o, "hidden", s->hidden);
    record_set_number(o, "hidden_low", s->hidden_low);
    record_set_number(o, "hidden_high", s->hidden_high);
}

static json_t *samples_of(const struct collectives_size *s) {
    json_t *o = measure_record_samples(&s->timed, "time_s");
    if (!s->pairs) return o;
    record_set(o, "compute_s", record_numbers(s->compute_s, s->pairs));
    record_set(o, "beside_s", record_numbers(s->beside_s, s->pairs));
    return o;
}

json_t *collectives_record(const struct collectives_size *s, const struct measure_origin *origin) {
    json_t *o = measure_record_head("comm", s->status, s->why, origin), *result = json_object();
    const bool failed = s->status == RECORD_FAILED;
    record_set(o, "samples", failed ? json_object() : samples_of(s));
    record_set(result, "op", json_string("all_reduce"));
    record_set(result, "dtype", json_string("f32"));
    record_set_integer(result, "bytes", s->bytes);
    if (!failed) set_rates(result, s, origin->ranks);
    record_set_number(result, "wrong", s->wrong);
    record_set(o, "result", result);
    return o;
}

json_t *collectives_share_record(const struct collectives_share *s, const struct measure_origin *origin) {
    json_t *o = measure_record_head("comm", s->status, s->why, origin), *result = json_object(),
           *samples = json_object();
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
