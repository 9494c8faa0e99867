/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the lists of a machine's files. A row has several figures under one status. Used only inside machine/. */
#ifndef TOISE_MACHINE_ROWS_H
#define TOISE_MACHINE_ROWS_H

#include "machine/document.h"

/* Measured bus bandwidths of collectives. */
int machine_rows_collectives(const struct machine_document *d, const char *field, struct machine_rows *rows,
                             struct base_error *e);
/* Measured times of checkpoint writes. */
int machine_rows_storage(const struct machine_document *d, const char *field, struct machine_rows *rows,
                         struct base_error *e);
int machine_rows_levels(const struct machine_document *d, struct machine_network *network, struct base_error *e);
int machine_rows_costs(const struct machine_document *d, struct machine *m, struct base_error *e);
int machine_rows_queues(const struct machine_document *d, struct machine *m, struct base_error *e);
int machine_rows_tiles(const struct machine_document *d, struct machine_accelerator *a, struct base_error *e);

#endif
