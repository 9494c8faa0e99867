/* SPDX-License-Identifier: Apache-2.0
 *
 * Made-up /proc and /sys of a machine, in a folder for one test. Pass both functions to cmocka as setup and teardown.
 */
#ifndef TOISE_TESTS_TREE_H
#define TOISE_TESTS_TREE_H

#include <stddef.h>

extern char tree[64]; /* the root */

int tree_make(void **state);
int tree_remove(void **state);

/* Writes a file below the root, with the folders above it. */
void tree_put(const char *path, const char *text);
void tree_put_bytes(const char *path, const void *bytes, size_t size);
/* A link whose target need not exist. */
void tree_link(const char *path, const char *target);
void tree_drop(const char *path);
/* Nobody may read the file. As root may, this process gives up root's rights until tree_remove. */
void tree_lock(const char *path);

/* The shape of a machine. Its CPUs are numbered as Linux does: first one thread of every core, then the second ones. */
struct tree_shape {
    int sockets, nodes, cores, threads; /* in all; threads of one core */
    int l3_cores;                       /* cores that share an L3 */
    const char *l1, *l2, *l3;           /* "32K"; l3 NULL: none */
    const char *cpuinfo;                /* the lines of each CPU */
    long long node_kib;
};
/* What hwloc reads: CPUs, caches, NUMA nodes with distances 10 in a node, 12 in a socket, else 32. */
void tree_shape(const struct tree_shape *shape);

#endif
