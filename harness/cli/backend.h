/* SPDX-License-Identifier: Apache-2.0
 *
 * The value of --backend: which library multiplies matrices. */
#ifndef TOISE_CLI_BACKEND_H
#define TOISE_CLI_BACKEND_H

#include "backend/backend.h"
#include "measure/placement.h"

struct cli_backend {
    enum kernel_backend linked; /* of the two that toise is linked with */
    const char *path;           /* of a library to load; NULL: none */
    struct backend library;
};

#define CLI_BACKEND_CBLAS                                                                                              \
    "cblas:PATH (a CBLAS library with 32-bit integers, loaded from PATH: MKL, AOCL-BLIS, ArmPL, NVPL, another "        \
    "OpenBLAS)"

/* Reads "toise", "openblas" or "cblas:PATH". BASE_USAGE: another word. */
int cli_backend_read(struct cli_backend *b, const char *word, struct base_error *e);
/* Loads the library on every rank and puts it into *ops. BASE_USAGE on all ranks: it is refused, or not the same on all
 * nodes. Nothing for toise. Collective, before threads are pinned; this thread, and so those of the library, keep to
 * the rank's CPUs. The linked OpenBLAS started its threads before main: it is only told their number. */
int cli_backend_open(struct cli_backend *b, struct kernel_ops *ops, const struct measure_placement *placement,
                     struct comm *world, struct base_error *e);
/* Counts its threads; rank 0 warns. BASE_USAGE on all ranks. Nothing for toise. Collective, after threads are
 * pinned. */
int cli_backend_count(struct cli_backend *b, struct comm *world, struct base_error *e);
/* Adds `blas` to the record's `machine`. Nothing for toise. */
void cli_backend_record(const struct cli_backend *b, json_t *machine);

#endif
