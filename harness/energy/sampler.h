/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread that takes a source's readings at its rate, beside the threads that compute. It makes no MPI call. Reading
 * the files takes some 40 us, so at twenty readings a second a CPU that also computes loses 0.1% of its time; the
 * record has what it was. */
#ifndef TOISE_ENERGY_SAMPLER_H
#define TOISE_ENERGY_SAMPLER_H

#include <pthread.h>

#include "base/threads.h"
#include "energy/source.h"

struct energy_sampler {
    struct energy_source *source;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stop;
};

/* Starts to read `source`, which is the thread's until the stop, on these CPUs; NULL: any. A thread that cannot start
 * is the source's fault. */
void energy_sampler_start(struct energy_sampler *sampler, struct energy_source *source, const struct base_cpus *cpus);
/* Asks for the last readings: a command's once more, a counter's until it has moved, for a second at most. */
void energy_sampler_end(struct energy_sampler *sampler);
/* Waits for them. Does nothing if it does not run. */
void energy_sampler_join(struct energy_sampler *sampler);

#endif
