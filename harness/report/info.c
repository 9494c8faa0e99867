/* SPDX-License-Identifier: Apache-2.0
 *
 * A record of kind "info": what differs between nodes, the largest group of equal nodes, and the other groups in a
 * line each. However many nodes there are, the page stays a few screens long. */
#include <stdlib.h>
#include <string.h>

#include "records/get.h"
#include "report/fact.h"
#include "report/report.h"

enum { VALUES = 4, KEYS = 40, GROUPS = 8, TEXT = 96 };

static void value(FILE *out, const char *key, const json_t *v) {
    char *text = NULL;
    size_t size;
    const char *why = record_text(v, "why");
    FILE *memory = open_memstream(&text, &size);
    if (!memory) return;
    if (!json_is_null(record_at(v, "value")))
        report_fact(memory, key, record_at(v, "value"));
    else if (why[0])
        fprintf(memory, "unknown (%s)", why);
    else
        fputs("none", memory);
    fclose(memory);
    report_clean(out, text, TEXT);
    free(text);
    fputs(" on ", out);
    report_clean(out, record_text(v, "hosts"), TEXT);
}

/* "  * governor      performance on n[1-2]; powersave on n3" */
static void difference(FILE *out, const json_t *d) {
    const json_t *values = record_at(d, "values");
    const size_t count = json_array_size(values);
    char key[64];
    snprintf(key, sizeof key, "%s", record_text(d, "key"));
    fputs(record_true(d, "matters") ? "* " : "  ", out);
    report_clean(out, key, sizeof key);
    fprintf(out, "%*s ", (int)(strlen(key) < 26 ? 26 - strlen(key) : 0), "");
    for (size_t i = 0; i < count && i < VALUES; i++) {
        if (i) fputs("; ", out);
        value(out, record_text(d, "key"), json_array_get(values, i));
    }
    if (count > VALUES) fprintf(out, "; and %zu more values", count - VALUES);
    fputc('\n', out);
}

static void differences(FILE *out, const json_t *result) {
    const json_t *all = record_at(result, "differences");
    const size_t count = json_array_size(all);
    if (record_whole(result, "nodes") < 2) return;
    if (!count) {
        fprintf(out, "\nAll %lld nodes are equal.\n", record_whole(result, "nodes"));
        return;
    }
    fputs("\nWhat differs between nodes (*: matters for speed, so the fingerprint differs):\n", out);
    for (size_t i = 0; i < count && i < KEYS; i++) difference(out, json_array_get(all, i));
    if (count > KEYS) fprintf(out, "  and %zu more, which the record has\n", count - KEYS);
}

static void head(FILE *out, const json_t *group) {
    const long long count = record_whole(group, "count");
    fprintf(out, "fingerprint %s   %lld node%s: ", record_text(group, "machine.fingerprint"), count,
            count == 1 ? "" : "s");
    report_clean(out, record_text(group, "hosts"), TEXT);
    fputc('\n', out);
}

void report_info(FILE *out, const json_t *record) {
    const json_t *result = record_at(record, "result"), *groups = record_at(result, "groups");
    const size_t count = json_array_size(groups);
    const long long nodes = record_whole(result, "nodes"), ranks = record_whole(record, "layout.world");
    fprintf(out, "toise info   %lld node%s, %lld rank%s\n", nodes, nodes == 1 ? "" : "s", ranks, ranks == 1 ? "" : "s");
    report_place(out, record_at(record, "launch"));
    differences(out, result);
    for (size_t i = 0; i < count && i < GROUPS; i++) {
        if (i < 2) fputc('\n', out);
        head(out, json_array_get(groups, i));
        if (i == 0) report_machine(out, record_at(json_array_get(groups, 0), "machine"));
    }
    if (count > GROUPS) fprintf(out, "and %zu more kinds of node, which the record has\n", count - GROUPS);
}
