/* SPDX-License-Identifier: Apache-2.0
 *
 * Part 1 of the gate: the collectives of a step, by name. */
#ifndef TOISE_GATE_COLLECTIVES_H
#define TOISE_GATE_COLLECTIVES_H

#include "gate/gate.h"

/* A rank's number i. Whole numbers, so that sums over ranks are exact in any order. */
static inline double gate_known(int64_t i, int rank) {
    return (double)(i % 61 + 1 + rank % 16);
}

/* The sum over so many ranks: `first` is that of number 0. */
static inline double gate_known_first(int ranks) {
    double first = 0;
    for (int rank = 0; rank < ranks; rank++) first += gate_known(0, rank);
    return first;
}
static inline double gate_known_sum(double first, int64_t i, int ranks) {
    return first + ranks * (gate_known(i, 0) - gate_known(0, 0));
}

/* Such numbers pass every collective of the plan's step, at its size, and have the result that they must have. What
 * does not is named: operation, group, purpose and rank. Collective. */
void gate_collectives(struct gate *gate, struct parallel_engine *engine);

/* The messages of a step against the plan's, by group and operation, if the engine's world counts them (comm/count.h);
 * else nothing. begin, then a part of the step, then end; again for other parts; then check. */
enum { GATE_KINDS = 6 };
struct gate_count {
    double calls[PARALLEL_GROUPS][GATE_KINDS], bytes[PARALLEL_GROUPS][GATE_KINDS]; /* by group and operation */
    double surplus; /* bytes of experts' rows that the ledger does not know (parallel/exchanges.h) */
};
void gate_count_begin(struct parallel_engine *engine);
void gate_count_end(struct gate_count *count, const struct parallel_engine *engine);
void gate_count_check(struct gate *gate, const struct gate_count *count, const struct parallel_engine *engine);

#endif
