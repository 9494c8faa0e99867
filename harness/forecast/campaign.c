/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "campaign" as a page. Unknown figures are dashes. */
#include "forecast/forecast.h"

#include <math.h>
#include <string.h>

#include "base/text.h"
#include "records/get.h"

/* "82.7 k", without a trailing blank. */
static void si(double x, char text[24]) {
    if (x < 1)
        snprintf(text, 24, "%.2g", x);
    else
        base_text_si(x, text, 24);
    const size_t n = strlen(text);
    if (n && text[n - 1] == ' ') text[n - 1] = 0;
}

/* "113 [104, 132]" */
static void range(FILE *out, const char *head, int width, const json_t *row, const char *key) {
    const json_t *x = record_at(row, key);
    char value[24], low[24], high[24], text[96] = "-";
    if (json_is_object(x)) {
        si(record_real(x, "value"), value), si(record_real(x, "low"), low), si(record_real(x, "high"), high);
        snprintf(text, sizeof text, "%s [%s, %s]", value, low, high);
    }
    fprintf(out, "%s%*s", head, width, text);
}

static void priced(FILE *out, const json_t *r) {
    fprintf(out, "%-22.22s %3.0f  %-12.12s %6.0f", record_text(r, "machine"), record_real(r, "count"),
            record_text(r, "model"), record_real(r, "accelerators"));
    if (!record_true(r, "fits")) {
        fputs("  does not fit\n", out);
        return;
    }
    range(out, " ", 24, r, "days"), range(out, " ", 28, r, "trainings_a_year");
    range(out, "\n      MWh: accelerators ", 0, r, "mwh_accelerator"), range(out, ", nodes ", 0, r, "mwh_node");
    range(out, ", facility ", 0, r, "mwh_facility"), range(out, "; EUR ", 0, r, "eur");
    const char *of = record_text(r, "eur_of");
    fprintf(out, "%s%s\n", of[0] ? " of the " : "", of);
}

static void notes(FILE *out, const json_t *rows) {
    const json_t *r;
    size_t i;
    fputs("\nlabel of each row, or why it is blank\n", out);
    json_array_foreach(rows, i, r) {
        const bool blank = record_true(r, "blank");
        const char *why = record_text(r, "why");
        fprintf(out, "%-22.22s %-12.12s %s%s%s", record_text(r, "machine"), record_text(r, "model"),
                blank ? "blank" : record_text(r, "label"), why[0] ? ": " : "", why);
        if (!isnan(record_real(r, "published_accelerator_hours")))
            fprintf(out, "; %.0f accelerator-hours, published %.0f", record_real(r, "accelerator_hours.value"),
                    record_real(r, "published_accelerator_hours"));
        if (record_at(r, "left_out")) fprintf(out, "; left out: %s", record_text(r, "left_out"));
        fputc('\n', out);
    }
}

static void budgets(FILE *out, const json_t *result) {
    const json_t *list = record_at(result, "budgets"), *b, *a;
    size_t i, k;
    fputs("\nannounced budgets: rows of one name are readings of the same sum, so do not add them\n", out);
    json_array_foreach(list, i, b) {
        json_array_foreach(record_at(b, "amounts"), k, a)
            fprintf(out, "%-12s %6.1f M EUR  %-8s %-10s %s\n", record_text(b, "name"), record_real(a, "eur") / 1e6,
                    record_text(a, "date"), record_text(a, "status"), record_text(a, "covers"));
        if (!record_at(b, "amounts"))
            fprintf(out, "%-12s see the cost of %s: toise project --model mistral-7b --machine %s --explain\n",
                    record_text(b, "name"), record_text(b, "machine"), record_text(b, "machine"));
    }
}

void forecast_campaign(FILE *out, const json_t *record) {
    const json_t *config = record_at(record, "config"), *result = record_at(record, "result");
    const json_t *rows = record_at(result, "rows"), *price = record_at(result, "eur_per_mwh"), *r;
    size_t i;
    fprintf(out, "campaign    %s: %s\n", record_text(config, "campaign"), record_text(config, "title"));
    fputs("as many jobs at once as the machine holds, all year; value [low, high]\n\n", out);
    fprintf(out, "%-22s %3s  %-12s %6s %24s %28s\n", "machine", "x", "model", "a job", "days", "trainings a year");
    json_array_foreach(rows, i, r) if (!record_true(r, "blank")) priced(out, r);
    if (json_is_object(price))
        fprintf(out, "\nelectricity %.0f EUR/MWh [%.0f, %.0f], applied to the widest known boundary\n",
                record_real(price, "value"), record_real(price, "low"), record_real(price, "high"));
    notes(out, rows);
    budgets(out, result);
}
