/* SPDX-License-Identifier: Apache-2.0
 *
 * The machines of all records: equal ones grouped, and what differs. */
#include <string.h>

#include "base/text.h"
#include "html/parts.h"
#include "inventory/nodes.h"

/* Adds a machine unless its host was met with the same facts. */
static void add(json_t *seen, json_t *machines, json_t *machine) {
    char key[512];
    if (!json_is_object(machine) || !record_text(machine, "host")[0]) return;
    snprintf(key, sizeof key, "%s|%s|%s|%s", record_text(machine, "host"), record_text(machine, "fingerprint"),
             record_text(machine, "cpu"), record_text(machine, "kernel"));
    if (json_object_get(seen, key)) return;
    json_object_set_new(seen, key, json_true());
    json_array_append(machines, machine);
}

static json_t *collect(const struct html_page *page) {
    const struct record_list *list = page->input->records;
    json_t *seen = json_object(), *machines = json_array(), *group;
    size_t k;
    for (size_t i = 0; i < list->count; i++) {
        const json_t *record = list->at[i].record;
        const json_t *groups = strcmp(record_text(record, "kind"), "info") ? NULL : record_at(record, "result.groups");
        add(seen, machines, json_object_get(record, "machine"));
        json_array_foreach(groups, k, group) add(seen, machines, json_object_get(group, "machine"));
    }
    json_decref(seen);
    return machines;
}

static void group_row(struct html_page *page, const json_t *group) {
    const json_t *m = record_at(group, "machine");
    const double memory = record_real(m, "memory_bytes");
    char text[160] = "–";
    html_row(page);
    html_cell(page, record_text(group, "hosts"));
    html_cell(page, record_text(m, "fingerprint"));
    html_cell(page, record_text(m, "cpu"));
    html_number(page, -1, record_real(m, "cores"), "%.0f");
    if (memory > 0) base_text_bytes(memory, text, sizeof text);
    html_linked(page, -1, text);
    html_cell(page, record_text(m, "isa"));
    snprintf(text, sizeof text, "OpenBLAS %.100s", record_text(m, "openblas.core"));
    html_cell(page, record_text(m, "openblas.core")[0] ? text : "–");
    html_cell(page, record_text(m, "kernel"));
    html_cell(page, record_text(m, "mpi"));
    snprintf(text, sizeof text, "lower bound: %.60s is not used", record_text(m, "unused_matrix_unit"));
    html_cell(page, record_text(m, "unused_matrix_unit")[0] ? text : "");
}

static void difference_row(struct html_page *page, const json_t *d) {
    const json_t *v;
    size_t i;
    html_row(page);
    html_cell(page, record_text(d, "key"));
    html_cell(page, record_true(d, "matters") ? "yes" : "no");
    fputs("<td>", page->out);
    json_array_foreach(record_at(d, "values"), i, v) {
        if (i == 8) {
            fprintf(page->out, "<br>and %zu more values", json_array_size(record_at(d, "values")) - i);
            break;
        }
        if (i) fputs("<br>", page->out);
        html_value(page, record_at(v, "value"));
        fputs(" <span class=\"note\">on ", page->out);
        html_text(page->out, record_text(v, "hosts"));
        fputs("</span>", page->out);
    }
}

void html_machines(struct html_page *page) {
    json_t *machines = collect(page), *all = json_array_size(machines) ? inventory_compare(machines) : NULL;
    const json_t *o, *groups = record_at(all, "groups"), *differences = record_at(all, "differences");
    size_t i;
    if (json_array_size(groups)) {
        html_table(page, "Equal nodes in one row", "hosts|fingerprint|CPU|#cores|#memory|ISA|BLAS|kernel|MPI|");
        json_array_foreach(groups, i, o) if (i < HTML_ROWS) group_row(page, o);
        html_table_end(page, (long)json_array_size(groups) - HTML_ROWS);
    }
    if (json_array_size(differences)) {
        html_table(page, "What differs, the most telling first", "key|matters for speed|values");
        json_array_foreach(differences, i, o) if (i < HTML_ROWS) difference_row(page, o);
        html_table_end(page, (long)json_array_size(differences) - HTML_ROWS);
    }
    json_decref(all);
    json_decref(machines);
}
