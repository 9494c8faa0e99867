/* SPDX-License-Identifier: Apache-2.0
 *
 * A projection by a machine's own records as a page. */
#include "forecast/forecast.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

static void shares(FILE *out, const char *title, json_t *parts, double step) {
    const char *key;
    json_t *value;
    fprintf(out, "%-11s", title);
    json_object_foreach(parts, key, value) fprintf(out, " %s %.1f%%", key, 100 * json_number_value(value) / step);
    fputc('\n', out);
}

static void operations(FILE *out, const json_t *ops) {
    size_t i;
    json_t *o;
    fprintf(out, "\n%-24s %-20s %-13s %8s %12s %10s %6s %-8s %s\n", "", "priced as", "phase", "calls", "each",
            "seconds", "+-", "basis", "points");
    json_array_foreach(ops, i, o) {
        char each[32], op[40];
        base_text_duration(record_real(o, "call_s"), each, sizeof each);
        snprintf(op, sizeof op, "%s%s%s", record_text(o, "op"), record_text(o, "trans")[0] ? " " : "",
                 record_text(o, "trans"));
        fprintf(out, "%-24s %-20s %-13s %8.0f %12s %10.4f %5.1f%% %-8s %lld\n", record_text(o, "name"), op,
                record_text(o, "phase"), record_real(o, "count"), each, record_real(o, "seconds"),
                164.5 * record_real(o, "sd"), record_text(o, "basis"), record_whole(o, "points"));
    }
}

void forecast_measured(FILE *out, const json_t *record, bool ops) {
    const json_t *r = record_at(record, "result"), *c = record_at(record, "config");
    const json_t *l = record_at(record, "layout"), *m = record_at(record, "machine");
    const double step = record_real(r, "step_s");
    char memory[32];
    base_text_bytes(record_real(r, "memory_bytes"), memory, sizeof memory);
    fprintf(out, "toise predict   %s   %s   %s\n\n", record_text(c, "model"), record_text(c, "precision"),
            record_text(record, "status"));
    report_config(out, c);
    fprintf(out, "machine     %s: %s\n", record_text(m, "title"), record_text(m, "records"));
    fprintf(out, "layout      %lld rank%s of %lld thread%s; ", record_whole(l, "world"),
            record_whole(l, "world") == 1 ? "" : "s", record_whole(l, "threads"),
            record_whole(l, "threads") == 1 ? "" : "s");
    report_axes(out, l);
    fprintf(out, ", global batch %lld x %lld tokens, micro-batch %lld\n", record_whole(c, "global_batch"),
            record_whole(c, "seq"), record_whole(l, "micro_batch"));
    fprintf(out, "step        %.4g s [%.4g, %.4g], 90%%, %s%s%s\n", step, record_real(r, "step_s_low"),
            record_real(r, "step_s_high"), record_text(r, "label"), record_text(r, "why")[0] ? ": " : "",
            record_text(r, "why"));
    fprintf(out, "rate        %.1f tokens/s, %.4f TFLOP/s", record_real(r, "tokens_per_s"),
            record_real(r, "model_flop_per_s") / 1e12);
    if (!isnan(record_real(r, "mfu")))
        fprintf(out, ", MFU %.1f%% of the %s", 100 * record_real(r, "mfu"), record_text(r, "mfu_of"));
    fputc('\n', out);
    shares(out, "time", record_at(r, "breakdown"), step);
    shares(out, "by kind", record_at(r, "by_operation"), step);
    report_communication(out, r, step, "", "exposed");
    if (json_object_size(record_at(r, "communication"))) fputc('\n', out);
    if (record_at(l, "pp"))
        fprintf(out, "bubble      stages wait %.1f%% of a step for each other, in the mean\n",
                100 * record_real(r, "bubble"));
    fprintf(out, "memory      %s a rank\n", memory);
    if (ops) operations(out, record_at(r, "ops"));
}
