/* SPDX-License-Identifier: Apache-2.0
 *
 * CPUs by core. */
#include "measure/cores.h"

#include <string.h>

void measure_cores_sort(struct base_cpu *cpus, int count) {
    for (int done = 0; done < count;) {
        const int core = cpus[done++].core;
        for (int i = done; i < count; i++) {
            const struct base_cpu sibling = cpus[i];
            if (sibling.core != core) continue;
            memmove(&cpus[done + 1], &cpus[done], (size_t)(i - done) * sizeof sibling);
            cpus[done++] = sibling;
        }
    }
}

/* How many CPUs of its core stand before CPU i. */
static int sibling_of(const struct base_cpu *cpus, int i) {
    int before = 0;
    while (before < i && cpus[i - before - 1].core == cpus[i].core) before++;
    return before;
}

int measure_cores_turns(const struct base_cpu *cpus, int count, struct base_cpu *turns) {
    int cores = 0, taken = 0;
    for (int sibling = 0; taken < count; sibling++)
        for (int i = 0; i < count; i++) {
            if (sibling_of(cpus, i) != sibling) continue;
            turns[taken++] = cpus[i];
            cores += sibling == 0;
        }
    return cores;
}
