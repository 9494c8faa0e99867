/* SPDX-License-Identifier: Apache-2.0
 *
 * Kernels: a table of their rates, and the roofline. */
#include <math.h>
#include <string.h>

#include "draw/gnuplot.h"
#include "html/parts.h"

enum { SETS = 12 };

/* Kernels of one dtype and variant, drawn in one colour; the roof over all of a dtype. */
struct set {
    const char *dtype, *variant;
};

static const json_t *result_of(const struct html_page *page, long at) {
    return record_at(html_at(page, at), "result");
}

static int find_sets(const struct html_page *page, struct set sets[SETS]) {
    int count = 0;
    for (long at = html_next(page, "kernel", 0); at >= 0; at = html_next(page, "kernel", at + 1)) {
        const json_t *r = result_of(page, at);
        const struct set s = {record_text(r, "dtype"), record_text(r, "variant")};
        int i = 0;
        if (isnan(record_real(r, "flop_per_s")) || isnan(record_real(r, "intensity"))) continue;
        while (i < count && (strcmp(sets[i].dtype, s.dtype) != 0 || strcmp(sets[i].variant, s.variant) != 0)) i++;
        if (i == count && count < SETS) sets[count++] = s;
    }
    return count;
}

static bool within(const json_t *r, const struct set *s) {
    return !strcmp(record_text(r, "dtype"), s->dtype) && !strcmp(record_text(r, "variant"), s->variant);
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
    struct set sets[SETS];
    const int count = find_sets(page, sets);
    FILE *script = count ? html_drawing(page, 460) : NULL;
    if (!script) return;
    for (int s = 0; s < count; s++) {
        fprintf(script, "$set%d << END\n", s);
        for (long at = html_next(page, "kernel", 0); at >= 0; at = html_next(page, "kernel", at + 1)) {
            const json_t *r = result_of(page, at);
            const double x = record_real(r, "intensity"), y = record_real(r, "flop_per_s");
            if (within(r, &sets[s]) && x > 0 && y > 0) fprintf(script, "%.6g %.6g\n", x, y / 1e9);
        }
        fputs("END\n", script);
    }
    fputs("set logscale xy\nset xlabel 'intensity, FLOP/byte'\nset ylabel 'GFLOP/s'\nplot ", script);
    for (int s = 0; s < count; s++) {
        char title[128];
        snprintf(title, sizeof title, "%.40s, %.40s", sets[s].dtype, sets[s].variant);
        fprintf(script, "%s$set%d with points pt %d ps 0.7 lc %d title ", s ? ", " : "", s, 5 + s % 8, s + 1);
        draw_quote(script, title);
    }
    roof_lines(page, script);
    fputc('\n', script);
    html_drawing_end(page, script,
                     "Roofline: GFLOP/s of every kernel over its operations per byte, under the measured roofs.",
                     "Roofs: the highest measured peak and bandwidth of these records. The table has the figures.");
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
