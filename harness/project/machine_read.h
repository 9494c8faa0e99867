/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a machine's reading; for project/ alone. Each fills its part of *m, whose texts take what it keeps. */
#ifndef TOISE_PROJECT_MACHINE_READ_H
#define TOISE_PROJECT_MACHINE_READ_H

#include <jansson.h>

#include "project/machine.h"

/* The accelerator of this name or path; `flag` named it, `beside` is the file that did, or NULL. */
int project_accelerator_read(struct project_machine *m, const char *flag, const char *name, const char *beside,
                             struct base_error *e);
/* The site of this name in facilities.json; `flag` named it. */
int project_facility_read(struct project_machine *m, const char *flag, const char *name, struct base_error *e);

/* One of Calculon's systems (github.com/calculon-ai/calculon, systems/NAME.json). */
bool project_calculon_is(const json_t *json);
int project_calculon_read(struct project_machine *m, const json_t *json, const char *path, struct base_error *e);
/* The machine that records of toise were measured on. */
int project_records_read(struct project_machine *m, const char *path, struct base_error *e);

/* What a machine without a name of its own is called: its file, without folders and endings. */
enum { PROJECT_FILE_NAME = 64 };
void project_file_name(const char *path, char name[PROJECT_FILE_NAME]);

#endif
