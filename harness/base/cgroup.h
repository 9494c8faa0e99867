/* SPDX-License-Identifier: Apache-2.0
 *
 * What a job's control group leaves of the machine's memory: batch systems and containers set such limits. */
#ifndef TOISE_BASE_CGROUP_H
#define TOISE_BASE_CGROUP_H

/* Bytes this process may still take before a limit of its cgroup, or of one above it, stops it; -1 when there is
 * no limit. `membership` is /proc/self/cgroup, `root` is /sys/fs/cgroup (tests pass trees of their own). Page
 * cache that can be dropped counts as free. Knows v2, and v1 with its memory controller in `root`/memory. */
long long base_cgroup_memory_room(const char *membership, const char *root);

#endif
