/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "kernel" and "openblas". */
#include "bench/kernel_record.h"

#include <math.h>

json_t *bench_kernel_case_json(const struct bench_kernel_case *c) {
    const struct bench_kernel_shape *s = &c->shape;
    json_t *o = json_object();
    char shape[64];
    bench_kernel_shape_text(c, shape, sizeof shape);
    record_set(o, "op", json_string(c->op->name));
    if (c->name[0]) record_set(o, "name", json_string(c->name));
    record_set(o, "shape", json_string(shape));
    switch (c->op->kind) {
    case BENCH_SHAPE_MATMUL:
        record_set_integer(o, "m", s->m), record_set_integer(o, "n", s->n), record_set_integer(o, "k", s->k);
        record_set(o, "trans", json_sprintf("%c%c", s->a_trans ? 'T' : 'N', s->b_trans ? 'T' : 'N'));
        record_set(o, "c_dtype", json_string(s->c_f32 || c->dtype == KERNEL_F32 ? "f32" : "bf16"));
        record_set(o, "accumulate", json_boolean(s->accumulate));
        break;
    case BENCH_SHAPE_ATTENTION:
        record_set_integer(o, "b", s->batch), record_set_integer(o, "h", s->heads),
            record_set_integer(o, "kv_heads", s->kv_heads);
        record_set_integer(o, "s", s->seq), record_set_integer(o, "d", s->head_dim);
        if (s->window) record_set_integer(o, "window", s->window);
        record_set(o, "alibi", json_boolean(s->alibi));
        break;
    case BENCH_SHAPE_ROWS:
        record_set_integer(o, "rows", s->rows), record_set_integer(o, "cols", s->cols);
        break;
    case BENCH_SHAPE_VECTOR:
        record_set_integer(o, "n", s->n);
    }
    record_set(o, "dtype", json_string(c->dtype == KERNEL_F32 ? "f32" : "bf16"));
    const double flop = bench_kernel_flop(c);
    if (flop > 0) record_set_number(o, "flop", flop);
    record_set_number(o, "bytes", bench_kernel_bytes(c));
    if (c->per_step > 0) record_set_number(o, "calls_per_step", c->per_step);
    return o;
}

/* The name of the roof that bounds the case. */
static json_t *roof_of(const struct bench_kernel_set *k, int threads) {
    const bool quota = k->quota_period_s > 0;
    char text[128];
    if (k->bound == BENCH_BOUND_COMPUTE)
        measure_peak_text(k->c->dtype, k->peak_isa, threads, quota, text, sizeof text);
    else
        measure_bandwidth_text(k->pass, threads, quota, text, sizeof text);
    return json_string(text);
}

/* Writes everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct bench_kernel_set *k, const struct bench_kernel_result *r,
                      const struct measure_origin *origin) {
    measure_record_call(o, &r->timed, "call_s");
    if (k->flop > 0) {
        record_set_number(o, "flop_per_s", k->flop / r->timed.call.median);
        record_set_number(o, "intensity", k->flop / k->bytes);
        record_set_number(o, "peak_flop_per_s", k->peak);
        record_set_number(o, "attainable_flop_per_s", fmin(k->peak, k->flop / k->bytes * k->bandwidth));
        if (r->tile_peak > 0) record_set_number(o, "tile_peak_flop_per_s", r->tile_peak);
    }
    record_set_number(o, "byte_per_s", k->bytes / r->timed.call.median);
    record_set_number(o, "bandwidth_byte_per_s", k->bandwidth);
    record_set_number(o, "fraction_of_roof", r->fraction > 1 ? NAN : r->fraction); /* above 1: a burst, or a library */
    record_set(o, "fraction_of", roof_of(k, origin->threads));
    record_set_lower_bound(o, origin->machine);
    record_set(o, "bound", json_string(k->bound == BENCH_BOUND_COMPUTE ? "compute" : "memory"));
    if (isfinite(r->ratio_to_openblas)) record_set_number(o, "ratio_to_openblas", r->ratio_to_openblas);
}

/* Every sample as the time of one call, in order. */
static json_t *samples_of(const struct bench_kernel_set *k, const struct bench_kernel_result *r) {
    json_t *o = measure_record_samples(&r->timed, "call_s");
    if (k->peak_count) record_set(o, "peak_flop_per_s", record_numbers(k->peaks, k->peak_count));
    record_set(o, "bandwidth_byte_per_s", record_numbers(k->bandwidths, k->bandwidth_count));
    return o;
}

static json_t *head_of(const char *kind, enum record_status status, const char *why,
                       const struct bench_kernel_origin *origin) {
    json_t *o = measure_record_head(kind, status, why, &origin->launch), *config = json_object();
    if (origin->model) {
        record_set(config, "model", json_string(origin->model));
        record_set_integer(config, "seq", origin->seq);
        record_set_integer(config, "micro_batch", origin->micro_batch);
    }
    if (origin->shapes) record_set(config, "shapes", json_string(origin->shapes));
    record_set(o, "config", config);
    return o;
}

json_t *bench_kernel_record(const struct bench_kernel_set *k, int variant, const struct bench_kernel_origin *origin) {
    const struct bench_kernel_result *r = &k->results[variant];
    json_t *o = head_of("kernel", r->status, r->why, origin), *result = bench_kernel_case_json(k->c);
    record_set(o, "samples", r->status == RECORD_FAILED ? json_object() : samples_of(k, r));
    record_set(result, "variant", json_string(r->variant));
    record_set_integer(result, "threads", origin->launch.threads);
    if (r->status != RECORD_FAILED) set_rates(result, k, r, &origin->launch);
    record_set(result, "residual", isfinite(r->residual) ? json_real(r->residual) : json_string("inf"));
    record_set_number(result, "threshold", CHECK_THRESHOLD);
    record_set(o, "result", result);
    return o;
}

json_t *bench_openblas_record(const struct bench_openblas *openblas, const struct bench_kernel_origin *origin) {
    json_t *o = head_of("openblas", RECORD_PASSED, "", origin);
    record_set(o, "result", bench_openblas_json(openblas));
    return o;
}
