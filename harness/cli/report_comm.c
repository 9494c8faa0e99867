/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "comm" as a table, one line each. */
#include <math.h>
#include <string.h>

#include "base/record_get.h"
#include "base/text.h"
#include "cli/cli.h"

void cli_report_comm_head(FILE *out, const json_t *record) {
    const json_t *layout = json_object_get(record, "layout"), *machine = json_object_get(record, "machine");
    fprintf(out, "toise comm   %s: %lld ranks of %lld thread%s on %lld node%s; threads by %s\n",
            get_text(machine, "cpu"), get_whole(layout, "world"), get_whole(layout, "threads"),
            get_whole(layout, "threads") == 1 ? "" : "s", get_whole(layout, "nodes"),
            get_whole(layout, "nodes") == 1 ? "" : "s", get_text(layout, "threads_from"));
    cli_report_quota(out, machine);
    fprintf(out, "\n%-12s %12s %12s %7s %12s %12s %14s %8s\n", "all_reduce", "bytes", "time", "+-", "algbw GB/s",
            "busbw GB/s", "hidden", "wrong");
}

/* The interval of what is hidden; small sums were not measured beside compute. */
static void hidden(FILE *out, const json_t *r) {
    char text[32] = "-";
    if (!isnan(get_real(r, "hidden")))
        snprintf(text, sizeof text, "%.0f-%.0f%%", 100 * get_real(r, "hidden_low"), 100 * get_real(r, "hidden_high"));
    else if (!isnan(get_real(r, "cost_s")))
        snprintf(text, sizeof text, "not measurable");
    fprintf(out, " %14s", text);
}

static void all_reduce(FILE *out, const json_t *record, const json_t *r) {
    const double s = get_real(r, "time_s");
    char size[32], time[32] = "-";
    base_text_bytes(get_real(r, "bytes"), size, sizeof size);
    fprintf(out, "%-12s %12lld", size, get_whole(r, "bytes"));
    if (isnan(s)) {
        fprintf(out, " %12s %7s %12s %12s", "-", "-", "-", "-");
    } else {
        base_text_duration(s, time, sizeof time);
        fprintf(out, " %12s %6.1f%% %12.3f %12.3f", time,
                50 * (get_real(r, "time_s_high") - get_real(r, "time_s_low")) / s,
                get_real(r, "algbw_byte_per_s") / 1e9, get_real(r, "busbw_byte_per_s") / 1e9);
    }
    hidden(out, r);
    fprintf(out, " %8.0f %s\n", get_real(r, "wrong"), get_text(record, "status"));
    if (!strcmp(get_text(record, "status"), "FAILED")) fprintf(out, "    FAILED: %s\n", get_text(record, "why"));
}

void cli_report_comm(FILE *out, const json_t *record) {
    const json_t *r = json_object_get(record, "result");
    if (!strcmp(get_text(r, "op"), "share"))
        fprintf(
            out,
            "\nhidden: the share of the time that costs matmuls beside it nothing, its 95%% interval; not measurable\n"
            "where zero lies within it. While all ranks compute, a rank keeps\n"
            "%.0f%% of its matmuls' rate alone, and %.0f%% of its passes over memory.\n",
            100 * get_real(r, "matmul"), 100 * get_real(r, "pass"));
    else
        all_reduce(out, record, r);
    if (!strcmp(get_text(record, "status"), "INCONCLUSIVE")) fprintf(out, "    %s\n", get_text(record, "why"));
    fflush(out);
}
