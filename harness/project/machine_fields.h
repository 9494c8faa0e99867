/* SPDX-License-Identifier: Apache-2.0
 *
 * Every fact of a machine, its accelerator and its facility once: where its file has it, where the struct has it, and
 * what it may be; for project/ alone. Reading, setting and explaining go by this table. */
#ifndef TOISE_PROJECT_MACHINE_FIELDS_H
#define TOISE_PROJECT_MACHINE_FIELDS_H

#include "project/document.h"

enum project_part { PROJECT_OF_MACHINE, PROJECT_OF_ACCELERATOR, PROJECT_OF_FACILITY };

enum { PROJECT_NOWHERE = -1, PROJECT_KEY = 96 };
struct project_field {
    enum project_part part;
    const char *path; /* in its file: "node.rail_bytes_per_s" */
    long at;          /* of the struct project_fact in struct project_machine; PROJECT_NOWHERE: checked, not kept */
    struct project_rule rule;
    bool required;
};
extern const struct project_field project_fields[];
extern const int project_field_count;
extern const struct project_rule project_rule_oversubscription, project_rule_level_nodes;

/* The field of this key; NULL: none that a machine keeps. */
const struct project_field *project_field_find(const char *key);
/* What project_machine_set calls it: "accelerator.power_w". */
void project_field_key(const struct project_field *field, char key[PROJECT_KEY]);
const struct project_fact *project_field_fact(const struct project_field *field, const struct project_machine *m);
struct project_fact *project_field_slot(const struct project_field *field, struct project_machine *m);

/* Makes every fact of a part unknown. */
void project_fields_clear(struct project_machine *m, enum project_part part);
/* Reads every fact of a part, and refuses keys that no part knows. */
int project_fields_read(const struct project_document *d, enum project_part part, struct project_machine *m,
                        struct base_error *e);

#endif
