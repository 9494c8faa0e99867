/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the script: two panels that share the axis of n, the rate above and the efficiency below. */
#include "draw/scale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draw/gnuplot.h"
#include "records/get.h"

static const char *const colors[] = {"#ee6677", "#228833", "#aa7700"};

/* A panel: keys of a point, of a model's line, and of a prediction. */
struct panel {
    const char *label, *value, *low, *high;
};
static const struct panel panels[] = {{"tokens/s", "tokens_per_s", "low", "high"},
                                      {"efficiency", "efficiency", "efficiency_low", "efficiency_high"}};
enum { PANELS = sizeof panels / sizeof *panels };

/* The largest n that has a rate. */
static double largest(const json_t *points) {
    const json_t *p;
    double n = 0;
    size_t i;
    json_array_foreach(points, i, p) if (record_real(p, "tokens_per_s") > 0) n = fmax(n, (double)record_whole(p, "n"));
    return n;
}

/* Rows of n, value, low, high. A point without an interval gets none, so its bar has no length. */
static void block(FILE *script, const char *name, const json_t *list, const struct panel *k) {
    const json_t *o;
    size_t i;
    fprintf(script, "$%s << END\n", name);
    json_array_foreach(list, i, o) {
        const double value = record_real(o, k->value), low = record_real(o, k->low), high = record_real(o, k->high);
        if (value > 0)
            fprintf(script, "%.8g %.8g %.8g %.8g\n", json_number_value(record_at(o, "n")), value,
                    isfinite(low) ? low : value, isfinite(high) ? high : value);
    }
    fputs("END\n", script);
}

static void data(FILE *script, const json_t *result) {
    const char *law;
    json_t *fit;
    for (int k = 0; k < PANELS; k++) {
        char name[64];
        snprintf(name, sizeof name, "points%d", k);
        block(script, name, record_at(result, "points"), &panels[k]);
        json_object_foreach(record_at(result, "fits"), law, fit) {
            snprintf(name, sizeof name, "%.40s%d", law, k);
            if (json_array_size(record_at(fit, "line"))) block(script, name, record_at(fit, "line"), &panels[k]);
        }
    }
    block(script, "predicted0", record_at(result, "predictions"), &panels[0]);
}

static void plot(FILE *script, const json_t *result, int k) {
    const json_t *base = record_at(result, "base");
    const char *law;
    json_t *fit;
    size_t color = 0;
    fprintf(script, "set ylabel '%s'\nplot ", panels[k].label);
    json_object_foreach(record_at(result, "fits"), law, fit) {
        const char *c = colors[color++ % (sizeof colors / sizeof *colors)];
        if (!json_array_size(record_at(fit, "line"))) continue;
        fprintf(script,
                "$%s%d using 1:3:4 with filledcurves fc rgb '%s' fs transparent solid 0.12 noborder notitle, "
                "'' using 1:2 with lines lw 2 lc rgb '%s' title ",
                law, k, c, c);
        draw_quote(script, law);
        fputs(", ", script);
    }
    fprintf(script, k ? "1" : "%.8g * x", record_real(base, "tokens_per_s") / (double)record_whole(base, "n"));
    fprintf(script,
            " with lines dt 2 lc rgb '#888888' title 'ideal', "
            "$points%d using 1:2:3:4 with yerrorbars pt 7 ps 0.7 lc rgb '#4477aa' title 'measured'",
            k);
    if (!k && json_array_size(record_at(result, "predictions")))
        fputs(
            ", $predicted0 using 1:2:3:4 with yerrorbars pt 6 ps 0.9 lc rgb '#aa3377' title 'predicted, not measured'",
            script);
    fputc('\n', script);
}

bool draw_scale_script(FILE *script, const json_t *record) {
    const json_t *result = record_at(record, "result");
    const double most = largest(record_at(result, "points"));
    if (!(most > 0)) return false;
    data(script, result);
    fprintf(script,
            "set multiplot layout 2, 1\nset lmargin 11\nset logscale x 2\nset xrange [%.8g:%.8g]\nset arrow from first "
            "%.8g, graph 0 "
            "to first "
            "%.8g, graph 1 nohead dt 3 lc rgb '#888888'\n",
            0.9 * (double)record_whole(result, "base.n"),
            fmax(10.5 * most, 1.1 * largest(record_at(result, "predictions"))), most, most);
    fprintf(script, "set logscale y\nset xlabel '%ss; beyond the dotted line extrapolated'\nset key top left\n",
            record_text(result, "unit"));
    plot(script, result, 0);
    fputs("unset title\nunset logscale y\nset yrange [0:*]\nset key bottom left\n", script);
    plot(script, result, 1);
    fputs("unset multiplot\n", script);
    return true;
}

static void title(FILE *script, const json_t *record) {
    const json_t *work = record_at(record, "config.work");
    const char *name = record_text(work, "workload.name");
    char text[256];
    snprintf(text, sizeof text, "%.60s %s, %s scaling", *name ? name : record_text(work, "model"),
             record_text(work, "precision"), record_text(record, "result.mode"));
    fputs("set title ", script);
    draw_quote(script, text);
    fputc('\n', script);
}

int draw_scale(const json_t *record, const char *path, struct base_error *e) {
    char *text = NULL;
    size_t size = 0;
    FILE *script = open_memstream(&text, &size);
    if (!script) return base_fail(e, BASE_BROKEN, "%s: out of memory", path);
    fputs("set terminal svg size 900, 900 font 'sans,15' background 'white' noenhanced\n"
          "set grid lc rgb '#dddddd'\nset tics nomirror\nset border 3\n",
          script);
    title(script, record);
    const bool drawn = draw_scale_script(script, record), written = fclose(script) == 0;
    int code = BASE_OK;
    if (!drawn) code = base_fail(e, BASE_BROKEN, "%s: not drawn: no point has a rate", path);
    if (!code && !written) code = base_fail(e, BASE_BROKEN, "%s: out of memory", path);
    if (!code) code = draw_gnuplot_file(text, size, path, e);
    free(text);
    return code;
}
