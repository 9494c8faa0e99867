/* SPDX-License-Identifier: Apache-2.0
 *
 * Models and workloads as the command line names them, of the catalogue (records/catalog.h) or the user's own. */
#ifndef TOISE_CLI_CATALOG_H
#define TOISE_CLI_CATALOG_H

#include <limits.h>

#include "model/config.h"
#include "parallel/optimizer.h"

/* A preset's name, or the path of a Hugging Face config.json (anything with a '/' or ending in .json). BASE_USAGE
 * lists the presets when there is none of that name. A preset whose stated parameter count is not the one that its
 * sizes give is refused. */
int cli_catalog_model(const char *name, struct model_config *config, struct base_error *e);
/* The same for projections: of a family that cannot be trained here, too. */
int cli_catalog_priced(const char *name, struct model_config *config, struct base_error *e);

/* The config.json of a folder of weights, or beside a file of them; BASE_USAGE when there is none. */
int cli_catalog_beside(const char *weights, char path[PATH_MAX], struct base_error *e);

struct cli_workload {
    char name[64];
    int version;
    char model[64];
    int64_t layers; /* of a slice; 0: all */
    int64_t seq, global_batch;
    struct parallel_optimizer optimizer;
};
int cli_catalog_workload(const char *name, struct cli_workload *workload, struct base_error *e);

#endif
