/* SPDX-License-Identifier: Apache-2.0
 *
 * Made-up fleets of nodes for the detector: healthy ones that differ by a spread, noise as recorded, and slow ones. */
#ifndef TOISE_TESTS_MADE_FLEET_H
#define TOISE_TESTS_MADE_FLEET_H

#include "detect/detect.h"
#include "unit/support/noise.h"

struct made_fleet_kind {
    int nodes, samples;
    double spread, sd; /* standard deviations, as shares: between nodes, of a sample */
    const struct noise *noise;
};

struct made_fleet {
    double *seconds;
    struct detect_node *node;
    struct detect_judgement *judgement;
    struct detect_fleet found;
};

void made_fleet_open(struct made_fleet *fleet, const struct made_fleet_kind *kind);
void made_fleet_close(struct made_fleet *fleet);
/* Draws a healthy fleet: each node's noise is a stretch of the series from a random place on. */
void made_fleet_draw(struct made_fleet *fleet, const struct made_fleet_kind *kind, uint64_t seed);
/* Makes a node slower: 1.05 by 5%. */
void made_fleet_slow(struct made_fleet *fleet, int node, double factor);
/* Judges it as usual. Returns how many nodes are called slow. Ends the program if memory is out. */
int made_fleet_judge(struct made_fleet *fleet, const struct made_fleet_kind *kind);

#endif
