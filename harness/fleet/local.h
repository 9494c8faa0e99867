/* SPDX-License-Identifier: Apache-2.0
 *
 * What one rank does in a round, without its peers: a training step of its own, which is bitwise reproducible; the
 * register-only loop; and passes over memory. All is allocated when it is opened. Faults of inject/ hit all of them. */
#ifndef TOISE_FLEET_LOCAL_H
#define TOISE_FLEET_LOCAL_H

#include "measure/bandwidth.h"
#include "measure/interference.h"
#include "measure/peak.h"
#include "measure/placement.h"
#include "parallel/step.h"

enum fleet_quantity {
    FLEET_STEP,   /* seconds of a step */
    FLEET_CORE,   /* seconds of a FLOP of the register-only loop: the core clock */
    FLEET_MEMORY, /* seconds of a byte of the fastest pass over memory */
    FLEET_LINK,   /* seconds of sending a message while one as long arrives */
    FLEET_QUANTITIES
};
/* "step", "core clock", "memory", "link" */
const char *fleet_quantity_name(enum fleet_quantity quantity);

enum { FLEET_KIND = 17 }; /* 16 hexadecimal digits and a NUL */

struct fleet_local {
    struct comm alone; /* the engine's world of one rank */
    struct parallel_engine engine;
    struct data_source *source;
    uint64_t seed;
    struct measure_peak peak;
    struct measure_bandwidth bandwidth;
    struct measure_watch watch;
    int cpus;
};

/* `plan` is of one rank, and must outlive *l. ranks: of this node. Not collective. BASE_BROKEN: too little memory.
 * Close it also after an error. */
int fleet_local_open(struct fleet_local *l, const struct plan *plan, const struct kernel_ops *ops,
                     const struct measure_placement *place, int ranks, uint64_t seed, struct base_error *e);
void fleet_local_close(struct fleet_local *l);
/* Bytes of memory that it takes beyond the plan's. */
double fleet_local_need(const struct kernel_caches *caches);

/* Does everything once, as the first time is slow. */
void fleet_local_warm(struct fleet_local *l);
/* Takes the weights back to the beginning. */
void fleet_local_start(struct fleet_local *l);
/* Trains step `round`. Returns its seconds. *bits: a hash of the loss, the gradients and the weights after it.
 * *others: the share of its CPUs' time that other processes and the hypervisor took. */
double fleet_local_step(struct fleet_local *l, int round, uint64_t *bits, double *others);
/* Seconds of a FLOP, and of a byte, in the best of a few short windows. */
double fleet_local_core(struct fleet_local *l);
double fleet_local_memory(struct fleet_local *l);

/* Names the kind of this rank: the same for ranks whose machine, kernels, threads and cache shares are the same, so
 * that their steps have the same bits. */
void fleet_kind(const json_t *machine, const struct kernel_team *team, enum kernel_isa isa, char kind[FLEET_KIND]);

#endif
