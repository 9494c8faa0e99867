/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of roofs, the comparison of cache levels, and the record of kind "roofs". */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "guard/stop.h"
#include "measure/peak.h"
#include "measure/roofs.h"

void measure_roof_text(const struct measure_roofs *r, const struct measure_roof *row, char *text, int size) {
    const char *pass = row->pass < MEASURE_PASSES ? measure_pass_name(row->pass) : "copy, triad and read";
    const int from = r->places[row->place].node, memory = r->places[row->memory].node;
    char where[64] = "";
    if (row->kind == MEASURE_ROOF_PEAK)
        measure_peak_text(row->dtype, kernel_isa_name(row->isa), row->threads, row->sustained, text, size);
    if (row->kind == MEASURE_ROOF_CACHE)
        snprintf(text, (size_t)size, "measured L%d %s bandwidth, %d thread%s%s", row->level, pass, row->threads,
                 row->threads == 1 ? "" : "s", row->sustained ? ", under a CPU quota" : "");
    if (row->kind != MEASURE_ROOF_MEMORY) return;
    if (from >= 0 && from == memory) snprintf(where, sizeof where, " on NUMA node %d", memory);
    if (from >= 0 && from != memory)
        snprintf(where, sizeof where, " of NUMA node %d on memory of node %d", from, memory);
    snprintf(text, (size_t)size, "measured %s bandwidth beyond the caches, %d thread%s%s%s", pass, row->threads,
             row->threads == 1 ? "" : "s", where, row->sustained ? ", under a CPU quota" : "");
}

/* The row that measures the next level with the same pass and threads; NULL: none. */
static struct measure_roof *next_level(struct measure_roofs *r, const struct measure_roof *row) {
    for (int i = 0; i < r->count; i++) {
        struct measure_roof *k = &r->rows[i];
        const bool further = (k->kind == MEASURE_ROOF_CACHE && k->level > row->level) ||
                             (k->kind == MEASURE_ROOF_MEMORY && k->place == k->memory);
        if (further && measure_roof_timed(k) && k->pass == row->pass && k->threads == row->threads) return k;
    }
    return NULL;
}

void measure_roofs_cross_check(struct measure_roofs *r) {
    for (int i = 0; i < r->count; i++) {
        struct measure_roof *row = &r->rows[i];
        if (row->kind != MEASURE_ROOF_CACHE || row->pass != MEASURE_READ || !measure_roof_timed(row)) continue;
        const struct measure_roof *next = next_level(r, row);
        if (!next || row->work / row->timed.call.high > next->work / next->timed.call.low) continue;
        char level[8] = "memory";
        if (next->kind == MEASURE_ROOF_CACHE) snprintf(level, sizeof level, "L%d", next->level);
        snprintf(row->note, sizeof row->note,
                 "not faster than %s within the intervals: L%d may be smaller than reported, shared, or disturbed",
                 level, row->level);
    }
}

/* Sets a rate as `key` with its interval, and the highest of the samples. */
static void set_rate(json_t *o, const struct measure_roof *row, const char *key) {
    char name[64];
    double least = INFINITY;
    for (int i = 0; i < row->timed.samples.count; i++) least = fmin(least, row->timed.samples.seconds[i]);
    record_set_interval(o, key, row->work / row->timed.call.median, row->work / row->timed.call.high,
                        row->work / row->timed.call.low);
    snprintf(name, sizeof name, "highest_%s", key);
    record_set_number(o, name, row->work * row->timed.calls / least);
    record_set_number(o, "confidence", row->timed.call.confidence);
}

/* The place as keys: CPUs, pinning, nodes. */
static void set_place(json_t *o, const struct measure_roofs *r, const struct measure_roof *row) {
    const struct measure_roof_place *p = &r->places[row->place];
    json_t *cpus = json_array();
    for (int i = 0; i < row->threads && i < p->count; i++) json_array_append_new(cpus, json_integer(p->cpus[i].cpu));
    record_set_integer(o, "threads", row->threads);
    record_set(o, "pinned", json_boolean(row->pinned));
    record_set(o, "cpus", row->pinned ? cpus : json_null());
    if (!row->pinned) json_decref(cpus);
    if (row->kind != MEASURE_ROOF_MEMORY) return;
    record_set(o, "node", p->node < 0 ? json_null() : json_integer(p->node));
    record_set(o, "memory_node",
               r->places[row->memory].node < 0 ? json_null() : json_integer(r->places[row->memory].node));
}

static json_t *row_json(const struct measure_roofs *r, const struct measure_roof *row) {
    static const char *const kinds[] = {"peak", "cache", "memory"};
    const bool peak = row->kind == MEASURE_ROOF_PEAK;
    json_t *o = json_object();
    char name[160];
    measure_roof_text(r, row, name, sizeof name);
    record_set(o, "name", json_string(name));
    record_set(o, "kind", json_string(kinds[row->kind]));
    record_set(o, "variant", json_string(kernel_isa_name(row->isa)));
    if (peak) record_set(o, "dtype", json_string(row->dtype == KERNEL_F32 ? "f32" : "bf16"));
    if (row->kind == MEASURE_ROOF_CACHE) record_set_integer(o, "level", row->level);
    if (!peak && row->pass < MEASURE_PASSES) record_set(o, "pass", json_string(measure_pass_name(row->pass)));
    if (row->skipped[0]) {
        record_set_integer(o, "threads", row->threads);
        record_set(o, "why", json_string(row->skipped));
        return o;
    }
    set_place(o, r, row);
    if (!peak) record_set_number(o, "working_set_bytes", row->kind == MEASURE_ROOF_CACHE ? row->bytes : 3 * row->bytes);
    record_set_number(o, peak ? "call_flop" : "call_bytes", row->work);
    record_set(o, "status",
               json_string(row->status == RECORD_PASSED   ? "PASSED"
                           : row->status == RECORD_FAILED ? "FAILED"
                                                          : "INCONCLUSIVE"));
    if (row->why[0]) record_set(o, "why", json_string(row->why));
    if (row->note[0]) record_set(o, "note", json_string(row->note));
    if (row->status != RECORD_FAILED) set_rate(o, row, peak ? "flop_per_s" : "byte_per_s");
    return o;
}

