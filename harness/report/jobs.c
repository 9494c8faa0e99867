/* SPDX-License-Identifier: Apache-2.0
 *
 * The jobs of a campaign as a table. */
#include <string.h>

#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

void report_jobs(FILE *out, const json_t *record) {
    const json_t *jobs = record_at(record, "result.jobs"), *j;
    int width = 3;
    size_t i;
    json_array_foreach(jobs, i, j) if ((int)strlen(record_text(j, "name")) > width) width =
        (int)strlen(record_text(j, "name"));
    fprintf(out, "toise sbatch   %s in ", record_text(record, "config.campaign"));
    report_clean(out, record_text(record, "config.folder"), 200);
    fprintf(out, ": %lld of %zu job%s done, %lld waiting, %lld failed, %lld new\n\n",
            record_whole(record, "result.done"), json_array_size(jobs), report_plural((long long)json_array_size(jobs)),
            record_whole(record, "result.waiting"), record_whole(record, "result.failed"),
            record_whole(record, "result.new"));
    fprintf(out, "%-*s  nodes  launches  state    Slurm job\n", width, "job");
    json_array_foreach(jobs, i, j) {
        const char *id = record_text(j, "slurm_job");
        fprintf(out, "%-*s  %5lld  %3lld of %-2lld  %-7s  %s", width, record_text(j, "name"), record_whole(j, "nodes"),
                record_whole(j, "done"), record_whole(j, "launches"), record_text(j, "state"), *id ? id : "-");
        if (*record_text(j, "why")) fputs("  ", out), report_clean(out, record_text(j, "why"), 160);
        fputc('\n', out);
    }
}
