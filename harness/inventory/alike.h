/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether all ranks have the same, and if not, which nodes have what. */
#ifndef TOISE_INVENTORY_ALIKE_H
#define TOISE_INVENTORY_ALIKE_H

#include <jansson.h>
#include <stdbool.h>

#include "comm/comm.h"

/* True on all ranks: they have the same text. Else `say` becomes, on all ranks, "A on n[1-3], B on n4", what most ranks
 * have first; texts are cut to 159 bytes. Costs one small all-reduce while all is well. Collective. */
bool inventory_alike(struct comm *world, const char *mine, char *say, size_t size);
/* The same for a JSON value. `say` tells of the first line that differs: "\"layers\": 12 on n1, \"layers\": 2 on n2".
 */
bool inventory_alike_json(struct comm *world, const json_t *mine, char *say, size_t size);

#endif
