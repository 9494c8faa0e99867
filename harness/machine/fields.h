/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of all facts of a machine, its accelerator and its facility: the path in the file, the place in the struct,
 * and the allowed values. Reading, setting and listing facts use it. Used only inside machine/. */
#ifndef TOISE_MACHINE_FIELDS_H
#define TOISE_MACHINE_FIELDS_H

#include "machine/document.h"

enum machine_part { MACHINE_OF_MACHINE, MACHINE_OF_ACCELERATOR, MACHINE_OF_FACILITY };

enum { MACHINE_NOWHERE = -1, MACHINE_KEY = 96 };
struct machine_field {
    enum machine_part part;
    const char *path; /* in its file: "node.rail_bytes_per_s" */
    long at;          /* offset of the fact in struct machine; MACHINE_NOWHERE: checked, not kept */
    struct machine_rule rule;
    bool required;
};
extern const struct machine_field machine_fields[];
extern const int machine_field_count;
extern const struct machine_rule project_rule_oversubscription, machine_rule_level_nodes;

/* The field of a key; NULL: none that a machine keeps. */
const struct machine_field *machine_field_find(const char *key);
/* The key that machine_set takes: "accelerator.power_w". */
void machine_field_key(const struct machine_field *field, char key[MACHINE_KEY]);
const struct machine_fact *machine_field_fact(const struct machine_field *field, const struct machine *m);
struct machine_fact *machine_field_slot(const struct machine_field *field, struct machine *m);

/* Makes every fact of a part unknown. */
void machine_fields_clear(struct machine *m, enum machine_part part);
/* Reads every fact of a part. BASE_USAGE: an unknown key, a missing or a bad fact. */
int machine_fields_read(const struct machine_document *d, enum machine_part part, struct machine *m,
                        struct base_error *e);

#endif
