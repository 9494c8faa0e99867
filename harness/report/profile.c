/* SPDX-License-Identifier: Apache-2.0
 *
 * result.profile of a record of kind "train" as a table, the slowest operation first. */
#include <math.h>
#include <string.h>

#include "records/get.h"
#include "report/report.h"

enum { NAME_LEAST = 24, NAME_MOST = 60 };

/* Columns of the longest name. */
static int widest(const json_t *rows) {
    const json_t *r;
    size_t i, most = NAME_LEAST;
    json_array_foreach(rows, i, r) {
        const size_t length = strlen(record_text(r, "name"));
        if (length > most) most = length;
    }
    return most > NAME_MOST ? NAME_MOST : (int)most;
}

static void row(FILE *out, const json_t *r, int width) {
    const double flop = record_real(r, "flop_per_s"), byte = record_real(r, "byte_per_s");
    const double fraction = record_real(r, "of_roof");
    fprintf(out, "%-*.*s %-13s %6.6g %9.4g %6.1f%%", width, NAME_MOST, record_text(r, "name"), record_text(r, "phase"),
            record_real(r, "calls"), 1e3 * record_real(r, "seconds"), 100 * record_real(r, "share"));
    if (!isnan(flop))
        fprintf(out, " %9.2f GFLOP/s", flop / 1e9);
    else if (!isnan(byte))
        fprintf(out, " %9.2f GB/s   ", byte / 1e9);
    if (!isnan(fraction)) fprintf(out, " %6.1f%% %s", 100 * fraction, record_text(r, "bound"));
    fputc('\n', out);
}

void report_profile(FILE *out, const json_t *profile) {
    const json_t *rows = record_at(profile, "rows"), *r;
    size_t i;
    if (!rows) return;
    fprintf(out, "\nprofile     rank 0, mean of %lld timed steps; the rows are %.1f%% of %.4g ms\n",
            record_whole(profile, "steps"), 100 * record_real(profile, "covered"),
            1e3 * record_real(profile, "step_s"));
    fprintf(out, "            roofs: %.1f GFLOP/s; ", record_real(profile, "peak_flop_per_s") / 1e9);
    if (!isnan(record_real(profile, "bandwidth_byte_per_s")))
        fprintf(out, "%.1f GB/s, the ", record_real(profile, "bandwidth_byte_per_s") / 1e9);
    const int width = widest(rows);
    fprintf(out, "%s\n\n%-*s %-13s %6s %9s %7s %17s %7s\n", record_text(profile, "bandwidth_of"), width, "operation",
            "phase", "calls", "ms", "step", "rate", "of roof");
    json_array_foreach(rows, i, r) row(out, r, width);
    fputc('\n', out);
}
