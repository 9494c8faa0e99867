/* SPDX-License-Identifier: Apache-2.0
 *
 * Imported records as a table, one line each, below the file that they come from. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

/* "x [low, high]", as times or with a unit; "-" if unknown */
static void print_interval(FILE *out, const json_t *r, const char *key, bool time, const char *unit) {
    static const char *const ends[] = {"", "_low", "_high"};
    char text[3][32];
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%s", key, ends[i]);
        const double x = record_real(r, path);
        snprintf(text[i], sizeof text[i], "%.6g", x);
        if (time) base_text_duration(x, text[i], sizeof text[i]);
        if (!isfinite(x)) snprintf(text[i], sizeof text[i], "-");
    }
    fprintf(out, "%s%s%s", text[0], *unit ? " " : "", unit);
    if (strcmp(text[1], "-") != 0) fprintf(out, " [%s, %s]", text[1], text[2]);
}

static void print_train(FILE *out, const json_t *record, const json_t *r) {
    const json_t *launch = record_at(record, "launch");
    fprintf(out, "launch %lld of %lld: a step ", record_whole(launch, "index"), record_whole(launch, "of"));
    print_interval(out, r, "step_s", true, "");
    fprintf(out, ", %zu samples, warm-up %zu", json_array_size(record_at(record, "samples.step_s")),
            json_array_size(record_at(record, "samples.warmup.step_s")));
    if (isfinite(record_real(r, "tokens_per_s"))) {
        fputs("; ", out);
        print_interval(out, r, "tokens_per_s", false, "tokens/s");
    } else if (isfinite(record_real(r, "step_s"))) {
        fputs("; tokens/s unknown: give --seq N", out);
    }
    if (isfinite(record_real(r, "tflop_per_s_per_accelerator_square")))
        fprintf(out, "; %.1f TFLOP/s a GPU, as the log counts", record_real(r, "tflop_per_s_per_accelerator_square"));
}

static void print_comm(FILE *out, const json_t *record, const json_t *r) {
    char size[32];
    base_text_bytes(record_real(r, "bytes"), size, sizeof size);
    fprintf(out, "%s of %s, %s place, %lld ranks: ", record_text(r, "op"), size,
            !strcmp(record_text(r, "place"), "in") ? "in" : "out of", record_whole(record, "layout.world"));
    print_interval(out, r, "time_s", true, "");
    fprintf(out, ", %.4g GB/s algbw, %.4g GB/s busbw", record_real(r, "algbw_byte_per_s") / 1e9,
            record_real(r, "busbw_byte_per_s") / 1e9);
}

static void print_kernel(FILE *out, const json_t *record, const json_t *r) {
    const size_t n = json_array_size(record_at(record, "samples.call_s"));
    fprintf(out, "%s: ", record_text(r, "op"));
    print_interval(out, r, "call_s", true, "");
    fprintf(out, ", %zu repetition%s", n, n == 1 ? "" : "s");
}

static void print_figure(FILE *out, const json_t *record, const json_t *r) {
    const size_t n = json_array_size(record_at(record, "samples.value"));
    fprintf(out, "%s of %s: ", record_text(r, "metric"), record_text(record, "machine.host"));
    print_interval(out, r, "value", false, record_text(r, "unit"));
    fprintf(out, ", %zu sample%s", n, n == 1 ? "" : "s");
}

static const struct {
    const char *kind;
    void (*print)(FILE *out, const json_t *record, const json_t *result);
} kinds[] = {{"train", print_train}, {"comm", print_comm}, {"kernel", print_kernel}, {"figure", print_figure}};

/* The file, when it is another than that of the record before. */
static void print_origin(FILE *out, const json_t *origin, const json_t *before) {
    char path[72];
    if (json_equal(json_object_get(origin, "sha256"), json_object_get(before, "sha256"))) return;
    base_text_path(record_text(origin, "file"), path, sizeof path);
    fprintf(out, "\n%s, of %s, SHA-256 %.12s", path, record_text(origin, "tool"), record_text(origin, "sha256"));
    if (record_whole(origin, "repeated"))
        fprintf(out, "; %lld lines that stand there twice count once", record_whole(origin, "repeated"));
    fputc('\n', out);
}

void report_import(FILE *out, const json_t *records) {
    const json_t *before = NULL, *record;
    size_t i;
    fprintf(out, "toise import   %zu record%s, UNVERIFIED: toise checked none of these figures\n",
            json_array_size(records), json_array_size(records) == 1 ? "" : "s");
    json_array_foreach(records, i, record) {
        const json_t *origin = record_at(record, "origin");
        print_origin(out, origin, before);
        before = origin;
        fprintf(out, "%-7s ", record_text(record, "kind"));
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            if (!strcmp(record_text(record, "kind"), kinds[k].kind))
                kinds[k].print(out, record, record_at(record, "result"));
        if (!strcmp(record_text(record, "status"), "FAILED")) fprintf(out, "  FAILED: %s", record_text(record, "why"));
        if (json_is_false(json_object_get(origin, "complete"))) fputs("  (the run ends before its summary)", out);
        fputc('\n', out);
    }
}
