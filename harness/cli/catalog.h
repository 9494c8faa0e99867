/* SPDX-License-Identifier: Apache-2.0
 *
 * Models and workloads by the names that users give: of the catalogue (records/catalog.h), or paths of their own. */
#ifndef TOISE_CLI_CATALOG_H
#define TOISE_CLI_CATALOG_H

#include <limits.h>

#include "config/config.h"
#include "parallel/optimizer.h"
#include "records/scaling.h"

/* Reads a preset, or the path of a Hugging Face config.json (a name with a '/' or ending in .json). BASE_USAGE lists
 * the presets if the name is unknown. It also refuses a preset whose stated parameter count contradicts its sizes. */
int cli_catalog_model(const char *name, struct model_config *config, struct base_error *e);
/* The same for projections, which also take families that cannot be trained here. */
int cli_catalog_priced(const char *name, struct model_config *config, struct base_error *e);

/* The path of the config.json in a folder of weights, or next to a weights file. BASE_USAGE: there is none. */
int cli_catalog_beside(const char *weights, char path[PATH_MAX], struct base_error *e);

struct cli_workload {
    char name[64];
    int version;
    char model[64];
    int64_t layers, experts; /* only the first ones; 0: all */
    int64_t seq;
    int scaling;   /* enum record_scaling_mode; negative: not made for scaling curves */
    int64_t batch; /* sequences of a step: of all ranks, or of each node if it scales weakly */
    struct parallel_optimizer optimizer;
};
/* BASE_USAGE: unknown, or a file whose batch contradicts its mode. */
int cli_catalog_workload(const char *name, struct cli_workload *workload, struct base_error *e);

#endif
