/* SPDX-License-Identifier: Apache-2.0
 *
 * Elements of the page: text, sections, tables. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html/parts.h"

void html_text(FILE *out, const char *text) {
    for (; *text; text++) switch (*text) {
        case '&':
            fputs("&amp;", out);
            break;
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
        }
}

void html_section(struct html_page *page, const char *id, const char *title) {
    fprintf(page->out, "<section id=\"%s\">\n<h2>%s</h2>\n", id, title);
}

void html_section_end(struct html_page *page) {
    fputs("</section>\n", page->out);
}

void html_table(struct html_page *page, const char *caption, const char *heads) {
    fputs("<div class=\"wide\"><table>\n<caption>", page->out);
    html_text(page->out, caption);
    fputs("</caption>\n<thead><tr>", page->out);
    for (const char *head = heads; *head; head += strspn(head, "|")) {
        const size_t length = strcspn(head, "|");
        const bool number = *head == '#';
        char text[64];
        snprintf(text, sizeof text, "%.*s", (int)(length - number), head + number);
        fprintf(page->out, "<th scope=\"col\"%s>", number ? " class=\"n\"" : "");
        html_text(page->out, text);
        fputs("</th>", page->out);
        head += length;
    }
    fputs("</tr></thead>\n<tbody>\n", page->out);
}

void html_table_end(struct html_page *page, long left_out) {
    fputs("</tbody></table></div>\n", page->out);
    if (left_out > 0)
        fprintf(page->out, "<p class=\"note\">%ld more rows are not shown; every record is listed below.</p>\n",
                left_out);
}

void html_row(struct html_page *page) {
    fputs("<tr>", page->out); /* its end may be left out */
}

void html_cell(struct html_page *page, const char *text) {
    fputs("<td>", page->out);
    html_text(page->out, text);
}

void html_number(struct html_page *page, long record, double x, const char *format) {
    char text[64] = "–";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (!isnan(x)) snprintf(text, sizeof text, format, x);
#pragma GCC diagnostic pop
    html_linked(page, isnan(x) ? -1 : record, text);
}

void html_interval(struct html_page *page, double low, double high, const char *format) {
    char text[96] = "–", a[40], b[40];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(a, sizeof a, format, low), snprintf(b, sizeof b, format, high);
#pragma GCC diagnostic pop
    if (!isnan(low) && !isnan(high)) snprintf(text, sizeof text, "[%s, %s]", a, b);
    html_linked(page, -1, text);
}

void html_linked(struct html_page *page, long record, const char *text) {
    fputs("<td class=\"n\">", page->out);
    if (record >= 0) fprintf(page->out, "<a href=\"#r%ld\">", record + 1);
    html_text(page->out, text);
    if (record >= 0) fputs("</a>", page->out);
}

void html_value(struct html_page *page, const json_t *value) {
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    html_text(page->out, json_is_string(value)          ? json_string_value(value)
                         : text && strcmp(text, "null") ? text
                                                        : "unknown");
    free(text);
}

void html_status(struct html_page *page, const char *status) {
    const char *class = !strcmp(status, "PASSED")                                ? "good"
                        : !strcmp(status, "FAILED") || !strcmp(status, "BROKEN") ? "bad"
                                                                                 : "unsure";
    fprintf(page->out, "<td><strong class=\"%s\">", class);
    html_text(page->out, status);
    fputs("</strong>", page->out);
}

const json_t *html_at(const struct html_page *page, long record) {
    return page->input->records->at[record].record;
}

long html_record(const struct html_page *page, const char *sha256) {
    const struct record_list *list = page->input->records;
    for (size_t i = 0; *sha256 && i < list->count; i++)
        if (!strcmp(list->at[i].sha256, sha256)) return (long)i;
    return -1;
}

long html_next(const struct html_page *page, const char *kind, long from) {
    const struct record_list *list = page->input->records;
    for (size_t i = (size_t)from; i < list->count; i++)
        if (!strcmp(record_text(list->at[i].record, "kind"), kind)) return (long)i;
    return -1;
}
