/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a launch ran, as far as it is unusual: several switches, nodes without ranks, fewer nodes than asked for. */
#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

enum { SWITCHES = 6, TEXT = 96 };

static void switches(FILE *out, const json_t *all) {
    const size_t count = json_array_size(all);
    if (count < 2) return;
    fputs("switches    ", out);
    for (size_t i = 0; i < count && i < SWITCHES; i++) {
        const json_t *one = json_array_get(all, i);
        if (i) fputs("; ", out);
        report_clean(out, record_text(one, "name"), TEXT), fputs(": ", out);
        report_clean(out, record_text(one, "hosts"), TEXT);
    }
    if (count > SWITCHES) fprintf(out, "; and %zu more", count - SWITCHES);
    fputc('\n', out);
}

void report_place(FILE *out, const json_t *launch) {
    switches(out, record_at(launch, "switches"));
    if (record_text(launch, "unused")[0]) {
        fputs("caution     nodes of the job without a rank: ", out);
        report_clean(out, record_text(launch, "unused"), TEXT);
        fputc('\n', out);
    }
    if (record_at(launch, "asked"))
        fprintf(out, "caution     the job asked for %lld nodes and got fewer\n", record_whole(launch, "asked"));
}
