/* SPDX-License-Identifier: Apache-2.0
 *
 * toise project --machine RECORDS.jsonl: a machine that toise measured prices its own training. */
#ifndef TOISE_CLI_PROJECT_MEASURED_H
#define TOISE_CLI_PROJECT_MEASURED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "comm/comm.h"

/* Whether the words name records (a --machine that ends in .jsonl): this has flags of its own. */
bool cli_project_measured_asked(int argc, char *const *argv);
int cli_project_measured(struct comm *world, int argc, char *const *argv, struct base_error *e);
/* A record as a page; ops: with every operation. */
void cli_report_measured(FILE *out, const json_t *record, bool ops);

#endif
