/* SPDX-License-Identifier: Apache-2.0
 *
 * What machine this is: hwloc for the shape, /proc and DMI for the names. */
#ifndef TOISE_BASE_TOPOLOGY_H
#define TOISE_BASE_TOPOLOGY_H

#include "base/error.h"
#include "kernels.h"

struct base_topology {
    char host[128], cpu[128], kernel[128], board[128]; /* board: vendor and product, "" when unreadable */
    int sockets, numa_nodes, cores, cpus;              /* cpus: hardware threads */
    long long l1d_bytes, l2_bytes, l3_bytes;           /* of one instance; 0 unknown */
    int l2_cpus, l3_cpus;                              /* hardware threads sharing one instance */
    long long memory_bytes;
    double max_hz; /* nominal maximum clock (cpufreq); 0 unknown */
};

int base_topology_read(struct base_topology *t, struct base_error *e);

/* What a team of `threads` threads, each on a CPU of its own, has of the caches while `ranks` such teams run on the
 * node: threads are spread over the instances of a cache before any two share one. Unknown sizes stay 0. */
void base_topology_caches(const struct base_topology *t, int threads, int ranks, struct kernel_caches *caches);

#endif
