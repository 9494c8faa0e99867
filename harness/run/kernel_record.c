/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "kernel". */
#include "run/kernel_record.h"

#include <math.h>

#include "run/record_set.h"

json_t *run_kernel_case_json(const struct run_kernel_case *c) {
    const struct run_kernel_shape *s = &c->shape;
    json_t *o = json_object();
    char shape[64];
    run_kernel_shape_text(c, shape, sizeof shape);
    set(o, "op", json_string(c->op->name));
    if (c->name[0]) set(o, "name", json_string(c->name));
    set(o, "shape", json_string(shape));
    switch (c->op->kind) {
    case RUN_SHAPE_MATMUL:
        set_integer(o, "m", s->m), set_integer(o, "n", s->n), set_integer(o, "k", s->k);
        set(o, "trans", json_sprintf("%c%c", s->a_trans ? 'T' : 'N', s->b_trans ? 'T' : 'N'));
        set(o, "c_dtype", json_string(s->c_f32 || c->dtype == KERNEL_F32 ? "f32" : "bf16"));
        set(o, "accumulate", json_boolean(s->accumulate));
        break;
    case RUN_SHAPE_ATTENTION:
        set_integer(o, "b", s->batch), set_integer(o, "h", s->heads), set_integer(o, "kv_heads", s->kv_heads);
        set_integer(o, "s", s->seq), set_integer(o, "d", s->head_dim);
        if (s->window) set_integer(o, "window", s->window);
        set(o, "alibi", json_boolean(s->alibi));
        break;
    case RUN_SHAPE_ROWS:
        set_integer(o, "rows", s->rows), set_integer(o, "cols", s->cols);
        break;
    case RUN_SHAPE_VECTOR:
        set_integer(o, "n", s->n);
    }
    set(o, "dtype", json_string(c->dtype == KERNEL_F32 ? "f32" : "bf16"));
    const double flop = run_kernel_flop(c);
    if (flop > 0) set_number(o, "flop", flop);
    set_number(o, "bytes", run_kernel_bytes(c));
    if (c->per_step > 0) set_number(o, "calls_per_step", c->per_step);
    return o;
}

/* Everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct run_kernel_set *k, const struct run_kernel_result *r) {
    set_number(o, "call_s", r->call.median);
    set_number(o, "call_s_low", r->call.low);
    set_number(o, "call_s_high", r->call.high);
    set_number(o, "confidence", r->call.confidence);
    if (k->flop > 0) {
        set_number(o, "flop_per_s", k->flop / r->call.median);
        set_number(o, "intensity", k->flop / k->bytes);
        set_number(o, "peak_flop_per_s", k->peak);
        set_number(o, "attainable_flop_per_s", fmin(k->peak, k->flop / k->bytes * k->bandwidth));
    }
    set_number(o, "byte_per_s", k->bytes / r->call.median);
    set_number(o, "bandwidth_byte_per_s", k->bandwidth);
    set_number(o, "fraction_of_roof", r->fraction > 1 ? NAN : r->fraction); /* above 1: a burst, inconclusive */
    set(o, "bound", json_string(k->bound == RUN_BOUND_COMPUTE ? "compute" : "memory"));
    if (isfinite(r->ratio_to_openblas)) set_number(o, "ratio_to_openblas", r->ratio_to_openblas);
}

/* Every sample as the time of one call, in the order taken. */
static json_t *samples_of(const struct run_kernel_set *k, const struct run_kernel_result *r) {
    json_t *o = measure_samples_json(&r->samples), *call = json_array();
    for (int i = 0; i < r->samples.count; i++) json_array_append_new(call, number(r->samples.seconds[i] / r->calls));
    json_object_del(o, "step_s");
    json_object_del(o, "phase_s");
    set(o, "call_s", call);
    set_integer(o, "calls", r->calls);
    if (k->peak_count) set(o, "peak_flop_per_s", numbers(k->peaks, k->peak_count));
    set(o, "bandwidth_byte_per_s", numbers(k->bandwidths, k->bandwidth_count));
    return o;
}

static json_t *head_of(const char *kind, enum run_status status, const char *why,
                       const struct run_kernel_origin *origin, int threads) {
    json_t *o = run_record_head(kind, status, why), *config = json_object();
    set(o, "launch", json_pack("{s:s, s:i}", "id", origin->launch, "nodes", 1));
    set(o, "machine", json_incref(origin->machine));
    set(o, "workload", json_null());
    if (origin->model) {
        set(config, "model", json_string(origin->model));
        set_integer(config, "seq", origin->seq);
        set_integer(config, "micro_batch", origin->micro_batch);
    }
    if (origin->shapes) set(config, "shapes", json_string(origin->shapes));
    set(o, "config", config);
    set(o, "layout",
        json_pack("{s:i, s:i, s:i, s:s}", "world", 1, "nodes", 1, "threads", threads, "threads_from",
                  origin->threads_from));
    return o;
}

json_t *run_kernel_record(const struct run_kernel_set *k, int variant, const struct run_kernel_origin *origin,
                          int threads) {
    const struct run_kernel_result *r = &k->results[variant];
    json_t *o = head_of("kernel", r->status, r->why, origin, threads), *result = run_kernel_case_json(k->c);
    set(o, "samples", r->status == RUN_FAILED ? json_object() : samples_of(k, r));
    set(result, "variant", json_string(r->variant));
    set_integer(result, "threads", threads);
    if (r->status != RUN_FAILED) set_rates(result, k, r);
    set(result, "residual", isfinite(r->residual) ? json_real(r->residual) : json_string("inf"));
    set_number(result, "threshold", RUN_THRESHOLD);
    set(o, "result", result);
    return o;
}

json_t *run_openblas_record(const struct run_openblas *openblas, const struct run_kernel_origin *origin, int threads) {
    json_t *o = head_of("openblas", RUN_PASSED, "", origin, threads);
    set(o, "result", run_openblas_json(openblas));
    return o;
}
