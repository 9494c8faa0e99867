/* SPDX-License-Identifier: Apache-2.0
 *
 * On which node a launch ran. */
#ifndef TOISE_STUDY_NODE_H
#define TOISE_STUDY_NODE_H

#include <jansson.h>
#include <stddef.h>

/* Writes the node of a record's launch to text[size]: its CPU and the hosts of its ranks. Machines may share a name, so
 * the CPU is part of it. Several nodes are one text. Returns text; "": unknown. */
const char *study_node_of(const json_t *record, char *text, size_t size);

#endif
