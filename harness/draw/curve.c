/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws a curve: writes a gnuplot script and runs it. Every text is in single quotes, in which gnuplot reads no
 * commands. */
#include "draw/curve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/stats.h"
#include "draw/gnuplot.h"
#include "records/get.h"

enum { TICS = 16 };

static const char *const colors[] = {"#4477aa", "#ee6677", "#228833", "#aa7700",
                                     "#7744aa", "#0099bb", "#882255", "#444444"};
enum { COLORS = sizeof colors / sizeof *colors };

static void command(FILE *script, const char *words, const char *text) {
    fprintf(script, "%s ", words);
    draw_quote(script, text);
    fputc('\n', script);
}

/* The range of the x axis, in the units of drawing: positions of names, logarithms or numbers. */
struct span {
    bool names, is_log;
    double low, high;
    int points;
};

static double place(const struct span *s, double x) {
    return s->is_log ? log(x) : x;
}

static struct span span_of(const json_t *result) {
    const json_t *x = record_at(result, "x"), *groups = record_at(result, "groups"), *g, *p;
    struct span s = {.names = record_true(x, "names"), .low = INFINITY, .high = -INFINITY};
    size_t i, k;
    s.is_log = !s.names && !strcmp(record_text(x, "scale"), "log");
    json_array_foreach(groups, i, g) json_array_foreach(record_at(g, "points"), k, p) {
        const double at = place(&s, record_real(p, "x"));
        s.low = fmin(s.low, at), s.high = fmax(s.high, at);
        s.points++;
    }
    return s;
}

/* Columns: x, published, predicted, low, high, start and length of the prediction's dash. */
static void data(FILE *script, const struct span *s, const json_t *groups) {
    const double half = s->names ? 0.3 : 0.012 * (s->high - s->low);
    const json_t *g, *p;
    size_t i, k;
    json_array_foreach(groups, i, g) {
        fprintf(script, "$group%zu << end_of_group\n", i);
        json_array_foreach(record_at(g, "points"), k, p) {
            const double x = record_real(p, "x"), from = s->is_log ? x * exp(-half) : x - half;
            fprintf(script, "%.8g %.8g %.8g %.8g %.8g %.8g %.8g\n", x, record_real(p, "published"),
                    record_real(p, "predicted"), record_real(p, "low"), record_real(p, "high"), from,
                    s->is_log ? x * exp(half) - from : 2 * half);
        }
        fputs("end_of_group\n", script);
    }
}

static void heading(FILE *script, const json_t *record) {
    const json_t *config = record_at(record, "config");
    const json_t *s = record_at(record, "result.summary");
    char text[256];
    snprintf(text, sizeof text,
             "mean error of the time %.1f%%; %.0f%% of %lld runs inside the interval; fitted without these sources",
             100 * record_real(s, "mean"), 100 * record_real(s, "coverage"), record_whole(s, "n"));
    fputs("set title ", script);
    draw_quote(script, record_text(config, "title"));
    fputs(".\"\\n\".", script);
    draw_quote(script, text);
    fputc('\n', script);
}

/* A tic at every x whose label has room behind the previous one. Axes are about 700 points wide, letters about 9. */
static void number_tics(FILE *script, const struct span *s, const json_t *groups) {
    const double all = s->high - s->low, low = s->low - 0.05 * all, high = s->high + 0.05 * all;
    const json_t *g, *p;
    double x[1024], last = -INFINITY;
    size_t i, k, n = 0, printed = 0;
    json_array_foreach(groups, i, g) json_array_foreach(record_at(g, "points"), k, p) if (n < sizeof x / sizeof *x)
        x[n++] = record_real(p, "x");
    base_stats_sort(x, (int)n);
    if (all > 0) fprintf(script, "set xrange [%.8g:%.8g]\n", s->is_log ? exp(low) : low, s->is_log ? exp(high) : high);
    fputs("set xtics (", script);
    for (i = 0; i < n && printed < TICS; i++) {
        char label[32];
        const int letters = snprintf(label, sizeof label, "%.8g", x[i]);
        const double room = (9 * letters + 4) / 700.0 * all;
        if (printed && (x[i] == x[i - 1] || place(s, x[i]) - last < room)) continue;
        fprintf(script, "%s'%s' %.8g", printed++ ? ", " : "", label, x[i]);
        last = place(s, x[i]);
    }
    fputs(")\n", script);
}

static void name_tics(FILE *script, const struct span *s, const json_t *groups) {
    const json_t *g, *p;
    size_t i, k, n = 0;
    fprintf(script, "set xtics %s(", s->points > 5 ? "rotate by 90 right " : "");
    json_array_foreach(groups, i, g) json_array_foreach(record_at(g, "points"), k, p) {
        fputs(n++ ? ", " : "", script);
        draw_quote(script, record_text(p, "name"));
        fprintf(script, " %.8g", record_real(p, "x"));
    }
    fprintf(script, ")\nset xrange [0.3:%d.7]\n", s->points);
}

