/* SPDX-License-Identifier: Apache-2.0
 *
 * What a job's control group leaves of the machine's memory and CPUs: batch systems and containers set such limits.
 * Knows v2, and v1 with a controller in root/memory and in root/cpu, root/cpu,cpuacct or root/cpuacct,cpu. A limit
 * holds for a group and all below it, so each is looked for from the process's own up to the mount, which is the
 * group's own folder inside a container. Tests pass trees of their own for `membership` and `root`. */
#ifndef TOISE_BASE_CGROUP_H
#define TOISE_BASE_CGROUP_H

#define BASE_CGROUP_MEMBERSHIP "/proc/self/cgroup"
#define BASE_CGROUP_ROOT "/sys/fs/cgroup"

/* Bytes this process may still take before a limit of its cgroup, or of one above it, stops it; -1 when there is
 * no limit. Page cache that can be dropped counts as free. */
long long base_cgroup_memory_room(const char *membership, const char *root);

/* CPU time that the tightest quota over the process's group and all above it grants, in CPUs. All processes below
 * `group` share it: in every period they may run for cpus x period_s together, and then stand still. */
struct base_cgroup_quota {
    double cpus; /* quota / period, 0.5 for half a CPU; 0: no limit */
    double period_s;
    char group[256]; /* its folder, for messages; "" without a limit */
};
void base_cgroup_quota(const char *membership, const char *root, struct base_cgroup_quota *quota);

/* Calls visit with the folder of each group over which the CPU controller counts this process, its own first. */
typedef void base_cgroup_visit(const char *folder, void *context);
void base_cgroup_cpu_groups(const char *membership, const char *root, base_cgroup_visit *visit, void *context);

#endif
