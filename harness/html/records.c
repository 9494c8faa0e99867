/* SPDX-License-Identifier: Apache-2.0
 *
 * Every record with its place and hash: what the figures link to. */
#include "html/parts.h"

enum { RECORDS_MOST = 50000 };

void html_records(struct html_page *page) {
    const struct record_list *list = page->input->records;
    html_table(page, "Check a record: sed -n LINEp FILE | tr -d '\\n' | sha256sum prints the same digits.",
               "#record|kind|status|time|launch|file and line|SHA-256");
    for (size_t i = 0; i < list->count && i < RECORDS_MOST; i++) {
        const struct record_loaded *r = &list->at[i];
        fprintf(page->out, "<tr id=\"r%zu\"><td class=\"n\">%zu", i + 1, i + 1);
        html_cell(page, record_text(r->record, "kind"));
        html_status(page, record_text(r->record, "status"));
        fputs(" ", page->out);
        html_text(page->out, record_text(r->record, "why"));
        html_cell(page, record_text(r->record, "time"));
        html_cell(page, record_text(r->record, "launch.id"));
        fputs("<td>", page->out);
        html_text(page->out, r->path);
        fprintf(page->out, ":%ld<td><code>%s</code>\n", r->line, r->sha256);
    }
    html_table_end(page, (long)list->count - RECORDS_MOST);
}
