/* SPDX-License-Identifier: Apache-2.0
 *
 * The lists of a machine's files, whose rows hold several figures under one status; for project/ alone. */
#ifndef TOISE_PROJECT_MACHINE_ROWS_H
#define TOISE_PROJECT_MACHINE_ROWS_H

#include "project/document.h"

/* Bus bandwidths of collectives. */
int project_rows_collectives(const struct project_document *d, const char *field, struct project_rows *rows,
                             struct base_error *e);
/* Times of checkpoints. */
int project_rows_storage(const struct project_document *d, const char *field, struct project_rows *rows,
                         struct base_error *e);
int project_rows_levels(const struct project_document *d, struct project_network *network, struct base_error *e);
int project_rows_costs(const struct project_document *d, struct project_machine *m, struct base_error *e);
int project_rows_queues(const struct project_document *d, struct project_machine *m, struct base_error *e);
int project_rows_tiles(const struct project_document *d, struct project_accelerator *a, struct base_error *e);

#endif
