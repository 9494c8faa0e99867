/* SPDX-License-Identifier: Apache-2.0
 *
 * What launches of trainings come to: a row for each workload on each machine. */
#include <math.h>
#include <string.h>

#include "html/parts.h"
#include "report/report.h"

static void work(const json_t *r, char text[REPORT_WORK]) {
    if (*record_text(r, "workload.name"))
        snprintf(text, REPORT_WORK, "%s", record_text(r, "workload.name"));
    else
        report_work(record_at(r, "config"), text);
}

/* Links the rate of each launch to its record. */
static void by_launch(struct html_page *page, const json_t *r) {
    const json_t *all = record_at(r, "samples.launches"), *launch;
    size_t i;
    fputs("<td>", page->out);
    json_array_foreach(all, i, launch) {
        const double rate = record_real(launch, "rate");
        const long at = html_record(page, record_text(launch, "sha256"));
        if (i == 12) {
            fprintf(page->out, " and %zu more", json_array_size(all) - i);
            break;
        }
        if (at >= 0) fprintf(page->out, "%s<a href=\"#r%ld\">", i ? ", " : "", at + 1);
        if (isnan(rate))
            html_text(page->out, record_text(launch, "status"));
        else
            fprintf(page->out, "%.1f", rate);
        if (at >= 0) fputs("</a>", page->out);
    }
}

/* Joules a token of the first launch that measured them, else why not. */
static void energy(struct html_page *page, const json_t *r) {
    const json_t *launch;
    size_t i;
    json_array_foreach(record_at(r, "samples.launches"), i, launch) {
        const long at = html_record(page, record_text(launch, "sha256"));
        const json_t *e = at < 0 ? NULL : record_at(html_at(page, at), "result.energy");
        if (!e) continue;
        if (!isnan(record_real(e, "joules_per_token"))) {
            html_number(page, at, record_real(e, "joules_per_token"), "%.3g");
            return;
        }
        html_cell(page, record_text(e, "status"));
        return;
    }
    html_cell(page, "–");
}

static void row(struct html_page *page, const json_t *r) {
    const char *unit = record_text(r, "machine.unused_matrix_unit");
    char text[160];
    html_row(page);
    snprintf(text, sizeof text, "%.60s, %.90s", record_text(r, "machine.host"), record_text(r, "machine.cpu"));
    html_cell(page, text);
    work(r, text);
    html_cell(page, text);
    html_cell(page, record_text(r, "config.precision"));
    html_number(page, -1, record_real(r, "result.rate"), "%.1f");
    html_cell(page, record_text(r, "result.rate_unit"));
    html_interval(page, record_real(r, "result.rate_low"), record_real(r, "result.rate_high"), "%.1f");
    html_number(page, -1, 100 * record_real(r, "result.mfu"), "%.1f%%");
    by_launch(page, r);
    energy(page, r);
    html_status(page, record_text(r, "status"));
    fputs(" ", page->out);
    html_text(page->out, record_text(r, "why"));
    if (*unit) fputs(" lower bound: ", page->out), html_text(page->out, unit), fputs(" is not used", page->out);
}

void html_headline(struct html_page *page) {
    const json_t *r;
    size_t i, rows = 0;
    json_array_foreach(page->input->launches, i, r) {
        if (strcmp(record_text(r, "of.kind"), "train") != 0) continue;
        if (!rows++)
            html_table(page,
                       "Rates: the harmonic mean over launches with Student's 95% interval; the launch is the "
                       "unit. MFU is of the measured peak, the launches' median. Rates link to their records.",
                       "machine|work|precision|#rate|unit|#95% interval|#MFU|by launch|#J/token|status");
        if (rows <= HTML_ROWS) row(page, r);
    }
    if (rows) html_table_end(page, (long)rows - HTML_ROWS);
}
