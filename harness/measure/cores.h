/* SPDX-License-Identifier: Apache-2.0
 *
 * Which CPUs are of one core: hardware threads of a core share its arithmetic, so a second thread on it adds little. */
#ifndef TOISE_MEASURE_CORES_H
#define TOISE_MEASURE_CORES_H

#include "base/topology.h"

/* Sorts cpus[count] by core: those of one core stand together, cores in the order of their first CPU. */
void measure_cores_sort(struct base_cpu *cpus, int count);
/* The order in which threads take cpus[count], which are sorted by core: the first of each core, then the second ones.
 * Returns the number of cores. */
int measure_cores_turns(const struct base_cpu *cpus, int count, struct base_cpu *turns);

#endif