/* Whether b is a better headline than a: more threads, and of equally many the faster. */
static bool leads(const struct measure_roof *a, const struct measure_roof *b) {
    if (!a || b->threads != a->threads) return !a || b->threads > a->threads;
    return b->work / b->timed.call.median > a->work / a->timed.call.median;
}

/* The peak of a dtype: the fastest loop that multiplies it, on the most threads. BF16 can be widened, so FP32's loops
 * multiply it, too. */
static json_t *peak_json(const struct measure_roofs *r, enum kernel_dtype dtype, const struct base_topology *t) {
    const struct measure_roof *best = NULL;
    struct kernel_ops ops;
    char name[160];
    for (int i = 0; i < r->count; i++) {
        const struct measure_roof *row = &r->rows[i];
        const bool fits = row->kind == MEASURE_ROOF_PEAK && (row->dtype == dtype || row->dtype == KERNEL_F32);
        if (fits && measure_roof_timed(row) && leads(best, row)) best = row;
    }
    if (!best) return json_null();
    json_t *o = json_object();
    measure_peak_text(dtype, kernel_isa_name(best->isa), best->threads, best->sustained, name, sizeof name);
    record_set(o, "name", json_string(name));
    set_rate(o, best, "flop_per_s");
    kernel_select(&ops, best->isa, KERNEL_BACKEND_TOISE);
    const double nominal = measure_peak_nominal(t, &ops, dtype, best->threads);
    if (!(nominal > 0)) return o;
    record_set_number(o, "nominal_flop_per_s", nominal);
    record_set_number(o, "fraction", best->work / best->timed.call.median / nominal);
    record_set(o, "fraction_of",
               json_sprintf("nominal %s peak, %d threads", dtype == KERNEL_F32 ? "f32" : "bf16", best->threads));
    return o;
}

/* The bandwidth of memory by pass, local, on the most threads. */
static json_t *memory_json(const struct measure_roofs *r) {
    json_t *o = json_object();
    for (int pass = 0; pass < MEASURE_ROOF_PASSES; pass++) {
        const struct measure_roof *best = NULL;
        char name[160];
        for (int i = 0; i < r->count; i++) {
            const struct measure_roof *row = &r->rows[i];
            if (row->kind == MEASURE_ROOF_MEMORY && row->place == row->memory && (int)row->pass == pass &&
                measure_roof_timed(row) && leads(best, row))
                best = row;
        }
        if (!best) continue;
        json_t *one = json_object();
        measure_roof_text(r, best, name, sizeof name);
        record_set(one, "name", json_string(name));
        set_rate(one, best, "byte_per_s");
        record_set(o, measure_pass_name((enum measure_pass)pass), one);
    }
    return o;
}

/* The worst status of all rows, and why. */
static enum record_status status_of(const struct measure_roofs *r, char *why, size_t size) {
    int failed = 0, unsure = 0, measured = 0;
    for (int i = 0; i < r->count; i++) {
        if (r->rows[i].skipped[0]) continue;
        measured++;
        failed += r->rows[i].status == RECORD_FAILED;
        unsure += r->rows[i].status == RECORD_INCONCLUSIVE;
    }
    why[0] = 0;
    if (failed) snprintf(why, size, "%d of %d roofs did not compute what they should", failed, measured);
    if (!failed && unsure)
        snprintf(why, size,
                 "%d of %d roofs are too noisy or have too few samples: raise --seconds or --ci, or quiet the machine",
                 unsure, measured);
    if (!failed && r->stopped)
        snprintf(why, size, "stopped by %s after %d roofs", guard_stop_name(r->stopped), measured);
    return failed ? RECORD_FAILED : unsure || r->stopped ? RECORD_INCONCLUSIVE : RECORD_PASSED;
}

json_t *measure_roofs_record(const struct measure_roofs *r, const struct measure_roofs_options *options,
                             const struct base_topology *topology, const struct measure_origin *origin) {
    char why[160];
    const enum record_status status = status_of(r, why, sizeof why);
    json_t *record = measure_record_head("roofs", status, why, origin), *result = json_object();
    json_t *rows = json_array(), *skipped = json_array(), *samples = json_array(), *peak = json_object();
    for (int i = 0; i < r->count; i++) {
        const struct measure_roof *row = &r->rows[i];
        json_array_append_new(row->skipped[0] ? skipped : rows, row_json(r, row));
        if (row->skipped[0]) continue;
        json_array_append_new(samples, row->status == RECORD_FAILED ? json_object()
                                                                    : measure_record_samples(&row->timed, "call_s"));
    }
    record_set(record, "config", json_pack("{s:f, s:f}", "seconds", options->seconds, "ci", options->ci));
    record_set(peak, "f32", peak_json(r, KERNEL_F32, topology));
    record_set(peak, "bf16", peak_json(r, KERNEL_BF16, topology));
    record_set(result, "peak", peak);
    record_set(result, "memory", memory_json(r));
    if (status != RECORD_FAILED) record_set_lower_bound(result, origin->machine);
    record_set(result, "rows", rows);
    record_set(result, "skipped", skipped);
    record_set(record, "samples", json_pack("{s:o}", "rows", samples));
    record_set(record, "result", result);
    return record;
}
