/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine's file and its accelerator's, with one change, written to the test's folder. Tests of machines share this.
 * A failure ends the test. */
#ifndef TOISE_TESTS_MACHINE_JSON_H
#define TOISE_TESTS_MACHINE_JSON_H

#include <jansson.h>
#include <stdbool.h>

#include "machine/machine.h"

/* Texts of a good machine, m.json, of 4 nodes of 8, and of its accelerator, a.json. */
extern const char machine_json_good[], machine_json_accelerator[];

/* Sets the value at a path of a JSON text, like "node.rails.value" or "cost.0.eur"; NULL removes it. The caller
 * frees the new text. */
char *machine_json_changed(const char *text, const char *path, const char *value);
/* Writes m.json and a.json, then reads the machine. */
int machine_json_read(const char *machine, const char *accelerator, struct machine *m, struct base_error *e);
/* Expects BASE_USAGE with one line that has all of the words, and nothing written to the caller's machine. */
void machine_json_refused(const char *machine, const char *accelerator, const char *file, const char *word,
                          const char *fix);
/* Skips the test if the build has no catalogue. */
void machine_json_need_catalog(void);

#endif
