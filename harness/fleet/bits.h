/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the bits of all ranks' steps. A step is bitwise reproducible, so ranks of one kind that start alike must
 * agree on every bit. Most decide which bits are right. Where there is no majority, and where a node has no peer of its
 * kind, the steps run a second time: who differs from itself is wrong.
 *
 * A wrong bit of a weight, a gradient or the loss is seen in the round in which it appears; a wrong weight lasts. Not
 * seen: what all ranks of a kind compute wrong alike, such as a wrong kernel or library; what no bit of the step
 * depends on; and errors in memory or units that the step does not use. */
#ifndef TOISE_FLEET_BITS_H
#define TOISE_FLEET_BITS_H

#include "fleet/fleet.h"

/* A trajectory is a hash of a rank's bits, round after round. It starts as FLEET_TRAJECTORY. */
#define FLEET_TRAJECTORY UINT64_C(1)
static inline uint64_t fleet_trajectory_add(uint64_t trajectory, uint64_t bits) {
    trajectory = (trajectory ^ bits) * 0x9e3779b97f4a7c15u;
    return trajectory ^ trajectory >> 32;
}
/* That of all rounds of a rank. */
uint64_t fleet_trajectory(const struct fleet *f, int rank);
/* Fills again[ranks]: who must run the steps a second time, as nobody else confirms its bits. Returns how many; -1: no
 * memory. */
int fleet_bits_open(const struct fleet *f, bool *again);

struct fleet_bits {
    bool wrong;
    bool unchecked;  /* right as far as the rank itself can tell: it has no peer on another unit, or no majority */
    int since;       /* the first round in which it is wrong; -1: only its repeat differs */
    int peers;       /* other ranks of its kind */
    const char *why; /* of a wrong one, a phrase; else NULL */
};
/* Fills bits[ranks], after fleet_run. False: no memory. */
bool fleet_bits_judge(const struct fleet *f, struct fleet_bits *bits);

#endif
