/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds of a made-up fleet, whose nodes are as fast, as noisy and as right as a test wants. A failure ends the
 * test. */
#ifndef TOISE_TESTS_MADE_ROUNDS_H
#define TOISE_TESTS_MADE_ROUNDS_H

#include "fleet/fleet.h"

struct made_rounds {
    int nodes, ranks_each; /* 0: one */
    int rounds;            /* 0: 20 */
    enum fleet_of of;
    double noise;  /* standard deviation of a sample's logarithm; 0: 0.02 */
    double spread; /* between nodes */
    uint64_t seed;
};

/* Ranks are dealt out node by node; hosts are n1, n2, ... All are of one kind, and all bits and messages are right.
 * fleet_close frees it. */
void made_rounds(struct fleet *f, const struct made_rounds *made);
/* A rank takes `factor` times as long in a quantity. */
void made_slow(struct fleet *f, int rank, enum fleet_quantity quantity, double factor);
/* A rank has other bits from a round on, as if its weights were wrong since. */
void made_wrong(struct fleet *f, int rank, int round, uint64_t salt);
/* What two units send each other arrives garbled at both, in the rounds in which `unit` meets a partner. */
void made_garbled(struct fleet *f, int unit, int from_round);
/* A rank is of another kind. */
void made_kind(struct fleet *f, int rank, const char *kind);

#endif
