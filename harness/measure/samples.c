/* SPDX-License-Identifier: Apache-2.0
 *
 * Stores samples as columns, and writes them as JSON arrays, one for each quantity. */
#include "measure/samples.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int measure_samples_open(struct measure_samples *samples, int capacity, int phases, const char *const *names,
                         struct base_error *e) {
    size_t n = (size_t)capacity;
    struct measure_samples made = {.capacity = capacity, .phases = phases, .names = names};
    made.start = calloc(n + 1, sizeof *made.start);
    made.seconds = calloc(n + 1, sizeof *made.seconds);
    made.phase = calloc(n * (size_t)phases + 1, sizeof *made.phase);
    made.interference = calloc(n + 1, sizeof *made.interference);
    made.marks = calloc(n + 1, sizeof *made.marks);
    if (!made.start || !made.seconds || !made.phase || !made.interference || !made.marks) {
        measure_samples_close(&made);
        return base_fail(e, BASE_BROKEN, "out of memory for %d samples: ask for fewer steps", capacity);
    }
    *samples = made;
    return BASE_OK;
}

void measure_samples_close(struct measure_samples *samples) {
    free(samples->start);
    free(samples->seconds);
    free(samples->phase);
    free(samples->interference);
    free(samples->marks);
    *samples = (struct measure_samples){0};
}

bool measure_samples_add(struct measure_samples *samples, double start, double seconds, const double *phase,
                         const struct measure_interference *interference, unsigned marks) {
    if (samples->count == samples->capacity) return false;
    int i = samples->count++;
    size_t phases = (size_t)samples->phases;
    samples->start[i] = start;
    samples->seconds[i] = seconds;
    if (phases > 0) memcpy(samples->phase + (size_t)i * phases, phase, phases * sizeof *phase);
    if (interference != NULL) samples->interference[i] = *interference;
    samples->marks[i] = marks;
    return true;
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

/* x[0], x[stride], ..., minus `origin` */
static json_t *column(const double *x, int count, size_t stride, double origin) {
    json_t *array = json_array();
    for (size_t i = 0; i < (size_t)count; i++) json_array_append_new(array, number(x[i * stride] - origin));
    return array;
}

/* The fields of an interference that records have. */
static const struct {
    const char *name;
    size_t offset;
    bool whole;
} fields[] = {
    {"steal_s", offsetof(struct measure_interference, steal_s), false},
    {"other_s", offsetof(struct measure_interference, other_s), false},
    {"own_s", offsetof(struct measure_interference, own_s), false},
    {"voluntary_switches", offsetof(struct measure_interference, voluntary_switches), true},
    {"involuntary_switches", offsetof(struct measure_interference, involuntary_switches), true},
    {"minor_faults", offsetof(struct measure_interference, minor_faults), true},
    {"major_faults", offsetof(struct measure_interference, major_faults), true},
    {"numa_misses", offsetof(struct measure_interference, numa_misses), true},
    {"throttled_periods", offsetof(struct measure_interference, throttled_periods), true},
    {"throttled_s", offsetof(struct measure_interference, throttled_s), false},
    {"hz", offsetof(struct measure_interference, hz), false},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static json_t *field_json(const struct measure_interference *met, int f) {
    const char *at = (const char *)met + fields[f].offset;
    return fields[f].whole ? json_integer(*(const long long *)(const void *)at)
                           : number(*(const double *)(const void *)at);
}

static json_t *interference_json(const struct measure_samples *samples) {
    json_t *object = json_object();
    for (int f = 0; f < FIELDS; f++) {
        json_t *array = json_array();
        for (int i = 0; i < samples->count; i++) json_array_append_new(array, field_json(&samples->interference[i], f));
        json_object_set_new(object, fields[f].name, array);
    }
    return object;
}

static json_t *marks_json(const struct measure_samples *samples) {
    static const struct {
        unsigned mark;
        const char *name;
    } names[] = {{MEASURE_MARK_STEAL, "steal"},
                 {MEASURE_MARK_LOAD, "load"},
                 {MEASURE_MARK_FAULTS, "faults"},
                 {MEASURE_MARK_NUMA, "numa"},
                 {MEASURE_MARK_THROTTLED, "throttled"}};
    json_t *array = json_array();
    for (int i = 0; i < samples->count; i++) {
        json_t *of_step = json_array();
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (samples->marks[i] & names[k].mark) json_array_append_new(of_step, json_string(names[k].name));
        json_array_append_new(array, of_step);
    }
    return array;
}

json_t *measure_samples_one(const struct measure_samples *samples, int i) {
    json_t *phases = json_array(), *met = json_array();
    for (int p = 0; p < samples->phases; p++)
        json_array_append_new(phases, number(samples->phase[i * samples->phases + p]));
    for (int f = 0; f < FIELDS; f++) json_array_append_new(met, field_json(&samples->interference[i], f));
    return json_pack("{s:f, s:f, s:o, s:o, s:i}", "start_s", samples->start[i], "own_s", samples->seconds[i], "phase_s",
                     phases, "met", met, "marks", (int)samples->marks[i]);
}

bool measure_samples_take(struct measure_samples *samples, const json_t *one) {
    const json_t *met = json_object_get(one, "met"), *phases = json_object_get(one, "phase_s");
    const json_t *start = json_object_get(one, "start_s"), *own = json_object_get(one, "own_s");
    struct measure_interference x = {0};
    double phase[64];
    if (samples->phases > 64 || (int)json_array_size(phases) != samples->phases || json_array_size(met) != FIELDS ||
        !json_is_number(start) || !json_is_number(own))
        return false;
    for (int p = 0; p < samples->phases; p++) phase[p] = json_number_value(json_array_get(phases, (size_t)p));
    for (int f = 0; f < FIELDS; f++) {
        const json_t *value = json_array_get(met, (size_t)f);
        char *at = (char *)&x + fields[f].offset;
        if (fields[f].whole)
            *(long long *)(void *)at = json_integer_value(value);
        else
            *(double *)(void *)at = json_number_value(value);
    }
    return measure_samples_add(samples, json_number_value(start), json_number_value(own), phase, &x,
                               (unsigned)json_integer_value(json_object_get(one, "marks")));
}

json_t *measure_samples_json(const struct measure_samples *samples) {
    json_t *phases = json_object();
    for (int p = 0; p < samples->phases; p++)
        json_object_set_new(phases, samples->names[p],
                            column(samples->phase + p, samples->count, (size_t)samples->phases, 0.0));
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "step_s", column(samples->seconds, samples->count, 1, 0.0), "start_s",
                     column(samples->start, samples->count, 1, samples->start[0]), "phase_s", phases, "interference",
                     interference_json(samples), "marks", marks_json(samples));
}
