/* SPDX-License-Identifier: Apache-2.0
 *
 * Draws fleets. */
#include "unit/support/made_fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

void made_fleet_open(struct made_fleet *fleet, const struct made_fleet_kind *kind) {
    const size_t n = (size_t)kind->nodes;
    *fleet = (struct made_fleet){malloc(n * (size_t)kind->samples * sizeof(double)),
                                 malloc(n * sizeof *fleet->node),
                                 malloc(n * sizeof *fleet->judgement),
                                 {0}};
    for (size_t i = 0; i < n; i++)
        fleet->node[i] = (struct detect_node){fleet->seconds + i * (size_t)kind->samples, kind->samples, 0};
}

void made_fleet_close(struct made_fleet *fleet) {
    free(fleet->seconds), free(fleet->node), free(fleet->judgement);
    *fleet = (struct made_fleet){0};
}

void made_fleet_draw(struct made_fleet *fleet, const struct made_fleet_kind *kind, uint64_t seed) {
    float *spread = malloc((size_t)kind->nodes * sizeof *spread);
    base_random_normal(seed, BASE_STREAM_TEST + 1, 0, (uint64_t)kind->nodes, spread);
    for (int i = 0; i < kind->nodes; i++) {
        const uint64_t start = base_random_u64(seed, BASE_STREAM_TEST + 2, (uint64_t)i);
        double *x = fleet->seconds + (size_t)i * (size_t)kind->samples;
        for (int k = 0; k < kind->samples; k++)
            x[k] = exp(kind->spread * spread[i] + kind->sd * noise_at(kind->noise, start, k));
    }
    free(spread);
}

void made_fleet_slow(struct made_fleet *fleet, int node, double factor) {
    double *x = fleet->seconds + (fleet->node[node].seconds - fleet->seconds);
    for (int k = 0; k < fleet->node[node].samples; k++) x[k] *= factor;
}

int made_fleet_judge(struct made_fleet *fleet, const struct made_fleet_kind *kind) {
    struct base_error e = {0};
    if (detect_judge(fleet->node, kind->nodes, NULL, fleet->judgement, &fleet->found, &e)) {
        fprintf(stderr, "made_fleet: %s\n", e.text);
        exit(1);
    }
    return fleet->found.slow;
}
