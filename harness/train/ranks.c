/* SPDX-License-Identifier: Apache-2.0
 *
 * What ranks tell each other after training: who was slow, who waited, and how much communication was exposed. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "train/train.h"

static double median(const double *x, int n) {
    return base_stats_median(x, n, MEASURE_CONFIDENCE).median;
}

void train_phases(const struct train_result *r, double phase_s[PLAN_PHASES]) {
    int best = r->earlier; /* this process's steps: only rank 0 has the phases of others */
    for (int i = best + 1; i < r->timed; i++)
        if (fabs(r->step_s[i] - r->step.median) < fabs(r->step_s[best] - r->step.median)) best = i;
    for (int p = 0; p < PLAN_PHASES; p++)
        phase_s[p] = r->samples.phase[best * PLAN_PHASES + p] * r->step.median / r->step_s[best];
}

static void describe(struct train_rank *mine, const struct measure_placement *placement) {
    mine->threads = placement->threads;
    mine->cpu_count = placement->cpus.count;
    mine->pinned = placement->pinned;
    mine->bind = placement->bind;
    mine->cores = placement->cores;
    mine->peak_memory_bytes = (double)base_memory_peak();
    gethostname(mine->host, sizeof mine->host - 1);
    base_cpus_text(&placement->cpus, mine->cpus, sizeof mine->cpus);
    snprintf(mine->warning, sizeof mine->warning, "%s", placement->warning);
}

void train_ranks(struct train_result *r, struct train_rank *mine, const struct measure_placement *placement,
                 struct comm *world) {
    int slowest = 0;
    mine->node = world->node;
    describe(mine, placement);
    train_phases(r, mine->phase_s);
    mine->compute_s = r->step.median;
    if (r->probes)
        mine->compute_s =
            median(r->probe_s, r->probes) + mine->phase_s[PLAN_PHASE_CLIP] + mine->phase_s[PLAN_PHASE_UPDATE];
    world->ops->all_gather(world, mine, sizeof *mine, r->ranks);
    for (int i = 1; i < world->size; i++)
        if (r->ranks[i].compute_s > r->ranks[slowest].compute_s) slowest = i;
    for (int i = 0; i < world->size; i++) r->ranks[i].wait_s = r->ranks[slowest].compute_s - r->ranks[i].compute_s;
    r->exposed = base_stats_median(r->bare_s, r->probes, MEASURE_CONFIDENCE);
    memcpy(r->busy_s, r->ranks[slowest].busy_s, sizeof r->busy_s);
    memcpy(r->waited_s, r->ranks[slowest].waited_s, sizeof r->waited_s);
    r->other_s = r->step.median;
    for (int p = 0; p < PLAN_PHASES; p++) r->other_s -= r->phase_s[p] = r->ranks[slowest].phase_s[p];
}
