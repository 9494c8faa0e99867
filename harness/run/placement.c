/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the masks of a node's ranks and divides them. */
#include "run/placement.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rank_mask {
    int node, local_rank, cpus;
    uint64_t mix; /* of the CPU numbers: equal masks have equal mixes */
};

static uint64_t mix_of(const struct base_cpus *mask) {
    uint64_t mix = 0;
    for (int i = 0; i < mask->count; i++) mix = (mix ^ (uint64_t)(mask->cpu[i] + 1)) * 0x9e3779b97f4a7c15u;
    return mix;
}

/* CPUs that this job may use on the node: all that are online, or what Slurm allotted. */
static int node_cpus(void) {
    const char *slurm = getenv("SLURM_CPUS_ON_NODE");
    int allotted = slurm ? atoi(slurm) : 0, online = base_cpus_online();
    return allotted > 0 && allotted < online ? allotted : online;
}

/* mask: CPUs of this rank's mask, which `same` ranks have; covered: CPUs of all the node's masks. */
static void warn(struct run_placement *p, const struct comm *world, int mask, int same, int covered) {
    const int node = node_cpus(), share = node / world->local_size;
    if (same > mask)
        snprintf(p->warning, sizeof p->warning, "%d ranks share %d CPUs and wait for each other: start at most %d",
                 same, mask, mask);
    else if (p->threads > p->cpus.count)
        snprintf(p->warning, sizeof p->warning, "%d threads share %d CPUs: results will be slow; take --threads %d",
                 p->threads, p->cpus.count, p->cpus.count);
    else if (covered < node && p->cpus.count < share)
        snprintf(p->warning, sizeof p->warning, "this rank may use %d of the node's %d CPUs (its share is %d): %s",
                 mask, node, share,
                 !comm_launched() ? "taskset or a cpuset bound it"
                 : world->local_size == 1
                     ? "the launcher bound it; pass mpirun --bind-to none (or srun --cpu-bind=none)"
                     : "the launcher bound it; pass mpirun --map-by slot:PE=CPUS --bind-to core (or srun -c CPUS)");
}

void run_place(struct run_placement *p, struct comm *world, int threads) {
    struct base_cpus mask;
    memset(p, 0, sizeof *p);
    base_cpus_mask(&mask);
    struct rank_mask mine = {world->node, world->local_rank, mask.count, mix_of(&mask)};
    struct rank_mask *all = calloc((size_t)world->size, sizeof *all);
    if (!all) comm_abort(world, BASE_BROKEN);
    world->ops->gather(world, &mine, sizeof mine, all);
    int same = 0, index = 0, covered = 0;
    for (int i = 0; i < world->size; i++) {
        if (all[i].node != mine.node) continue;
        if (all[i].mix != mine.mix) {
            covered += all[i].cpus;
            continue;
        }
        if (all[i].local_rank < mine.local_rank) index++;
        same++;
    }
    covered += mask.count;
    free(all);
    base_cpus_share(&mask, index, same, &p->cpus);
    p->threads = threads > 0 ? threads : p->cpus.count;
    if (p->threads > omp_get_thread_limit()) p->threads = omp_get_thread_limit(); /* OMP_THREAD_LIMIT */
    p->pinned = base_threads_pin(&p->cpus, p->threads) && same <= mask.count;
    p->cpus_per_thread = fmin(1, (double)mask.count / ((double)same * p->threads));
    warn(p, world, mask.count, same, covered);
}
