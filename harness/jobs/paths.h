/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of a campaign's folder. Only jobs/ includes it. */
#ifndef TOISE_JOBS_PATHS_H
#define TOISE_JOBS_PATHS_H

#include <stdio.h>

#include "jobs/jobs.h"

enum { JOBS_PATH = PATH_MAX + 400 };
static inline void jobs_path(const struct jobs_campaign *c, const char *name, const char *end, char path[JOBS_PATH]) {
    snprintf(path, JOBS_PATH, "%s/%s%s", c->folder, name, end);
}

#endif
