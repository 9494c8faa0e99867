/* SPDX-License-Identifier: Apache-2.0
 *
 * On which node a launch ran. */
#ifndef TOISE_STUDY_NODE_H
#define TOISE_STUDY_NODE_H

#include <jansson.h>

/* The hosts of a record's ranks, else the one that wrote it: the keys of a new object. Empty: unknown. */
json_t *study_hosts_of(const json_t *record);
/* The node of a record's launch as a new text: "CPU: n1 n2", the hosts in the order of their names. Machines may share
 * a name, so the CPU is part of it. Several nodes are one text. "": unknown. NULL: out of memory. */
char *study_node_of(const json_t *record);

#endif
