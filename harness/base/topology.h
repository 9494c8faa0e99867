/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine's topology and names: shape from hwloc, names from /proc and DMI. */
#ifndef TOISE_BASE_TOPOLOGY_H
#define TOISE_BASE_TOPOLOGY_H

#include <stddef.h>

#include "base/error.h"
#include "base/threads.h"
#include "kernels.h"

struct base_topology {
    char host[128], cpu[128], kernel[128], board[128]; /* board: vendor and product, "" when unreadable */
    int sockets, numa_nodes, cores, cpus;              /* cpus: hardware threads */
    long long l1d_bytes, l2_bytes, l3_bytes;           /* of one cache; 0: unknown */
    int l1d_cpus, l2_cpus, l3_cpus;                    /* hardware threads that share one cache */
    long long memory_bytes;
    double max_hz; /* nominal maximum clock (cpufreq); 0: unknown */
};

int base_topology_read(struct base_topology *t, struct base_error *e);
/* The same of the machine whose /proc and /sys lie under `root`; "": this machine. Not while other threads run. */
void base_topology_read_under(const char *root, struct base_topology *t);
/* The version of hwloc, "2.9.0". */
void base_topology_library(char *text, size_t size);

/* Where one hardware thread is. What the system does not tell is -1 or 0. */
enum { BASE_LEVELS = 3 }; /* L1d, L2, L3 */
struct base_cpu {
    int cpu;                            /* the system's number */
    int core, node;                     /* node: the system's number of its NUMA node */
    int kind;                           /* of a hybrid CPU: the higher the faster; else 0 */
    int cache[BASE_LEVELS];             /* which cache of the level; CPUs with the same number share it; -1: none */
    long long cache_bytes[BASE_LEVELS]; /* of that cache; 0: none */
};
/* Fills cpus[most] for those in `wanted`, in its order, and returns how many there are. One that hwloc does not know is
 * a core of its own on node 0 without caches. */
int base_topology_cpus(const struct base_cpus *wanted, struct base_cpu *cpus, int most);

/* The matrix unit that a CPU has for 16-bit floats, from the flags in /proc/cpuinfo ("flags" of x86, "Features" of
 * ARM): "AMX", "SME", or NULL. AMX with integers alone does not count. toise uses neither. */
const char *base_topology_matrix_unit(const char *flags);

/* Cache bytes available to a team of `threads` threads while `ranks` such teams run on the node. Each thread has its
 * own CPU. Threads are spread over all caches of a level before two share one. Unknown sizes remain 0. */
void base_topology_caches(const struct base_topology *t, int threads, int ranks, struct kernel_caches *caches);

#endif
