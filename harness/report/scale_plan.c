/* SPDX-License-Identifier: Apache-2.0
 *
 * The points of a scaling curve before they are measured: batches, seconds and node-hours. */
#include "base/text.h"
#include "records/get.h"
#include "report/report.h"

static void row(FILE *out, const json_t *p) {
    char step[32], all[32];
    fprintf(out, "%8lld %8lld %12lld", record_whole(p, "n"), record_whole(p, "ranks"), record_whole(p, "global_batch"));
    if (record_at(p, "skipped")) {
        fprintf(out, "   skipped: %s\n", record_text(p, "skipped"));
        return;
    }
    base_text_duration(record_real(p, "step_s"), step, sizeof step);
    base_text_duration(record_real(p, "seconds"), all, sizeof all);
    fprintf(out, " %14s %14s\n", step, all);
}

void report_scale_plan(FILE *out, const json_t *record) {
    const json_t *s = record_at(record, "scaling"), *p;
    const char *unit = record_text(s, "unit");
    const long long nodes = record_whole(s, "nodes");
    char all[32];
    size_t i;
    fprintf(out, "plan        %s scaling of %s by %s: %lld %s%s of %lld rank%s, %lld node%s\n", record_text(s, "mode"),
            record_text(record, "workload.name"), unit, record_whole(s, "units"), unit,
            report_plural(record_whole(s, "units")), record_whole(s, "ranks_per_unit"),
            report_plural(record_whole(s, "ranks_per_unit")), nodes, report_plural(nodes));
    fprintf(out, "runs        %lld of each point, of %lld + %lld steps; micro-batch %lld at every point\n\n",
            record_whole(s, "repeats"), record_whole(s, "warmup"), record_whole(s, "steps"),
            record_whole(record, "layout.micro_batch"));
    fprintf(out, "%8s %8s %12s %14s %14s\n", unit, "ranks", "global batch", "step", "all runs");
    json_array_foreach(record_at(s, "points"), i, p) row(out, p);
    base_text_duration(record_real(s, "seconds"), all, sizeof all);
    fprintf(out, "\nat least    %s, %.4g node-hours of this allocation; %.4g as separate jobs\n", all,
            record_real(s, "node_hours"), record_real(s, "node_hours_apart"));
    fprintf(out, "rate        from %s, at full efficiency; the gate and start-up come on top\n",
            record_text(s, "rate_from"));
}