/* From zero, unless all values are far above it. */
static void y_range(FILE *script, const json_t *groups) {
    const json_t *g, *p;
    double least = INFINITY, most = 0;
    size_t i, k;
    json_array_foreach(groups, i, g) json_array_foreach(record_at(g, "points"), k, p) {
        least = fmin(least, fmin(record_real(p, "published"), record_real(p, "low")));
        most = fmax(most, fmax(record_real(p, "published"), record_real(p, "high")));
    }
    fprintf(script, "set yrange [%.8g:%.8g]\n", least > 0.5 * most ? 0.9 * least : 0, 1.04 * most);
}

static void axes(FILE *script, const struct span *s, const json_t *result) {
    const json_t *groups = record_at(result, "groups");
    if (s->is_log) fputs("set logscale x\n", script);
    if (s->names)
        name_tics(script, s, groups);
    else
        number_tics(script, s, groups);
    y_range(script, groups);
    command(script, "set xlabel", record_text(result, "x.label"));
    command(script, "set ylabel", record_text(result, "y.label"));
}

/* A line and its band. Points without order, or all at one x, get a dash on a bar each. */
static void plot_group(FILE *script, const struct span *s, const json_t *group, size_t i) {
    const char *color = colors[i % COLORS];
    const json_t *points = record_at(group, "points");
    const json_t *first = json_array_get(points, 0), *last = json_array_get(points, json_array_size(points) - 1);
    if (s->names || record_real(first, "x") == record_real(last, "x"))
        fprintf(script,
                "$group%zu using 1:4:(0):($5 - $4) with vectors nohead lw 6 lc rgb '#aa%s' notitle, "
                "'' using 6:3:7:(0) with vectors nohead lw 2 lc rgb '%s' title ",
                i, color + 1, color);
    else
        fprintf(script,
                "$group%zu using 1:4:5 with filledcurves fc rgb '%s' fs transparent solid 0.12 noborder notitle, "
                "'' using 1:3 with lines lw 2 lc rgb '%s' title ",
                i, color, color);
    draw_quote(script, record_text(group, "label"));
    fprintf(script, ", '' using 1:2 with points pt 7 ps 0.7 lc rgb '%s' notitle, ", color);
}

/* The interval's coverage is known only if runs of the class, and as large ones, were fitted. */
static const char *interval_of(const json_t *summary) {
    const long long all = record_whole(summary, "n"), outside = record_whole(summary, "extrapolated");
    return outside == 0    ? "90% interval"
           : outside < all ? "90% interval, in part extrapolated"
                           : "interval, extrapolated";
}

static void plot(FILE *script, const struct span *s, const json_t *result) {
    const json_t *groups = record_at(result, "groups"), *group;
    size_t i;
    fputs("plot ", script);
    json_array_foreach(groups, i, group) plot_group(script, s, group, i);
    fputs("NaN with points pt 7 ps 0.7 lc rgb '#666666' title 'published', "
          "NaN with lines lw 2 lc rgb '#666666' title 'predicted', ",
          script);
    fputs(s->names ? "NaN with lines lw 6 lc rgb '#cccccc' title "
                   : "NaN with filledcurves fc rgb '#666666' fs transparent solid 0.12 noborder title ",
          script);
    draw_quote(script, interval_of(record_at(result, "summary")));
    fputc('\n', script);
}

static void write_script(FILE *script, const json_t *record) {
    const json_t *result = record_at(record, "result");
    const struct span s = span_of(result);
    data(script, &s, record_at(result, "groups"));
    fprintf(script, "set terminal svg size 900, %d font 'sans,15' background 'white' noenhanced\n",
            s.names && s.points > 5 ? 700 : 600);
    fputs("set grid lc rgb '#dddddd'\nset tics nomirror\nset border 3\n"
          "set key below center maxcols 3 Left reverse samplen 2 height 1\n",
          script);
    heading(script, record);
    axes(script, &s, result);
    plot(script, &s, result);
}

int draw_curve(const json_t *record, const char *path, struct base_error *e) {
    char *text = NULL;
    size_t size = 0;
    FILE *script = open_memstream(&text, &size);
    if (!script) return base_fail(e, BASE_BROKEN, "%s: out of memory", path);
    write_script(script, record);
    const int code = fclose(script) == 0 ? draw_gnuplot_file(text, size, path, e)
                                         : base_fail(e, BASE_BROKEN, "%s: out of memory", path);
    free(text);
    return code;
}
