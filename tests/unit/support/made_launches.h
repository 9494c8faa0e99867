/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of training launches on a made-up machine, whose parts have known speeds and noise. Tests of comparisons
 * share them. A failure ends the test. */
#ifndef TOISE_TESTS_MADE_LAUNCHES_H
#define TOISE_TESTS_MADE_LAUNCHES_H

#include <stdint.h>

struct made_change {
    const char *path, *value; /* as machine_json_changed takes them */
};

enum { MADE_CHANGES = 4 };

/* A side: one record a launch. 0 means 1 for speeds and counts, and none for the rest. */
struct made_side {
    int launches;
    double peak, matmul, passes, communication; /* speeds, relative to the machine's */
    double sd;                                  /* of a launch's logarithm; default 0.01 */
    uint64_t seed;                              /* also names the launches: no two sides have the same */
    int ranks, nodes, jobs;                     /* launches take turns on nodes and in jobs */
    double steal, other, throttled;             /* shares of the CPU time lost */
    const char *name;                           /* of the nodes; default "node" */
    struct made_change change[MADE_CHANGES];
};

/* Writes the side to a file of the test's folder. Returns its path, which the next call of it keeps (16 at most). */
const char *made_launches(const char *file, const struct made_side *side);

#endif
