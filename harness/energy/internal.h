/* SPDX-License-Identifier: Apache-2.0
 *
 * A node's sources and their threads; included by this room only. */
#ifndef TOISE_ENERGY_INTERNAL_H
#define TOISE_ENERGY_INTERNAL_H

#include "energy/judge.h"
#include "energy/sampler.h"

struct energy_cpu {
    double own_s;  /* CPU time of this process */
    double node_s; /* of all processes of the node; 0: unknown */
};
void energy_cpu_read(const char *root, struct energy_cpu *now);

struct energy {
    char root[PATH_MAX];
    bool off;
    struct base_cpus cpus; /* where the threads run */
    bool apart;            /* these CPUs do not compute */
    struct energy_cpu before;
    struct energy_source source[ENERGY_KINDS];
    struct energy_sampler sampler[ENERGY_KINDS];
};

/* Takes the last readings and ends the threads. */
void energy_stop(struct energy *energy);
/* A source as found: source, scope, status, why, channels. */
json_t *energy_source_record(const struct energy_source *source);

#endif
