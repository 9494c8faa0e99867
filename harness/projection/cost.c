/* SPDX-License-Identifier: Apache-2.0
 *
 * Adds up a training's wall time: steps, batch ramp, stragglers, checkpoints, failures, jobs. */
#include "projection/cost.h"

#include <math.h>
#include <string.h>

#include "config/params.h"
#include "costmodel/device.h"

/* Bytes/s to storage if unknown: a small parallel file system. */
static const double STORAGE = 20e9;
static const double GOODPUT_LEAST = 0.01;
enum { RAMP_STEPS = 32 };

void projection_assumptions_default(struct projection_assumptions *t) {
    *t = (struct projection_assumptions){
        .mtbf_hours = 50000,
        .restart_s = 1800,
        .checkpoint_bytes = 14,
        .checkpoint_bytes_per_s = NAN,
        .straggling = 0.02,
        .wall_s = NAN,
        .eur_per_mwh = NAN,
        .eur_per_hour = NAN,
        .load = 1,
    };
}

double projection_cost_storage(const struct machine *m) {
    const struct machine_rows *rows = &m->facility.storage_achieved;
    double best = 0;
    for (int i = 0; i < rows->count; i++)
        if (!strcmp(rows->row[i].op, "checkpoint_save"))
            best = fmax(best, rows->row[i].bytes / rows->row[i].figure.value);
    return best > 0 ? best : m->facility.storage_write_bytes_per_s.value;
}

/* Time limit of one job: the one given, or that of the longest queue that takes it; 0 if unknown. */
static double job_limit(const struct projection *x, const struct projection_assumptions *t) {
    const struct machine *m = x->machine;
    double most = 0;
    if (isfinite(t->wall_s)) return t->wall_s;
    for (int i = 0; i < m->queue_count; i++)
        if (!(m->queues[i].accelerators < x->accelerators)) most = fmax(most, m->queues[i].wall_s.value);
    return most;
}

/* Time that the ramp's smaller batches add. */
static double ramp(const struct projection *x, const struct cost_parameters *p,
                   const struct projection_assumptions *t) {
    const struct cost_ablation whole = {0};
    const double full = (double)x->job.batch.global_batch, seq = (double)x->job.batch.seq;
    const double unit = (double)x->job.layout.dp * (double)x->job.layout.micro_batch;
    const double slice = t->ramp_tokens / RAMP_STEPS;
    double more = 0;
    for (int i = 0; i < RAMP_STEPS && slice * i < t->tokens; i++) {
        const double batch = t->ramp_batch + (full - t->ramp_batch) * (i + 0.5) / RAMP_STEPS;
        const double whole_batch = fmax(1, rint(batch / unit)) * unit;
        struct cost_job job = x->job;
        struct cost_step step;
        job.batch.global_batch = (int64_t)whole_batch;
        cost_step(&job, p, &whole, &step);
        more += fmin(slice, t->tokens - slice * i) / seq * (step.total / whole_batch - x->step.total / full);
    }
    return fmax(0, more);
}

/* Time of checkpoints and of failures. */
static void failures(const struct projection *x, const struct projection_assumptions *t, struct projection_cost *b) {
    const double rate =
        isfinite(t->checkpoint_bytes_per_s) ? t->checkpoint_bytes_per_s : projection_cost_storage(x->machine);
    const double parameters = (double)model_params_count(&x->job.model);
    const double busy = b->steps_s + b->ramp_s + b->straggling_s, mtbf_s = 3600 * t->mtbf_hours / x->accelerators;
    b->checkpoint_one_s = t->checkpoint_bytes * parameters / (isfinite(rate) ? rate : STORAGE);
    b->checkpoint_every_s = t->checkpoint_every_s > 0 ? t->checkpoint_every_s : sqrt(2 * b->checkpoint_one_s * mtbf_s);
    b->checkpoint_s = busy / b->checkpoint_every_s * b->checkpoint_one_s;
    const double risk = (b->checkpoint_every_s + b->checkpoint_one_s) / mtbf_s;
    const double useful = busy + b->checkpoint_s;
    const double run = risk > 0 ? useful * expm1(risk) / risk : useful; /* with the work repeated after failures */
    b->lost_s = run - useful;
    b->restart_s = run * expm1(t->restart_s / mtbf_s);
    b->failures = (run + b->restart_s) / mtbf_s;
}

/* Splits the training into jobs. Between two of them are a last checkpoint and a restart. */
static void queue(const struct projection *x, const struct projection_assumptions *t, struct projection_cost *b) {
    const double limit = job_limit(x, t), between = t->restart_s + b->checkpoint_one_s;
    b->wall_s = b->steps_s + b->ramp_s + b->straggling_s + b->checkpoint_s + b->lost_s + b->restart_s;
    if (!(limit > 0)) return;
    b->jobs = limit > between ? fmax(1, ceil((b->wall_s - between) / (limit - between))) : INFINITY;
    b->queue_s = (b->jobs - 1) * between;
    b->wall_s += b->queue_s;
}

static void energy(const struct projection *x, const struct projection_assumptions *t, struct projection_cost *b) {
    const struct machine *m = x->machine;
    const double hours = b->wall_s / 3600, nodes = x->accelerators / m->node.accelerators.value;
    b->accelerator_hours = x->accelerators * hours;
    b->accelerator_mwh = b->accelerator_hours * m->accelerator.power_w.value * t->load / 1e6;
    b->node_mwh = hours * nodes * m->node.power_w.value / 1e6;
    b->facility_mwh = b->node_mwh * m->facility.pue.value;
    b->electricity_eur = b->facility_mwh * t->eur_per_mwh;
    b->accelerators_eur = b->accelerator_hours * t->eur_per_hour;
}

int projection_cost_fill(const struct projection *x, const struct cost_parameters *p,
                         const struct projection_assumptions *t, struct projection_cost *b, struct base_error *e) {
    *b = (struct projection_cost){.steps = t->tokens / ((double)x->job.batch.global_batch * (double)x->job.batch.seq)};
    b->steps_s = b->steps * x->step.total;
    b->ramp_s = ramp(x, p, t);
    b->straggling_s = t->straggling * (b->steps_s + b->ramp_s);
    failures(x, t, b);
    queue(x, t, b);
    b->goodput = b->steps_s / b->wall_s;
    b->low_wall_s = b->wall_s * x->low_s / x->step.total;
    b->high_wall_s = b->wall_s * x->high_s / x->step.total;
    energy(x, t, b);
    if (b->goodput >= GOODPUT_LEAST) return BASE_OK;
    if (isinf(b->jobs))
        return base_fail(
            e, BASE_USAGE,
            "the training would never end: of each job's %.4g s, the restart takes %.4g s and the last checkpoint "
            "%.4g s; give a longer --wall, a shorter --restart or a faster --storage",
            job_limit(x, t), t->restart_s, b->checkpoint_one_s);
    return base_fail(e, BASE_USAGE,
                     "the training would never end: it fails every %.4g s, a restart takes %.4g s, and a checkpoint "
                     "every %.4g s takes %.4g s; change --mtbf, --restart, --checkpoint-every or --storage",
                     3600 * t->mtbf_hours / x->accelerators, t->restart_s, b->checkpoint_every_s, b->checkpoint_one_s);
}
