/* SPDX-License-Identifier: Apache-2.0
 *
 * What `toise project` does beside a model on machines; each has flags of its own. */
#ifndef TOISE_CLI_PROJECT_MODES_H
#define TOISE_CLI_PROJECT_MODES_H

#include <stdbool.h>

#include "base/error.h"

/* --curve SERIES: a published series beside its prediction; --list-curves. */
int cli_project_curve(int argc, char *const *argv, struct base_error *e);
/* --machine RECORDS.jsonl, one alone that has records of kernels: a machine that toise measured prices its own
 * training. */
bool cli_project_measured_asked(int argc, char *const *argv);
int cli_project_measured(int argc, char *const *argv, struct base_error *e);
/* --campaign NAME: a programme. */
int cli_project_campaign(int argc, char *const *argv, struct base_error *e);

#endif
