/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "comm". */
#include "collectives/record.h"

#include <stdio.h>

double collectives_algbw(double bytes, double seconds) {
    return bytes / seconds;
}

double collectives_busbw(const struct collectives_op *op, double bytes, double seconds, int ranks) {
    return collectives_algbw(bytes, seconds) * op->bus(ranks);
}

static void set_overlap(json_t *o, const struct collectives_size *s) {
    record_set_number(o, "cost_s", s->cost.median);
    record_set_number(o, "cost_s_low", s->cost.low);
    record_set_number(o, "cost_s_high", s->cost.high);
    record_set_number(o, "hidden", s->hidden);
    record_set_number(o, "hidden_low", s->hidden_low);
    record_set_number(o, "hidden_high", s->hidden_high);
}

/* Writes everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct collectives_size *s) {
    const double bytes = (double)s->bytes;
    measure_record_call(o, &s->timed, "time_s");
    record_set_number(o, "algbw_byte_per_s", collectives_algbw(bytes, s->timed.call.median));
    record_set_number(o, "busbw_byte_per_s", collectives_busbw(s->op, bytes, s->timed.call.median, s->ranks));
    record_set_number(o, "min_s", s->min_s);
    record_set_number(o, "max_s", s->max_s);
    record_set_number(o, "p99_s", s->p99_s);
    record_set_number(o, "cv", s->cv);
    if (s->pairs) set_overlap(o, s);
}

static json_t *samples_of(const struct collectives_size *s) {
    json_t *o = measure_record_samples(&s->timed, "time_s");
    if (s->timed.calls > 1) record_set(o, "iteration_s", record_numbers(s->iteration_s, s->iterations));
    if (!s->pairs) return o;
    record_set(o, "compute_s", record_numbers(s->compute_s, s->pairs));
    record_set(o, "beside_s", record_numbers(s->beside_s, s->pairs));
    return o;
}

/* The operation, and the ranks that made it. */
static void set_group(json_t *o, const struct collectives_size *s) {
    record_set(o, "place", json_string(s->op->in_place ? "in" : "out"));
    record_set(o, "group", json_string(collectives_group_name(s->scope)));
    record_set_integer(o, "group_ranks", s->ranks);
    record_set_integer(o, "group_nodes", s->nodes);
    record_set_integer(o, "groups", s->groups);
}

json_t *collectives_record(const struct collectives_size *s, const struct measure_origin *origin) {
    json_t *o = measure_record_head("comm", s->status, s->why, origin), *result = json_object();
    const bool failed = s->status == RECORD_FAILED;
    const int64_t count = s->bytes / (int64_t)sizeof(float);
    record_set(o, "samples", failed ? json_object() : samples_of(s));
    record_set(result, "op", json_string(s->op->name));
    record_set(result, "dtype", json_string("f32"));
    record_set(result, "redop", json_string(s->op->redop));
    record_set_integer(result, "root", s->op->root);
    set_group(result, s);
    record_set_integer(result, "bytes", s->bytes);
    record_set_integer(result, "count", s->op->blocks ? count / s->ranks : count);
    if (!failed) set_rates(result, s);
    record_set_number(result, "wrong", s->wrong);
    record_set(o, "result", result);
    return o;
}

static void set_line(json_t *o, const char *key, const struct collectives_line *line) {
    record_set_interval(o, key, line->value, line->low, line->high);
}

json_t *collectives_fit_record(const struct collectives_size *of, const struct collectives_point *points, int n,
                               const struct collectives_fit *fit, const struct measure_origin *origin) {
    char why[96] = "";
    if (!fit->ranges)
        snprintf(why, sizeof why, "%d sizes have a time that PASSED, and a line needs %d", n, COLLECTIVES_RANGE_LEAST);
    json_t *o = measure_record_head("comm", why[0] ? RECORD_INCONCLUSIVE : RECORD_PASSED, why, origin);
    json_t *result = json_object(), *ranges = json_array();
    json_t *samples = json_object(), *bytes = json_array(), *seconds = json_array();
    for (int i = 0; i < n; i++) {
        json_array_append_new(bytes, record_number(points[i].bytes));
        json_array_append_new(seconds, record_number(points[i].seconds));
    }
    record_set(samples, "bytes", bytes);
    record_set(samples, "time_s", seconds);
    record_set(o, "samples", samples);
    for (int k = 0; k < fit->ranges; k++) {
        json_t *range = json_object();
        record_set_number(range, "from_bytes", fit->range[k].from);
        record_set_number(range, "to_bytes", fit->range[k].to);
        set_line(range, "alpha_s", &fit->range[k].alpha);
        set_line(range, "byte_per_s", &fit->range[k].bandwidth);
        json_array_append_new(ranges, range);
    }
    record_set(result, "op", json_string("fit"));
    record_set(result, "of", json_string(of->op->name));
    set_group(result, of);
    record_set(result, "ranges", ranges);
    record_set_number(result, "misfit", fit->ranges ? fit->misfit : NAN);
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
