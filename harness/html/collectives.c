/* SPDX-License-Identifier: Apache-2.0
 *
 * Collectives and messages: bus bandwidth over sizes, and a table. */
#include <math.h>

#include "base/text.h"
#include "html/parts.h"

/* An operation within a group of ranks, from one launch, is a line. */
static bool point_of(const json_t *record, struct html_point *p) {
    const char *op = record_text(record, "result.op"), *group = record_text(record, "result.group");
    p->x = record_real(record, "result.bytes");
    p->y = record_real(record, "result.busbw_byte_per_s") / 1e9;
    snprintf(p->key, sizeof p->key, "%s\n%s\n%s", op, group, record_text(record, "launch.id"));
    snprintf(p->title, sizeof p->title, "%.40s %.20s", op, group);
    return p->x > 0 && p->y > 0;
}

static void draw(struct html_page *page) {
    struct html_series lines;
    char text[HTML_CAPTION];
    FILE *script = html_series_find(page, "comm", point_of, &lines) ? html_drawing(page, 420) : NULL;
    if (!script) return;
    html_series_data(page, &lines, script);
    fputs("set logscale xy\nset xlabel 'bytes of a rank'\nset ylabel 'bus bandwidth, GB/s'\n", script);
    html_series_plot(&lines, "linespoints", script);
    fputc('\n', script);
    html_drawing_end(
        page, script, "Lines: bus bandwidth of each operation over the bytes of a rank.",
        html_series_caption(&lines, "Bus bandwidth as nccl-tests defines it. The table has the figures.", text));
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
