/* SPDX-License-Identifier: Apache-2.0
 *
 * CPU and memory limits that batch systems and containers set on this process's control group. Reads v2, and v1 with
 * controllers mounted at root/memory and at root/cpu, root/cpu,cpuacct or root/cpuacct,cpu. A limit also holds for a
 * group's descendants. So all groups from the process's group up to the mount are read. In a container the mount is the
 * group's own folder. Tests pass their own trees as `membership` and `root`. */
#ifndef TOISE_BASE_CGROUP_H
#define TOISE_BASE_CGROUP_H

#define BASE_CGROUP_MEMBERSHIP "/proc/self/cgroup"
#define BASE_CGROUP_ROOT "/sys/fs/cgroup"

/* Bytes this process may still allocate under the limits of its cgroup and that group's ancestors. -1: no limit. Page
 * cache that can be dropped counts as free. */
long long base_cgroup_memory_room(const char *membership, const char *root);

/* The smallest memory limit over the process's cgroup and its ancestors, bytes; -1: none. */
long long base_cgroup_memory_limit(const char *membership, const char *root);

/* What the cpuset controller lets the process use, as lists: CPUs, and NUMA nodes with memory ("0-63,128-191"). "": the
 * cgroups do not say. v1 is mounted at root/cpuset. */
struct base_cgroup_sets {
    char cpus[4096], memory_nodes[4096];
};
void base_cgroup_cpuset(const char *membership, const char *root, struct base_cgroup_sets *sets);

/* The tightest CPU quota over the process's cgroup and its ancestors. All processes in `group` share it. In each period
 * they may run for cpus x period_s together. Then the kernel stops them until the next period. */
struct base_cgroup_quota {
    double cpus; /* quota / period: 0.5 is half a CPU; 0: no limit */
    double period_s;
    char group[256]; /* its folder, for messages; "": no limit */
};
void base_cgroup_quota(const char *membership, const char *root, struct base_cgroup_quota *quota);

/* Calls `visit` with the folder of each cgroup in which the CPU controller counts this process, its own first. */
typedef void base_cgroup_visit(const char *folder, void *context);
void base_cgroup_cpu_groups(const char *membership, const char *root, base_cgroup_visit *visit, void *context);

#endif
