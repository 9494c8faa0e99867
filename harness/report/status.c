/* SPDX-License-Identifier: Apache-2.0
 *
 * What all pages share: whether `out` is a terminal, the coloured status, and the line about a lower bound. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "comm/comm.h"
#include "records/get.h"
#include "report/report.h"

bool report_terminal(FILE *out) {
    return isatty(fileno(out)) && !comm_launched();
}

const char *report_plural(long long n) {
    return n == 1 ? "" : "s";
}

void report_status(FILE *out, const char *status) {
    const char *color = !strcmp(status, "PASSED") ? "32" : !strcmp(status, "FAILED") ? "31" : "33";
    if (report_terminal(out) && base_text_color_allowed(out))
        fprintf(out, "\033[1;%sm%s\033[0m", color, status);
    else
        fputs(status, out);
}

void report_lower_bound(FILE *out, const json_t *machine) {
    const char *unit = record_text(machine, "unused_matrix_unit");
    if (unit[0])
        fprintf(out, "lower bound: this CPU's %s is not used%s\n", unit,
                record_at(machine, "blas") ? " by toise, but perhaps by the library" : "");
}
