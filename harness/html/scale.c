/* SPDX-License-Identifier: Apache-2.0
 *
 * Scaling curves: a drawing, the points, the models, and how predictions did. */
#include <math.h>
#include <string.h>

#include "draw/scale.h"
#include "html/parts.h"

static void interval_cell(struct html_page *page, const json_t *o, const char *low, const char *high,
                          const char *format) {
    html_interval(page, record_real(o, low), record_real(o, high), format);
}

static void drawing(struct html_page *page, const json_t *record) {
    FILE *script = html_drawing(page, 800);
    if (!script) return;
    if (!draw_scale_script(script, record)) fputs("set xrange [1:2]\nplot NaN notitle\n", script);
    html_drawing_end(page, script,
                     "Two panels over the number of units: rate and efficiency, measured and by each model.",
                     "Rate and efficiency with 95% intervals. The tables have the figures.");
}

static void caption_of(const json_t *record, char text[256]) {
    const json_t *work = record_at(record, "config.work");
    const char *name = record_text(work, "workload.name");
    snprintf(text, 256, "%s scaling by %s: %.60s %s", record_text(record, "result.mode"),
             record_text(record, "result.unit"), *name ? name : record_text(work, "model"),
             record_text(work, "precision"));
}

static void points(struct html_page *page, long at, const json_t *record) {
    const json_t *p, *list = record_at(record, "result.points");
    char text[256];
    size_t i;
    caption_of(record, text);
    html_table(page, text,
               "#n|#tokens/s|#interval|#per node|#speed-up|#efficiency|#interval|#exposed s|#wait s|#runs|status");
    json_array_foreach(list, i, p) {
        if (i >= HTML_ROWS) break;
        const long run = html_record(page, record_text(json_array_get(record_at(p, "runs"), 0), "sha256"));
        html_row(page);
        html_number(page, at, (double)record_whole(p, "n"), "%.0f");
        html_number(page, run >= 0 ? run : at, record_real(p, "tokens_per_s"), "%.5g");
        interval_cell(page, p, "low", "high", "%.5g");
        html_number(page, at, record_real(p, "tokens_per_s_per_node"), "%.5g");
        html_number(page, at, record_real(p, "speedup"), "%.3f");
        html_number(page, at, record_real(p, "efficiency"), "%.3f");
        interval_cell(page, p, "efficiency_low", "efficiency_high", "%.3f");
        html_number(page, at, record_real(p, "exposed_s"), "%.4g");
        html_number(page, at, record_real(p, "wait_s"), "%.4g");
        html_number(page, at, (double)json_array_size(record_at(p, "runs")), "%.0f");
        html_status(page, record_text(p, "status"));
        if (*record_text(p, "why")) fputs(" ", page->out), html_text(page->out, record_text(p, "why"));
    }
    html_table_end(page, (long)json_array_size(list) - HTML_ROWS);
}

static void notes(struct html_page *page, const json_t *list) {
    const json_t *o;
    size_t i;
    json_array_foreach(list, i, o) {
        fprintf(page->out, "<p class=\"note\">n = %lld: ", record_whole(o, "n"));
        html_text(page->out, record_text(o, "why"));
        fputs("</p>\n", page->out);
    }
}

/* A value with its interval, or why there is none. */
static void models(struct html_page *page, long at, const json_t *record) {
    const char *law, *name;
    const json_t *o;
    json_t *fit, *v;
    size_t i;
    html_table(page, "Models: parameters, where efficiency falls under 50%, and what lies beyond the points",
               "model|what|#value|#interval|label");
    json_object_foreach(record_at(record, "result.fits"), law, fit) {
        if (*record_text(fit, "refused")) {
            html_row(page);
            html_cell(page, law), html_cell(page, "not fitted"), html_linked(page, -1, "–"), html_linked(page, -1, "–");
            html_cell(page, record_text(fit, "refused"));
            continue;
        }
        json_object_foreach(record_at(fit, "parameters"), name, v) {
            if (isnan(record_real(v, "value"))) continue;
            html_row(page);
            html_cell(page, law), html_cell(page, name);
            html_number(page, at, record_real(v, "value"), "%.4g");
            interval_cell(page, v, "low", "high", "%.4g");
            html_cell(page, "");
        }
        html_row(page);
        html_cell(page, law), html_cell(page, "efficiency under 50% from n");
        html_number(page, at, record_real(fit, "half_efficiency_n.value"), "%.4g");
        interval_cell(page, record_at(fit, "half_efficiency_n"), "low", "high", "%.4g");
        html_cell(page, isnan(record_real(fit, "half_efficiency_n.value")) &&
                                json_is_object(record_at(fit, "half_efficiency_n"))
                            ? "never, by this model"
                            : "");
        json_array_foreach(record_at(fit, "extrapolated"), i, o) {
            char text[64];
            snprintf(text, sizeof text, "efficiency at n = %.0f", record_real(o, "n"));
            html_row(page);
            html_cell(page, law), html_cell(page, text);
            html_number(page, at, record_real(o, "efficiency"), "%.3f");
            interval_cell(page, o, "efficiency_low", "efficiency_high", "%.3f");
            html_cell(page, *record_text(o, "why") ? record_text(o, "why") : record_text(o, "label"));
        }
    }
    html_table_end(page, 0);
}

static void scored(struct html_page *page, long at, const json_t *list) {
    const json_t *o;
    size_t i;
    if (!json_array_size(list)) return;
    html_table(page, "Predictions written down before their points ran",
               "#n|model|written|#predicted|#interval|#measured|#error|inside");
    json_array_foreach(list, i, o) {
        if (i >= HTML_ROWS) break;
        html_row(page);
        html_number(page, at, (double)record_whole(o, "n"), "%.0f");
        html_cell(page, record_text(o, "by"));
        html_cell(page, record_text(o, "time"));
        html_number(page, at, record_real(o, "tokens_per_s"), "%.5g");
        interval_cell(page, o, "low", "high", "%.5g");
        html_number(page, at, record_real(o, "measured_tokens_per_s"), "%.5g");
        html_number(page, at, 100 * record_real(o, "error"), "%+.1f%%");
        html_cell(page, !record_at(o, "inside") ? "not measured yet" : record_true(o, "inside") ? "yes" : "no");
    }
    html_table_end(page, (long)json_array_size(list) - HTML_ROWS);
}

void html_scale(struct html_page *page) {
    for (long at = html_next(page, "scale", 0); at >= 0; at = html_next(page, "scale", at + 1)) {
        const json_t *record = html_at(page, at);
        drawing(page, record);
        points(page, at, record);
        notes(page, record_at(record, "result.skipped"));
        notes(page, record_at(record, "result.flags"));
        models(page, at, record);
        scored(page, at, record_at(record, "result.predictions"));
        scored(page, at, record_at(record, "result.scored"));
    }
}
