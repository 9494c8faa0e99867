/* SPDX-License-Identifier: Apache-2.0
 *
 * What all pages share: whether `out` is a terminal, and the coloured status. */
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "comm/comm.h"
#include "report/report.h"

bool report_terminal(FILE *out) {
    return isatty(fileno(out)) && !comm_launched();
}

void report_status(FILE *out, const char *status) {
    const char *color = !strcmp(status, "PASSED") ? "32" : !strcmp(status, "FAILED") ? "31" : "33";
    if (report_terminal(out) && base_text_color_allowed(out))
        fprintf(out, "\033[1;%sm%s\033[0m", color, status);
    else
        fputs(status, out);
}
