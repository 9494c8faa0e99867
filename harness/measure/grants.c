/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads CPU limits from the environment, as OpenMP and Slurm define them, and from the cgroup's quota. */
#include "measure/grants.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cgroup.h"

static const char *const names[MEASURE_GRANTS] = {"affinity mask",       "cgroup quota",    "SLURM_CPUS_ON_NODE",
                                                  "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"};

const char *measure_grant_name(enum measure_grant grant) {
    return names[grant];
}

/* Parses a positive whole number, blanks around it, up to `stop` or the end, and moves *at past it. 0: not one. Numbers
 * beyond a long count as LONG_MAX. */
static long next(const char **at, char stop) {
    char *end;
    const char *s = *at;
    while (isspace((unsigned char)*s)) s++;
    if (!isdigit((unsigned char)*s)) return 0;
    const long n = strtol(s, &end, 10);
    while (isspace((unsigned char)*end)) end++;
    if (*end && *end != stop) return 0;
    *at = end;
    return n;
}

/* OMP_NUM_THREADS may be a list with one number for each level of nesting: "8,2". */
static bool read_number(enum measure_grant grant, const char *text, double *cpus) {
    const char stop = grant == MEASURE_GRANT_OMP ? ',' : '\0', *at = text;
    const long first = next(&at, stop);
    long n = first;
    while (n > 0 && *at) at++, n = next(&at, stop);
    if (n > 0) *cpus = (double)first;
    return n > 0;
}

int measure_grants_read(struct measure_grants *g, const char *membership, const char *root, struct base_error *e) {
    struct base_cgroup_quota quota;
    int code = BASE_OK;
    *g = (struct measure_grants){0};
    base_cgroup_quota(membership, root, &quota);
    g->cpus[MEASURE_GRANT_QUOTA] = quota.cpus;
    snprintf(g->group, sizeof g->group, "%s", quota.group);
    for (int i = MEASURE_GRANT_NODE; i < MEASURE_GRANTS; i++) {
        const char *text = getenv(names[i]);
        if (!text || !text[0] || read_number((enum measure_grant)i, text, &g->cpus[i]) || code) continue;
        code = base_fail(e, BASE_USAGE, "%s=%.64s: not a positive whole number%s; fix it, unset it, or pass --threads",
                         names[i], text, i == MEASURE_GRANT_OMP ? " or a list of them" : "");
    }
    return code;
}

int measure_grants_least(const struct measure_grants *g, const int sharers[MEASURE_GRANTS], enum measure_grant end,
                         enum measure_grant *bound) {
    double least = INFINITY;
    for (int i = 0; i < (int)end; i++) {
        const double share = g->cpus[i] / sharers[i];
        if (g->cpus[i] <= 0 || share >= least) continue;
        least = share;
        *bound = (enum measure_grant)i;
    }
    return (int)fmin(fmax(1, least), INT_MAX);
}
