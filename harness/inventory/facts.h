/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine object as flat facts that can be compared between nodes. */
#ifndef TOISE_INVENTORY_FACTS_H
#define TOISE_INVENTORY_FACTS_H

#include <jansson.h>
#include <stdbool.h>

enum { INVENTORY_FINGERPRINT = 17 }; /* 16 hexadecimal digits and a NUL */

/* {"firmware.version": "2.1", ...}, a new reference: what two equal nodes have in common. Left out are names of the
 * node and of its job, and what was unreadable. Memory sizes are rounded up to a sixteenth to a thirty-second, since
 * the firmware of equal nodes keeps varying amounts. Lists remain values. */
json_t *inventory_facts(const json_t *machine);
/* Whether a fact matters for speed, so that it is part of the fingerprint. Not part: what depends on the command (its
 * kernels), on the number of ranks, or on who reads it (memory modules, which need root). */
bool inventory_matters(const char *path);
/* Where a fact stands among others, the most telling first. */
int inventory_rank(const char *path);
/* The first 16 digits of the SHA-256 of the facts that matter. The order of keys does not change it. */
void inventory_hash(const json_t *machine, char text[INVENTORY_FINGERPRINT]);

#endif
