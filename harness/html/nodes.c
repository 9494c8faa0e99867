/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of kind "nodes": each run, how slow each of its nodes is, and those that are not good. */
#include <math.h>
#include <string.h>

#include "html/parts.h"

static bool is_good(const json_t *node) {
    return !strcmp(record_text(node, "verdict"), "good");
}

static void run_row(struct html_page *page, long at) {
    const json_t *record = html_at(page, at), *r = record_at(record, "result"), *node;
    size_t i;
    long bad = 0;
    json_array_foreach(record_at(r, "nodes"), i, node) bad += !is_good(node);
    html_row(page);
    html_linked(page, at, record_text(record, "time"));
    html_number(page, at, (double)json_array_size(record_at(r, "nodes")), "%.0f");
    html_number(page, at, record_real(r, "rounds"), "%.0f");
    html_number(page, at, (double)bad, "%.0f");
    html_number(page, at, 100 * record_real(r, "quantities.step_s.caught"), "%.2f%%");
    html_number(page, at, 100 * record_real(r, "quantities.step_s.spread"), "%.2f%%");
    html_number(page, at, 100 * record_real(r, "links.share"), "%.3g%%");
    html_cell(page, record_text(r, "exclude"));
    html_status(page, record_text(record, "status"));
}

static void bad_row(struct html_page *page, long at, const json_t *node) {
    html_row(page);
    html_cell(page, record_text(node, "name"));
    html_cell(page, record_text(node, "verdict"));
    html_cell(page, record_text(node, "cause"));
    html_number(page, at, 100 * record_real(node, "slowdown"), "%.1f%%");
    html_interval(page, 100 * record_real(node, "slowdown_low"), 100 * record_real(node, "slowdown_high"), "%.1f%%");
    html_number(page, -1, record_real(node, "p"), "%.2g");
    html_cell(page, record_text(node, "why"));
    html_cell(page, record_text(node, "history"));
}

static void bad(struct html_page *page) {
    long rows = 0;
    for (long at = html_next(page, "nodes", 0); at >= 0; at = html_next(page, "nodes", at + 1)) {
        const json_t *node;
        size_t i;
        json_array_foreach(record_at(html_at(page, at), "result.nodes"), i, node) {
            if (is_good(node)) continue;
            if (!rows++)
                html_table(page, "Nodes that are not good",
                           "node|verdict|cause|#slowdown|#95% interval|#p|why|history");
            if (rows <= HTML_ROWS) bad_row(page, at, node);
        }
    }
    if (rows) html_table_end(page, rows - HTML_ROWS);
}

/* The last run, node by node. */
static void draw(struct html_page *page, long at) {
    const json_t *node;
    size_t i;
    bool any = false;
    json_array_foreach(record_at(html_at(page, at), "result.nodes"), i, node) any =
        any || isfinite(record_real(node, "slowdown"));
    FILE *script = any ? html_drawing(page, 320) : NULL;
    if (!script) return;
    for (int good = 0; good < 2; good++) {
        fprintf(script, "$%s << END\n", good ? "good" : "bad");
        json_array_foreach(record_at(html_at(page, at), "result.nodes"), i,
                           node) if (is_good(node) == good && !isnan(record_real(node, "slowdown")))
            fprintf(script, "%zu %.6g %.6g %.6g\n", i + 1, 100 * record_real(node, "slowdown"),
                    100 * record_real(node, "slowdown_low"), 100 * record_real(node, "slowdown_high"));
        fputs("NaN NaN NaN NaN\nEND\n", script); /* gnuplot refuses empty data */
    }
    fputs("set xlabel 'node'\nset ylabel 'slower than its peers, %'\nplot $good with yerrorbars pt 7 ps 0.5 title "
          "'good', $bad with yerrorbars pt 5 ps 0.8 title 'not good'\n",
          script);
    html_drawing_end(page, script, "Points: how much slower each node of the last run is than its peers, in per cent.",
                     "The last run, with 95% intervals. The record has the figures.");
}

void html_nodes(struct html_page *page) {
    long rows = 0, last = -1;
    for (long at = html_next(page, "nodes", 0); at >= 0; at = html_next(page, "nodes", at + 1)) {
        if (!rows++)
            html_table(page, "Runs of toise nodes",
                       "run|#nodes|#rounds|#not good|#slowdown caught|#spread|#links seen|exclude|status");
        if (rows <= HTML_ROWS) run_row(page, at);
        last = at;
    }
    if (!rows) return;
    html_table_end(page, rows - HTML_ROWS);
    bad(page);
    draw(page, last);
}
