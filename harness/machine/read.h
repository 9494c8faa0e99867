/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers of a machine's parts. Each fills its part of *m and keeps texts in m->texts. Used only inside machine/.
 */
#ifndef TOISE_MACHINE_READ_H
#define TOISE_MACHINE_READ_H

#include <jansson.h>

#include "machine/machine.h"

/* The accelerator of this name or path. `flag` is the flag or field that named it. `beside` is the file of that field,
 * or NULL. */
int machine_accelerator_read(struct machine *m, const char *flag, const char *name, const char *beside,
                             struct base_error *e);
/* The facility of this name in facilities.json. `flag` is the field that named it. */
int machine_facility_read(struct machine *m, const char *flag, const char *name, struct base_error *e);

/* One of Calculon's systems (github.com/calculon-ai/calculon, systems/NAME.json). */
bool machine_calculon_is(const json_t *json);
int machine_calculon_read(struct machine *m, const json_t *json, const char *path, struct base_error *e);
/* The machine that records of toise were measured on. */
int machine_records_read(struct machine *m, const char *path, struct base_error *e);

/* The name of a machine whose file states none: the file's name without folders and extensions. */
enum { MACHINE_FILE_NAME = 64 };
void machine_file_name(const char *path, char name[MACHINE_FILE_NAME]);

#endif
