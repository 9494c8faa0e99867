/* SPDX-License-Identifier: Apache-2.0
 *
 * How many CPUs each source grants to a process, and the number of threads that follows. */
#ifndef TOISE_MEASURE_GRANTS_H
#define TOISE_MEASURE_GRANTS_H

#include "base/error.h"

/* The first three grant CPUs to several processes, which share them. The others limit each process's threads. */
enum measure_grant {
    MEASURE_GRANT_MASK,  /* the affinity mask: shared by processes with the same mask */
    MEASURE_GRANT_QUOTA, /* a cgroup's CPU quota: shared by the group's processes */
    MEASURE_GRANT_NODE,  /* SLURM_CPUS_ON_NODE: shared by the job's processes on the node */
    MEASURE_GRANT_TASK,  /* SLURM_CPUS_PER_TASK */
    MEASURE_GRANT_OMP,   /* OMP_NUM_THREADS, its first number */
    MEASURE_GRANT_LIMIT, /* OMP_THREAD_LIMIT */
    MEASURE_GRANTS
};

struct measure_grants {
    double cpus[MEASURE_GRANTS]; /* 0: no limit from this source */
    char group[256];             /* the quota's cgroup; "": no quota */
};

/* Reads all grants but the mask, which remains 0. BASE_USAGE names the first variable that is not a positive whole
 * number or a list of them. That variable then limits nothing; the others are still read. A variable set to "" counts
 * as unset. `membership` and `root`: see base/cgroup.h. */
int measure_grants_read(struct measure_grants *grants, const char *membership, const char *root, struct base_error *e);

/* The CPUs that a process may use by the grants before `end`. Each grant is divided by its number of sharers; the
 * smallest quotient counts, rounded down, at least 1. *bound: the grant that is smallest before rounding, the first of
 * equals. At least one grant must be known. */
int measure_grants_least(const struct measure_grants *grants, const int sharers[MEASURE_GRANTS], enum measure_grant end,
                         enum measure_grant *bound);

/* "affinity mask", "cgroup quota", or the variable's name */
const char *measure_grant_name(enum measure_grant grant);

#endif
