/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: what ranks must agree on. */
#ifndef TOISE_GATE_RANKS_H
#define TOISE_GATE_RANKS_H

#include "gate/gate.h"

/* All ranks compute with the same weights, bit for bit, and known numbers are summed exactly, with and without overlap.
 * Collective; overwrites gradients. */
void gate_ranks(struct gate *gate, struct parallel_engine *engine);

#endif
