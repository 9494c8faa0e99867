/* SPDX-License-Identifier: Apache-2.0
 *
 * Compares the CPUs granted to the ranks of a node, and divides them. */
#include "measure/placement.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cgroup.h"
#include "base/places.h"
#include "measure/cores.h"

/* What ranks exchange. Equal masks have equal hashes, and so have equal cgroup names. */
struct facts {
    int node, local_rank, cpus;
    uint64_t mask, group;
};

/* A rank's share of its node. */
struct sharing {
    int sharers[MEASURE_GRANTS];
    int index;   /* among the ranks with the same mask */
    int covered; /* CPUs in all masks of the node */
};

static uint64_t mix(uint64_t so_far, uint64_t word) {
    return (so_far ^ word) * 0x9e3779b97f4a7c15u;
}

static struct facts facts_of(const struct comm *world, const struct base_cpu *cpus, int count, const char *group) {
    struct facts f = {.node = world->node, .local_rank = world->local_rank, .cpus = count};
    for (int i = 0; i < count; i++) f.mask = mix(f.mask, (uint64_t)(cpus[i].cpu + 1));
    for (; *group; group++) f.group = mix(f.group, (unsigned char)*group);
    return f;
}

/* Collective. */
static void compare(struct sharing *s, struct comm *world, struct facts mine) {
    struct facts *all = calloc((size_t)world->size, sizeof *all);
    if (!all) comm_abort(world, BASE_BROKEN);
    world->ops->all_gather(world, &mine, sizeof mine, all);
    *s = (struct sharing){.covered = mine.cpus};
    for (int i = 0; i < MEASURE_GRANTS; i++) s->sharers[i] = 1;
    s->sharers[MEASURE_GRANT_NODE] = world->local_size;
    s->sharers[MEASURE_GRANT_MASK] = s->sharers[MEASURE_GRANT_QUOTA] = 0;
    for (int i = 0; i < world->size; i++) {
        if (all[i].node != mine.node) continue;
        const bool same = all[i].mask == mine.mask;
        s->sharers[MEASURE_GRANT_MASK] += same;
        s->sharers[MEASURE_GRANT_QUOTA] += all[i].group == mine.group;
        s->index += same && all[i].local_rank < mine.local_rank;
        s->covered += same ? 0 : all[i].cpus;
    }
    free(all);
}

/* Warns about ranks or threads that share CPUs. granted: CPUs of this rank, by `least`. */
static bool warn_contention(struct measure_placement *p, const struct measure_grants *g, const struct sharing *s,
                            int mask, int granted, enum measure_grant least) {
    const int same = s->sharers[MEASURE_GRANT_MASK], group = s->sharers[MEASURE_GRANT_QUOTA];
    const int ranks = s->sharers[MEASURE_GRANT_NODE];
    const double quota = g->cpus[MEASURE_GRANT_QUOTA], node = g->cpus[MEASURE_GRANT_NODE];
    if (same > mask)
        snprintf(p->warning, sizeof p->warning,
                 "%d ranks share %d CPUs and wait for each other, so no rate is a figure: start at most %d", same, mask,
                 mask);
    else if (group > 1 && quota > 0 && group > quota)
        snprintf(p->warning, sizeof p->warning,
                 "%d ranks share a cgroup quota of %.3g CPUs and wait for each other, so no rate is a figure: start at "
                 "most %d",
                 group, quota, (int)fmax(1, quota));
    else if (ranks > 1 && node > 0 && ranks > node)
        snprintf(p->warning, sizeof p->warning,
                 "%d ranks share the %.0f CPUs of SLURM_CPUS_ON_NODE and wait for each other, so no rate is a figure: "
                 "start at most %.0f",
                 ranks, node, node);
    else if (p->threads > p->cpus.count)
        snprintf(p->warning, sizeof p->warning, "%d threads share %d CPU%s: results will be slow; pass --threads %d",
                 p->threads, p->cpus.count, p->cpus.count == 1 ? "" : "s", p->cpus.count);
    else if (p->threads > granted && least != MEASURE_GRANT_MASK) /* that grants cores, which may have two threads */
        snprintf(p->warning, sizeof p->warning, "%d threads are more than the %s grants this rank: pass --threads %d",
                 p->threads, measure_grant_name(least), granted);
    return p->warning[0];
}

/* Warns if over half of the granted CPUs are idle; `bound` is what set the number of threads. */
static bool warn_idle(struct measure_placement *p, enum measure_grant bound, int granted) {
    if (2 * p->threads >= granted) return false;
    snprintf(p->warning, sizeof p->warning,
             "%s leaves %d of the %d CPUs granted to this rank idle: pass --threads %d, %s", measure_grant_name(bound),
             granted - p->threads, granted, granted,
             bound == MEASURE_GRANT_LIMIT  ? "and raise or unset it"
             : bound == MEASURE_GRANT_TASK ? "or ask Slurm for more with --cpus-per-task"
                                           : "or unset it");
    return true;
}

