/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels: a table of their rates, and the roofline. */
#include <math.h>
#include <string.h>

#include "html/parts.h"

static const json_t *result_of(const struct html_page *page, long at) {
    return record_at(html_at(page, at), "result");
}

/* Kernels of one dtype and variant have one colour; the roof is over all of a dtype. */
static bool point_of(const json_t *record, struct html_point *p) {
    const char *dtype = record_text(record, "result.dtype"), *variant = record_text(record, "result.variant");
    p->x = record_real(record, "result.intensity");
    p->y = record_real(record, "result.flop_per_s") / 1e9;
    snprintf(p->key, sizeof p->key, "%s\n%s", dtype, variant);
    snprintf(p->title, sizeof p->title, "%.40s, %.40s", dtype, variant);
    return p->x > 0 && p->y > 0;
}

/* The highest roofs of a dtype. */
static void roofs(const struct html_page *page, const char *dtype, double *peak, double *bandwidth) {
    *peak = *bandwidth = 0;
    for (long at = html_next(page, "kernel", 0); at >= 0; at = html_next(page, "kernel", at + 1)) {
        const json_t *r = result_of(page, at);
        if (strcmp(record_text(r, "dtype"), dtype) != 0) continue;
        *peak = fmax(*peak, record_real(r, "peak_flop_per_s"));
        *bandwidth = fmax(*bandwidth, record_real(r, "bandwidth_byte_per_s"));
    }
}

static void roof_lines(const struct html_page *page, FILE *script) {
    static const char *const dtypes[] = {"f32", "bf16"};
    for (int d = 0; d < 2; d++) {
        double peak, bandwidth;
        roofs(page, dtypes[d], &peak, &bandwidth);
        if (peak > 0 && bandwidth > 0)
            fprintf(script, ", (x*%.6g < %.6g ? x*%.6g : %.6g) with lines lw 2 dt %d lc rgb '#777777' title 'roof, %s'",
                    bandwidth / 1e9, peak / 1e9, bandwidth / 1e9, peak / 1e9, d + 1, dtypes[d]);
    }
}

static void draw(struct html_page *page) {
    struct html_series sets;
    char text[HTML_CAPTION];
    FILE *script = html_series_find(page, "kernel", point_of, &sets) ? html_drawing(page, 460) : NULL;
    if (!script) return;
    html_series_data(page, &sets, script);
    fputs("set logscale xy\nset xlabel 'intensity, FLOP/byte'\nset ylabel 'GFLOP/s'\n", script);
    html_series_plot(&sets, "points", script);
    roof_lines(page, script);
    fputc('\n', script);
    html_drawing_end(
        page, script, "Roofline: GFLOP/s of every kernel over its operations per byte, under the measured roofs.",
        html_series_caption(
            &sets, "Roofs: the highest measured peak and bandwidth of these records. The table has the figures.",
            text));
}

static void row(struct html_page *page, long at) {
    const json_t *record = html_at(page, at), *r = record_at(record, "result");
    html_row(page);
    html_cell(page, record_text(record, "machine.host"));
    html_cell(page, record_text(r, "name")[0] ? record_text(r, "name") : record_text(r, "op"));
    html_cell(page, record_text(r, "shape"));
    html_cell(page, record_text(r, "dtype"));
    html_cell(page, record_text(r, "variant"));
    html_number(page, at, record_real(r, "flop_per_s") / 1e9, "%.1f");
    html_number(page, at, record_real(r, "byte_per_s") / 1e9, "%.2f");
    html_number(page, at, 100 * record_real(r, "fraction_of_roof"), "%.1f%%");
    html_cell(page, record_text(r, "fraction_of"));
    html_number(page, at, record_real(r, "ratio_to_openblas"), "%.3f");
    html_status(page, record_text(record, "status"));
}

void html_kernels(struct html_page *page) {
    long rows = 0;
    for (long at = html_next(page, "kernel", 0); at >= 0; at = html_next(page, "kernel", at + 1)) {
        if (!rows++) {
            draw(page);
            html_table(page, "Rates, each with the roof that its fraction is of",
                       "host|kernel|shape|dtype|variant|#GFLOP/s|#GB/s|#of roof|roof|#/OpenBLAS|status");
        }
        if (rows <= HTML_ROWS) row(page, at);
    }
    if (rows) html_table_end(page, rows - HTML_ROWS);
}
