/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a step's time goes, and every timed step with what disturbed it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "draw/gnuplot.h"
#include "html/parts.h"

enum { BARS = 24, SERIES = 8, FIGURES = 6 };

/* The first record of a group that has a rate; -1: none. */
static long first_of(const struct html_page *page, const json_t *group) {
    const json_t *launch;
    size_t i;
    if (strcmp(record_text(group, "of.kind"), "train") != 0) return -1;
    json_array_foreach(record_at(group, "samples.launches"), i, launch) {
        const long at = html_record(page, record_text(launch, "sha256"));
        if (at >= 0 && record_at(html_at(page, at), "result.breakdown")) return at;
    }
    return -1;
}

static void label(const json_t *record, char text[160]) {
    const char *name = record_text(record, "workload.name");
    snprintf(text, 160, "%.40s: %.60s %.10s", record_text(record, "machine.host"),
             *name ? name : record_text(record, "config.model"), record_text(record, "config.precision"));
}

/* The sum of the phases */
static double step_s(const json_t *record) {
    const char *phase;
    json_t *value;
    double sum = 0;
    json_object_foreach(record_at(record, "result.breakdown"), phase, value) sum += json_number_value(value);
    return sum;
}

/* Stacked bars of phases as shares of the step, a bar for each record. */
static void draw_phases(struct html_page *page, const long *bars, int count) {
    FILE *script = html_drawing(page, 260 + 30 * count);
    const char *phase;
    json_t *value;
    char text[160];
    if (!script) return;
    fputs(
        "set style fill solid 0.8\nset yrange [-0.7:*] reverse\nset xlabel 'share of the step, %'\nset xrange [0:100]\n"
        "set ytics ()\n$bars << END\n",
        script);
    for (int b = 0; b < count; b++) {
        const double step = step_s(html_at(page, bars[b])) / 100;
        double from = 0;
        int k = 0;
        json_object_foreach(record_at(html_at(page, bars[b]), "result.breakdown"), phase, value) {
            const double share = json_number_value(value) / step;
            fprintf(script, "%d %d %.9g %.9g\n", b, k++, from, from + share);
            from += share;
        }
    }
    fputs("END\n", script);
    for (int b = 0; b < count; b++) {
        label(html_at(page, bars[b]), text);
        fputs("set ytics add (", script), draw_quote(script, text), fprintf(script, " %d)\n", b);
    }
    fputs("plot ", script);
    int k = 0;
    json_object_foreach(record_at(html_at(page, bars[0]), "result.breakdown"), phase, value) {
        fprintf(script, "%s$bars using ($2==%d ? ($3+$4)/2 : 1/0):1:3:4:($1-0.35):($1+0.35) with boxxyerrorbars title ",
                k ? ", " : "", k);
        draw_quote(script, phase);
        k++;
    }
    fputc('\n', script);
    html_drawing_end(page, script,
                     "Stacked bars: the share of each phase in a step, a bar for each machine and workload.",
                     "Phases of the slowest rank's median step. The table below has their times.");
}

static void table_phases(struct html_page *page, const long *bars, int count) {
    char heads[2048] = "run", text[160];
    size_t used = 3;
    const char *phase;
    json_t *value;
    json_object_foreach(record_at(html_at(page, bars[0]), "result.breakdown"), phase,
                        value) if (used + 40 < sizeof heads) used +=
        (size_t)snprintf(heads + used, sizeof heads - used, "|#%.24s", phase);
    snprintf(heads + used, sizeof heads - used, "|#step");
    html_table(page, "Phases of a step in milliseconds, and their sum", heads);
    for (int b = 0; b < count; b++) {
        label(html_at(page, bars[b]), text);
        html_row(page), html_cell(page, text);
        json_object_foreach(record_at(html_at(page, bars[b]), "result.breakdown"), phase, value)
            html_number(page, bars[b], 1e3 * json_number_value(value), "%.3f");
        html_number(page, bars[b], 1e3 * step_s(html_at(page, bars[b])), "%.3f");
    }
    html_table_end(page, 0);
}

/* Writes the timed steps of a record. disturbed: only those, else all. Returns how many. */
static int write_steps(FILE *script, const json_t *record, bool disturbed) {
    const json_t *start = record_at(record, "samples.start_s"), *step = record_at(record, "samples.step_s"),
                 *marks = record_at(record, "samples.marks");
    int written = 0;
    for (size_t i = 0; i < json_array_size(step); i++) {
        if (disturbed && !json_array_size(json_array_get(marks, i))) continue;
        written++;
        if (script)
            fprintf(script, "%.9g %.9g\n", json_number_value(json_array_get(start, i)),
                    1e3 * json_number_value(json_array_get(step, i)));
    }
    return written;
}

/* All launches of a group: one colour each, disturbed steps ringed. */
static void draw_steps(struct html_page *page, const json_t *group) {
    const json_t *all = record_at(group, "samples.launches"), *launch;
    long at[SERIES];
    int count = 0, steps = 0, disturbed = 0;
    char text[160], caption[512];
    size_t i;
    json_array_foreach(all, i, launch) {
        const long found = html_record(page, record_text(launch, "sha256"));
        if (found < 0 || !json_array_size(record_at(html_at(page, found), "samples.step_s"))) continue;
        if (count < SERIES) at[count++] = found;
    }
    FILE *script = count ? html_drawing(page, 330) : NULL;
    if (!script) return;
    for (int s = 0; s < count; s++) {
        fprintf(script, "$steps%d << END\n", s);
        steps += write_steps(script, html_at(page, at[s]), false);
        fprintf(script, "END\n$ringed%d << END\n", s);
        disturbed += write_steps(script, html_at(page, at[s]), true);
        fputs("END\n", script);
    }
    fputs(
        "set xlabel 'seconds since the first timed step of the launch'\nset ylabel 'step, ms'\nset yrange [0:*]\nplot ",
        script);
    for (int s = 0; s < count; s++) {
        fprintf(script, "%s$steps%d with linespoints pt 7 ps 0.4 lc %d title 'launch %d'", s ? ", " : "", s, s + 1,
                s + 1);
        if (write_steps(NULL, html_at(page, at[s]), true))
            fprintf(script, ", $ringed%d with points pt 6 ps 1.2 lc rgb '#b3261e' notitle", s);
    }
    fputc('\n', script);
    label(html_at(page, at[0]), text);
    snprintf(caption, sizeof caption, "%s: %d timed steps of %d launches; %d were disturbed and are ringed%s", text,
             steps, count, disturbed, json_array_size(all) > (size_t)count ? "; later launches are not drawn" : "");
    html_drawing_end(page, script, "Points: the time of every timed step over the seconds of its launch.", caption);
}

void html_steps(struct html_page *page) {
    const json_t *group;
    long bars[BARS];
    int count = 0, drawn = 0;
    size_t i;
    json_array_foreach(page->input->launches, i, group) {
        const long at = first_of(page, group);
        if (at >= 0 && count < BARS) bars[count++] = at;
    }
    if (!count) return;
    draw_phases(page, bars, count);
    table_phases(page, bars, count);
    json_array_foreach(page->input->launches, i, group) if (first_of(page, group) >= 0 && drawn++ < FIGURES)
        draw_steps(page, group);
    if (drawn > FIGURES)
        fprintf(page->out, "<p class=\"note\">Steps of %d more groups are not drawn.</p>\n", drawn - FIGURES);
}
