/* SPDX-License-Identifier: Apache-2.0
 *
 * What a batch system, a container or the user's environment lets this process have. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "inventory/reader.h"

/* null: no limit */
static void put_groups(struct inventory_reader *r) {
    char membership[PATH_MAX], root[PATH_MAX];
    struct base_cgroup_quota quota;
    struct base_cgroup_sets sets;
    inventory_path(r, membership, &BASE_CGROUP_MEMBERSHIP[1]);
    inventory_path(r, root, &BASE_CGROUP_ROOT[1]);
    base_cgroup_quota(membership, root, &quota);
    base_cgroup_cpuset(membership, root, &sets);
    if (quota.cpus > 0) {
        inventory_put(r, "cpu_quota.cpus", json_real(quota.cpus), NULL);
        inventory_put(r, "cpu_quota.period_s", json_real(quota.period_s), NULL);
        inventory_put_text(r, "cpu_quota.group", quota.group + strlen(r->root), "not UTF-8");
    } else {
        inventory_put(r, "cpu_quota", NULL, NULL);
    }
    const long long limit = base_cgroup_memory_limit(membership, root);
    inventory_put(r, "cgroup.memory_bytes", limit >= 0 ? json_integer(limit) : NULL, NULL);
    inventory_put_text(r, "cgroup.cpuset", sets.cpus, NULL);
    inventory_put_count(r, "cgroup.cpus", inventory_list_count(sets.cpus), NULL);
    inventory_put_count(r, "cgroup.memory_nodes", inventory_list_count(sets.memory_nodes), NULL);
}

/* The job as Slurm tells it to this process; null: none. */
static void put_slurm(struct inventory_reader *r) {
    static const char *const keys[][2] = {{"job", "SLURM_JOB_ID"},
                                          {"partition", "SLURM_JOB_PARTITION"},
                                          {"nodes", "SLURM_JOB_NUM_NODES"},
                                          {"node_list", "SLURM_JOB_NODELIST"},
                                          {"restarts", "SLURM_RESTART_COUNT"},
                                          {"cpus_on_node", "SLURM_CPUS_ON_NODE"}};
    if (!getenv("SLURM_JOB_ID")) {
        inventory_put(r, "slurm", NULL, NULL);
        return;
    }
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char path[64];
        snprintf(path, sizeof path, "slurm.%s", keys[i][0]);
        inventory_put_text(r, path, getenv(keys[i][1]), "absent");
    }
}

/* The user's variables that change threads and libraries */
static void put_environment(struct inventory_reader *r) {
    static const char *const prefixes[] = {"OMP_", "GOMP_", "KMP_", "OPENBLAS_", "TOISE_"};
    json_t *object = json_object();
    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        char name[128];
        if (equals == NULL || (size_t)(equals - *entry) >= sizeof name) continue;
        snprintf(name, sizeof name, "%.*s", (int)(equals - *entry), *entry);
        for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
            if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0) {
                json_t *value = json_string(equals + 1);
                json_object_set_new(object, name, value ? value : json_null());
            }
    }
    inventory_put(r, "environment", object, NULL);
}

void inventory_limits(struct inventory_reader *r) {
    put_groups(r);
    put_slurm(r);
    put_environment(r);
}
