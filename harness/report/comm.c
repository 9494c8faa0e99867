/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm" as a table, one line each. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

void report_comm_head(FILE *out, const json_t *record) {
    const json_t *layout = record_at(record, "layout"), *machine = record_at(record, "machine");
    fprintf(out, "toise comm   %s: %lld ranks of %lld thread%s on %lld node%s; threads by %s\n",
            record_text(machine, "cpu"), record_whole(layout, "world"), record_whole(layout, "threads"),
            record_whole(layout, "threads") == 1 ? "" : "s", record_whole(layout, "nodes"),
            record_whole(layout, "nodes") == 1 ? "" : "s", record_text(layout, "threads_from"));
    report_quota(out, machine);
    fprintf(out, "\n%-12s %12s %12s %7s %12s %12s %14s %8s\n", "all_reduce", "bytes", "time", "+-", "algbw GB/s",
            "busbw GB/s", "hidden", "wrong");
}

/* The interval of the hidden share. Small sums were not measured with compute. */
static void hidden(FILE *out, const json_t *r) {
    char text[32] = "-";
    if (!isnan(record_real(r, "hidden")))
        snprintf(text, sizeof text, "%.0f-%.0f%%", 100 * record_real(r, "hidden_low"),
                 100 * record_real(r, "hidden_high"));
    else if (!isnan(record_real(r, "cost_s")))
        snprintf(text, sizeof text, "not measurable");
    fprintf(out, " %14s", text);
}

static void all_reduce(FILE *out, const json_t *record, const json_t *r) {
    const double s = record_real(r, "time_s");
    char size[32], time[32] = "-";
    base_text_bytes(record_real(r, "bytes"), size, sizeof size);
    fprintf(out, "%-12s %12lld", size, record_whole(r, "bytes"));
    if (isnan(s)) {
        fprintf(out, " %12s %7s %12s %12s", "-", "-", "-", "-");
    } else {
        base_text_duration(s, time, sizeof time);
        fprintf(out, " %12s %6.1f%% %12.3f %12.3f", time,
                50 * (record_real(r, "time_s_high") - record_real(r, "time_s_low")) / s,
                record_real(r, "algbw_byte_per_s") / 1e9, record_real(r, "busbw_byte_per_s") / 1e9);
    }
    hidden(out, r);
    fprintf(out, " %8.0f %s\n", record_real(r, "wrong"), record_text(record, "status"));
    if (!strcmp(record_text(record, "status"), "FAILED")) fprintf(out, "    FAILED: %s\n", record_text(record, "why"));
}

void report_comm(FILE *out, const json_t *record) {
    const json_t *r = record_at(record, "result");
    if (!strcmp(record_text(r, "op"), "share"))
        fprintf(
            out,
            "\nhidden: share of the time that does not slow matmuls running meanwhile, 95%% interval; not measurable\n"
            "if the interval includes zero. While all ranks compute, a rank keeps\n"
            "%.0f%% of its matmul rate alone, and %.0f%% of its passes over memory.\n",
            100 * record_real(r, "matmul"), 100 * record_real(r, "pass"));
    else
        all_reduce(out, record, r);
    if (!strcmp(record_text(record, "status"), "INCONCLUSIVE")) fprintf(out, "    %s\n", record_text(record, "why"));
    fflush(out);
}
