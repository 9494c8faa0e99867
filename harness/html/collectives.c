/* SPDX-License-Identifier: Apache-2.0
 *
 * Collectives and messages: bus bandwidth over sizes, and a table. */
#include <math.h>
#include <string.h>

#include "base/text.h"
#include "draw/gnuplot.h"
#include "html/parts.h"

enum { LINES = 12 };

/* An operation within a group of ranks, from one launch: a line of the drawing. */
struct line {
    const char *op, *group, *launch;
};

static bool timed(const json_t *record) {
    return record_real(record, "result.busbw_byte_per_s") > 0 && record_real(record, "result.bytes") > 0;
}

static struct line line_of(const json_t *record) {
    return (struct line){record_text(record, "result.op"), record_text(record, "result.group"),
                         record_text(record, "launch.id")};
}

static bool same(const struct line *a, const struct line *b) {
    return !strcmp(a->op, b->op) && !strcmp(a->group, b->group) && !strcmp(a->launch, b->launch);
}

static void draw(struct html_page *page) {
    struct line lines[LINES];
    int count = 0;
    for (long at = html_next(page, "comm", 0); at >= 0; at = html_next(page, "comm", at + 1)) {
        const struct line l = line_of(html_at(page, at));
        int i = 0;
        if (!timed(html_at(page, at))) continue;
        while (i < count && !same(&lines[i], &l)) i++;
        if (i == count && count < LINES) lines[count++] = l;
    }
    FILE *script = count ? html_drawing(page, 420) : NULL;
    if (!script) return;
    for (int i = 0; i < count; i++) {
        fprintf(script, "$line%d << END\n", i);
        for (long at = html_next(page, "comm", 0); at >= 0; at = html_next(page, "comm", at + 1)) {
            const json_t *record = html_at(page, at);
            const struct line l = line_of(record);
            if (timed(record) && same(&lines[i], &l))
                fprintf(script, "%.9g %.9g\n", record_real(record, "result.bytes"),
                        record_real(record, "result.busbw_byte_per_s") / 1e9);
        }
        fputs("END\n", script);
    }
    fputs("set logscale xy\nset xlabel 'bytes of a rank'\nset ylabel 'bus bandwidth, GB/s'\nplot ", script);
    for (int i = 0; i < count; i++) {
        char title[160];
        snprintf(title, sizeof title, "%.40s %.20s", lines[i].op, lines[i].group);
        fprintf(script, "%s$line%d with linespoints pt %d ps 0.6 lc %d title ", i ? ", " : "", i, 5 + i % 8, i + 1);
        draw_quote(script, title);
    }
    fputc('\n', script);
    html_drawing_end(page, script, "Lines: bus bandwidth of each operation over the bytes of a rank.",
                     "Bus bandwidth as nccl-tests defines it. The table has the figures.");
}

static void row(struct html_page *page, long at) {
    const json_t *record = html_at(page, at), *r = record_at(record, "result");
    char text[32];
    html_row(page);
    html_cell(page, record_text(r, "op"));
    html_cell(page, record_text(r, "group"));
    base_text_bytes(record_real(r, "bytes"), text, sizeof text);
    html_linked(page, at, text);
    html_number(page, at, 1e6 * record_real(r, "time_s"), "%.2f");
    html_number(page, at, record_real(r, "algbw_byte_per_s") / 1e9, "%.3f");
    html_number(page, at, record_real(r, "busbw_byte_per_s") / 1e9, "%.3f");
    html_number(page, at, record_real(r, "wrong"), "%.0f");
    html_number(page, at, 1e6 * record_real(r, "min_s"), "%.2f");
    html_number(page, at, 1e6 * record_real(r, "max_s"), "%.2f");
    html_number(page, at, 1e6 * record_real(r, "p99_s"), "%.2f");
    html_number(page, at, 100 * record_real(r, "cv"), "%.1f%%");
    html_status(page, record_text(record, "status"));
}

void html_collectives(struct html_page *page) {
    long rows = 0;
    for (long at = html_next(page, "comm", 0); at >= 0; at = html_next(page, "comm", at + 1)) {
        if (isnan(record_real(html_at(page, at), "result.bytes"))) continue; /* a fit, or shares */
        if (!rows++) {
            draw(page);
            html_table(page, "Times in microseconds, of the slowest rank",
                       "operation|group|#size|#time|#algbw GB/s|#busbw GB/s|#wrong|#min|#max|#p99|#cv|status");
        }
        if (rows <= HTML_ROWS) row(page, at);
    }
    if (rows) html_table_end(page, rows - HTML_ROWS);
}
