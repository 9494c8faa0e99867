/* SPDX-License-Identifier: Apache-2.0
 *
 * How many CPUs a process was granted, by all who have a say in it; and the number of threads that this comes to. */
#ifndef TOISE_MEASURE_GRANTS_H
#define TOISE_MEASURE_GRANTS_H

#include "base/error.h"

/* The first three grant CPUs to several processes, which share them; the rest say how many threads each may have. */
enum measure_grant {
    MEASURE_GRANT_MASK,  /* the affinity mask: of all with the same mask */
    MEASURE_GRANT_QUOTA, /* a control group's CPU quota: of all in the group */
    MEASURE_GRANT_NODE,  /* SLURM_CPUS_ON_NODE: of a job's processes on the node */
    MEASURE_GRANT_TASK,  /* SLURM_CPUS_PER_TASK */
    MEASURE_GRANT_OMP,   /* OMP_NUM_THREADS, its first number */
    MEASURE_GRANT_LIMIT, /* OMP_THREAD_LIMIT */
    MEASURE_GRANTS
};

struct measure_grants {
    double cpus[MEASURE_GRANTS]; /* 0: no limit from there */
    char group[256];             /* the one of the quota; "" without */
};

/* All but the mask, which stays 0. BASE_USAGE names the first variable that is not a positive whole number (of a list:
 * each); it then limits nothing, and all others are read. A variable set to "" is not set. `membership` and `root` as
 * in base/cgroup.h. */
int measure_grants_read(struct measure_grants *grants, const char *membership, const char *root, struct base_error *e);

/* What a process may take by the grants below `end`, each shared by so many: the least, rounded down, at least 1.
 * *bound: whose it is, before rounding, the first of equals. One of them is known. */
int measure_grants_least(const struct measure_grants *grants, const int sharers[MEASURE_GRANTS], enum measure_grant end,
                         enum measure_grant *bound);

/* "affinity mask", "cgroup quota", or the variable's name */
const char *measure_grant_name(enum measure_grant grant);

#endif
