/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts: of the comparison made for this page, and of those on record. */
#include <math.h>
#include <string.h>

#include "html/parts.h"

enum { DIFFERENCES = 40 };

static void ratio_cells(struct html_page *page, long record, const json_t *o) {
    html_number(page, record, record_real(o, "ratio"), "%.4f");
    html_interval(page, record_real(o, "low"), record_real(o, "high"), "%.4f");
}

/* A text of an array; "": it has none there. */
static const char *text_at(const json_t *array, size_t i) {
    const char *text = json_string_value(json_array_get(array, i));
    return text ? text : "";
}

static const char *path_of(const json_t *record, const json_t *o) {
    return text_at(record_at(record, "config.sides"), (size_t)record_whole(o, "side"));
}

/* What a verdict must not be read without. */
static void qualifiers(struct html_page *page, const json_t *record, const json_t *o) {
    const size_t alone = json_array_size(record_at(record, "result.unpaired"));
    const double detectable = record_real(o, "detectable");
    if (record_true(o, "unverified")) fputs("<br>Of UNVERIFIED figures, which toise did not measure.", page->out);
    if (record_whole(o, "pairs_used") > 1)
        fprintf(page->out, "<br>Mean of %lld works, each with the same weight.", record_whole(o, "pairs_used"));
    if (*record_text(o, "of"))
        fputs("<br>Of ", page->out), html_text(page->out, record_text(o, "of")), fputc('.', page->out);
    if (!isnan(detectable)) fprintf(page->out, "<br>Could show %.2g%%.", 100 * detectable);
    if (alone) fprintf(page->out, "<br>%zu works have no partner and were not compared.", alone);
}

/* What is to be known about one side of a pair. */
static void cautions(struct html_page *page, const json_t *pair) {
    static const char *const sides[] = {"base", "new"};
    if (json_is_false(record_at(pair, "in_turns")))
        fputs("<br>Measured one after the other on the same nodes: drift counts as a difference.", page->out);
    for (int s = 0; s < 2; s++) {
        const json_t *g = record_at(pair, sides[s]);
        if (!strcmp(record_text(pair, "unit"), "launch") && record_whole(g, "jobs") < record_whole(g, "launches"))
            fprintf(page->out, "<br>%s: launches of %lld job%s are not independent.", sides[s], record_whole(g, "jobs"),
                    record_whole(g, "jobs") == 1 ? "" : "s");
        if (record_whole(g, "unverified"))
            fprintf(page->out, "<br>%s: %lld UNVERIFIED.", sides[s], record_whole(g, "unverified"));
    }
}

static void verdict_row(struct html_page *page, long at, const json_t *record, const json_t *o) {
    const json_t *c;
    size_t i;
    html_row(page);
    html_cell(page, text_at(record_at(record, "config.sides"), 0));
    html_cell(page, path_of(record, o));
    ratio_cells(page, at, o);
    fputs("<td><strong>", page->out), html_text(page->out, record_text(o, "verdict")), fputs("</strong> ", page->out);
    html_text(page->out, record_text(o, "why"));
    qualifiers(page, record, o);
    fputs("<td>", page->out);
    json_array_foreach(record_at(o, "causes"), i, c) {
        if (i) fputs("; ", page->out);
        html_text(page->out, record_text(c, "cause"));
    }
}

static void pairs(struct html_page *page, long at, const json_t *record) {
    const json_t *pair;
    size_t i, count = json_array_size(record_at(record, "result.pairs"));
    if (!count) return;
    html_table(
        page, "Pairs: ratio of the rates, new over base, with its interval; p corrected for the number of pairs (Holm)",
        "new|work|unit|#base|#new|#ratio|#95% interval|#p (Holm)|#launches|verdict");
    json_array_foreach(record_at(record, "result.pairs"), i, pair) {
        char launches[48];
        if (i >= HTML_ROWS) break;
        snprintf(launches, sizeof launches, "%lld, %lld", record_whole(pair, "base.launches"),
                 record_whole(pair, "new.launches"));
        html_row(page);
        html_cell(page, path_of(record, pair));
        html_cell(page, record_text(pair, "work"));
        html_cell(page, record_text(pair, "rate_unit"));
        html_number(page, html_record(page, text_at(record_at(pair, "base.records"), 0)),
                    record_real(pair, "base.rate"), "%.5g");
        html_number(page, html_record(page, text_at(record_at(pair, "new.records"), 0)), record_real(pair, "new.rate"),
                    "%.5g");
        ratio_cells(page, at, pair);
        html_number(page, -1, record_real(pair, "p_holm"), "%.2g");
        html_linked(page, -1, launches);
        html_cell(page, record_text(pair, "verdict"));
        cautions(page, pair);
    }
    html_table_end(page, (long)count - HTML_ROWS);
}

static void differences(struct html_page *page, const json_t *record) {
    const json_t *d, *list = record_at(json_array_get(record_at(record, "result.pairs"), 0), "differences");
    const size_t count = json_array_size(list);
    size_t i;
    if (!count) return;
    html_table(page, "What differs between the sides of the first pair", "key|base|new");
    json_array_foreach(list, i, d) {
        if (i >= DIFFERENCES) break;
        html_row(page);
        html_cell(page, record_text(d, "key"));
        fputs("<td>", page->out), html_value(page, record_at(d, "base"));
        fputs("<td>", page->out), html_value(page, record_at(d, "new"));
    }
    html_table_end(page, (long)count - DIFFERENCES);
}

/* One record of kind "compare"; at -1: it was made for this page. */
static void comparison(struct html_page *page, long at, const json_t *record) {
    const json_t *o;
    size_t i;
    html_table(page, "Verdicts", "base|new|#ratio|#95% interval|verdict|likely causes");
    if (!json_array_size(record_at(record, "result.against")))
        verdict_row(page, at, record, record_at(record, "result"));
    json_array_foreach(record_at(record, "result.against"), i, o) verdict_row(page, at, record, o);
    html_table_end(page, 0);
    pairs(page, at, record);
    differences(page, record);
}

/* Records of toise ab. */
static void turns(struct html_page *page) {
    long rows = 0;
    for (long at = html_next(page, "ab", 0); at >= 0; at = html_next(page, "ab", at + 1)) {
        const json_t *record = html_at(page, at), *r = record_at(record, "result");
        if (!rows++)
            html_table(page, "Commands run in turns: rate of B over that of A",
                       "A|B|metric|#ratio|#interval|#blocks|verdict");
        if (rows > HTML_ROWS) continue;
        html_row(page);
        html_cell(page, record_text(record, "config.a"));
        html_cell(page, record_text(record, "config.b"));
        html_cell(page, record_text(record, "config.metric"));
        ratio_cells(page, at, r);
        html_number(page, at, record_real(r, "blocks"), "%.0f");
        html_cell(page, record_text(r, "verdict"));
    }
    if (rows) html_table_end(page, rows - HTML_ROWS);
}

void html_comparison(struct html_page *page) {
    if (page->input->comparison) comparison(page, -1, page->input->comparison);
    if (*page->input->uncompared) {
        fputs("<p class=\"note\">Not compared: ", page->out);
        html_text(page->out, page->input->uncompared);
        fputs("</p>\n", page->out);
    }
    for (long at = html_next(page, "compare", 0); at >= 0; at = html_next(page, "compare", at + 1))
        comparison(page, at, html_at(page, at));
    turns(page);
}
