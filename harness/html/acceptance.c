/* SPDX-License-Identifier: Apache-2.0
 *
 * Tenders: their verdicts, and each pledged figure with its interval. */
#include "html/parts.h"

static void figure_cells(struct html_page *page, long at, const json_t *item) {
    html_number(page, at, record_real(item, "figure"), "%.4g");
    html_interval(page, record_real(item, "low"), record_real(item, "high"), "%.4g");
}

static void item_row(struct html_page *page, long at, const json_t *item) {
    html_row(page);
    html_cell(page, record_text(item, "name"));
    html_number(page, -1, record_real(item, "pledged"), "%.4g");
    figure_cells(page, at, item);
    html_number(page, -1, record_real(item, "launches"), "%.0f");
    html_number(page, -1, record_real(item, "needed"), "%.0f");
    html_cell(page, record_text(item, "worst"));
    fputs("<td><strong>", page->out), html_text(page->out, record_text(item, "verdict")),
        fputs("</strong> ", page->out);
    html_text(page->out, record_text(item, "why"));
}

void html_acceptance(struct html_page *page) {
    for (long at = html_next(page, "accept", 0); at >= 0; at = html_next(page, "accept", at + 1)) {
        const json_t *record = html_at(page, at), *item;
        size_t i;
        fputs("<p><strong>", page->out);
        html_text(page->out, record_text(record, "result.verdict"));
        fputs("</strong> ", page->out);
        html_text(page->out, record_text(record, "config.tender.title"));
        fputs(" ", page->out);
        html_text(page->out, record_text(record, "why"));
        fprintf(page->out, "<br>%lld of %lld nodes measured.</p>\n", record_whole(record, "result.nodes_seen"),
                record_whole(record, "result.nodes"));
        html_table(page, "Pledged figures, of the worst place",
                   "figure|#pledged|#measured|#interval|#launches|#each needs|worst place|verdict");
        json_array_foreach(record_at(record, "result.items"), i, item) item_row(page, at, item);
        html_table_end(page, 0);
    }
}