/* Warns about CPUs of the node that no rank may use. */
static void warn_bound(struct measure_placement *p, const struct comm *world, const struct measure_grants *g,
                       const struct sharing *s, int mask) {
    const int online = base_cpus_online(), allotted = (int)g->cpus[MEASURE_GRANT_NODE];
    const int node = allotted > 0 && allotted < online ? allotted : online, share = node / world->local_size;
    if (s->covered >= node || p->cpus.count >= share) return;
    snprintf(p->warning, sizeof p->warning, "this rank may use %d of the node's %d CPUs (its share is %d): %s", mask,
             node, share,
             omp_get_num_places() > 0 ? "OMP_PLACES or GOMP_CPU_AFFINITY bound it"
             : !comm_launched()       ? "taskset or a cpuset bound it"
             : world->local_size == 1
                 ? "the launcher bound it; pass mpirun --bind-to none (or srun --cpu-bind=none)"
                 : "the launcher bound it; pass mpirun --map-by slot:PE=CPUS --bind-to core (or srun -c CPUS)");
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* Takes share `index` of `count` of the CPUs, whole cores if they divide. */
static void take_share(struct measure_placement *p, const struct base_cpu *cpus, int all, int index, int count) {
    struct base_cpu *sorted = malloc(2 * (size_t)all * sizeof *sorted), *turns = sorted + all;
    struct base_cpus *numbers = malloc(sizeof *numbers), share;
    if (!sorted || !numbers) abort(); /* a few KiB before anything else has started */
    memcpy(sorted, cpus, (size_t)all * sizeof *sorted);
    measure_cores_sort(sorted, all);
    numbers->count = all;
    for (int i = 0; i < all; i++) numbers->cpu[i] = i;
    base_cpus_share(numbers, index, count, &share);
    p->cores = measure_cores_turns(sorted + share.cpu[0], share.count, turns);
    p->cpus.count = p->turns.count = share.count;
    for (int i = 0; i < share.count; i++) p->cpus.cpu[i] = p->turns.cpu[i] = turns[i].cpu, p->nodes[i] = turns[i].node;
    qsort(p->cpus.cpu, (size_t)share.count, sizeof p->cpus.cpu[0], by_number);
    free(sorted), free(numbers);
}

void measure_place_by(struct measure_placement *p, struct comm *world, int threads, const struct base_cpu *cpus,
                      int count, const struct measure_grants *grants) {
    struct measure_grants g = *grants;
    struct sharing s;
    enum measure_grant bound = MEASURE_GRANT_MASK, least = MEASURE_GRANT_MASK;
    compare(&s, world, facts_of(world, cpus, count, g.group));
    const int same = s.sharers[MEASURE_GRANT_MASK];
    take_share(p, cpus, count, s.index, same);
    g.cpus[MEASURE_GRANT_MASK] = p->cores * same; /* of which this rank has its share */
    const int granted = measure_grants_least(&g, s.sharers, MEASURE_GRANT_TASK, &least);
    p->threads = threads > 0 ? threads : measure_grants_least(&g, s.sharers, MEASURE_GRANTS, &bound);
    p->threads_from = threads > 0 ? "--threads" : measure_grant_name(bound);
    p->loose = granted < p->cores && p->threads < p->cpus.count;
    p->overlaps = same > count;
    p->cpus_per_thread = fmin(1, (double)count / ((double)same * p->threads));
    if (p->warning[0] || warn_contention(p, &g, &s, count, granted, least)) return;
    if (!threads && warn_idle(p, bound, granted)) return;
    if (same > 1 && omp_get_num_places() > 0)
        snprintf(p->warning, sizeof p->warning,
                 "%d ranks place their threads on the same CPUs: unset OMP_PROC_BIND, OMP_PLACES and GOMP_CPU_AFFINITY",
                 same);
    else
        warn_bound(p, world, &g, &s, count);
}

/* Reads this rank's grants and OpenMP's settings. With --threads only OMP_THREAD_LIMIT can refuse. */
static int read_settings(struct measure_placement *p, struct measure_grants *g, int threads, struct base_error *e) {
    const int code = measure_grants_read(g, BASE_CGROUP_MEMBERSHIP, BASE_CGROUP_ROOT, threads ? NULL : e);
    if (code && !threads) return code;
    if (threads > omp_get_thread_limit())
        return base_fail(e, BASE_USAGE, "--threads %d: OMP_THREAD_LIMIT allows %d; raise it or unset it", threads,
                         omp_get_thread_limit());
    return base_places_check(p->warning, sizeof p->warning, e);
}

int measure_place(struct measure_placement *p, struct comm *world, int threads, struct base_error *e) {
    struct measure_grants grants;
    struct base_cpus mask;
    memset(p, 0, sizeof *p);
    const int code = comm_agree(world, read_settings(p, &grants, threads, e), e);
    if (code) return code;
    base_cpus_mask(&mask);
    struct base_cpu *cpus = malloc((size_t)mask.count * sizeof *cpus);
    if (!cpus) abort(); /* a few KiB before anything else has started */
    measure_place_by(p, world, threads, cpus, base_topology_cpus(&mask, cpus, mask.count), &grants);
    free(cpus);
    return BASE_OK;
}

const char *measure_bind_name(int bind) {
    static const char *const names[] = {"core", "numa", "none"};
    return bind >= 0 && bind < 3 ? names[bind] : NULL;
}

void measure_place_pin(struct measure_placement *p, enum measure_bind bind) {
    const bool free_to_move = p->loose || bind == MEASURE_BIND_NONE;
    p->bind = bind;
    p->pinned =
        base_threads_pin(free_to_move ? NULL : &p->turns, bind == MEASURE_BIND_NUMA ? p->nodes : NULL, p->threads) &&
        !p->overlaps;
}
