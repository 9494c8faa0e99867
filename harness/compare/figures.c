/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a launch's time, and the CPU time that others took, from records of any kind. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compare/causes.h"
#include "records/get.h"
#include "study/ratio.h"

const char *compare_figure_name(enum compare_figure figure) {
    static const char *const names[] = {"peak", "matmul", "passes", "communication"};
    return names[figure];
}

/* The sum of seconds at the paths; NAN: one is absent. */
static double sum_of(const json_t *record, const char *const *paths) {
    double sum = 0;
    for (; *paths; paths++) sum += record_real(record, *paths);
    return sum;
}

static double train_speed(const json_t *record, enum compare_figure figure) {
    static const char *const matmul[] = {"result.breakdown.forward", "result.breakdown.head",
                                         "result.breakdown.backward", NULL};
    static const char *const passes[] = {"result.breakdown.zero", "result.breakdown.clip", "result.breakdown.update",
                                         NULL};
    static const char *const communication[] = {"result.breakdown.communication", NULL};
    /* partial sums, keys and gathered weights are within the passes that wait for them; stages do different work */
    const bool stages = record_whole(record, "layout.pp") > 1;
    const bool mixed = stages || record_whole(record, "layout.tp") > 1 || record_whole(record, "layout.cp") > 1 ||
                       record_whole(record, "layout.ep") > 1 || record_whole(record, "layout.zero") > 1;
    if (stages && figure == COMPARE_PASSES) return NAN;
    if (mixed && (figure == COMPARE_MATMUL || figure == COMPARE_COMMUNICATION)) return NAN;
    switch (figure) {
    case COMPARE_MATMUL:
        return 1 / sum_of(record, matmul);
    case COMPARE_PASSES:
        return 1 / sum_of(record, passes);
    case COMPARE_COMMUNICATION:
        return record_whole(record, "layout.world") > 1 ? 1 / sum_of(record, communication) : NAN;
    default:
        return record_real(record, "result.peak_flop_per_s");
    }
}

static double kernel_speed(const json_t *record, enum compare_figure figure) {
    const char *op = record_text(record, "result.op");
    const bool matmul = !strncmp(op, "gemm", 4) || !strncmp(op, "attention", 9);
    switch (figure) {
    case COMPARE_MATMUL:
        return matmul ? 1 / record_real(record, "result.call_s") : NAN;
    case COMPARE_PASSES:
        return matmul ? record_real(record, "result.bandwidth_byte_per_s") : 1 / record_real(record, "result.call_s");
    case COMPARE_PEAK:
        return record_real(record, "result.peak_flop_per_s");
    default:
        return NAN;
    }
}

/* NAN: the record does not say. */
static double speed_of(const json_t *record, enum compare_figure figure) {
    const char *kind = record_text(record, "kind");
    double speed = NAN;
    if (!strcmp(kind, "train")) speed = train_speed(record, figure);
    if (!strcmp(kind, "kernel")) speed = kernel_speed(record, figure);
    if (!strcmp(kind, "comm") && figure == COMPARE_COMMUNICATION) speed = 1 / record_real(record, "result.time_s");
    return speed > 0 && isfinite(speed) ? speed : NAN;
}

static int take_logs(const json_t *const *records, int n, enum compare_figure figure, double *logs) {
    int known = 0;
    for (int i = 0; i < n; i++) {
        const double speed = speed_of(records[i], figure);
        if (!isnan(speed)) logs[known++] = log(speed);
    }
    return known;
}

int compare_changes(const struct compare_evidence *x, struct compare_change changes[COMPARE_FIGURES],
                    struct base_error *e) {
    double *base = malloc(((size_t)x->n + (size_t)x->m + 1) * sizeof *base), *new = base + x->n;
    if (!base) return base_fail(e, BASE_BROKEN, "out of memory for %d launches", x->n + x->m);
    for (int f = 0; f < COMPARE_FIGURES; f++) {
        const int n = take_logs(x->base, x->n, (enum compare_figure)f, base);
        const int m = take_logs(x->new, x->m, (enum compare_figure)f, new);
        changes[f] = (struct compare_change){NAN, NAN, NAN, NAN};
        if (n < 2 || m < 2) continue;
        const struct study_ratio r = study_ratio_welch(base, n, new, m);
        changes[f] = (struct compare_change){r.log, study_ratio_low(&r, STUDY_ALPHA), study_ratio_high(&r, STUDY_ALPHA),
                                             study_ratio_p(&r)};
    }
    free(base);
    return BASE_OK;
}

/* Training records have sums of each rank; the others have rank 0's samples. */
static double lost_by(const json_t *record, const char *what) {
    const json_t *rank, *ranks = record_at(record, "result.per_rank");
    const double wall_s = record_real(record, "result.wall_s");
    double lost = 0, had = 0;
    size_t i;
    json_array_foreach(ranks, i, rank) {
        const double s = record_real(rank, what);
        lost += isnan(s) ? 0 : s;
        /* what is lost is that of all CPUs it may run on */
        const long long cpus = record_whole(rank, "cpu_count");
        had += wall_s * (double)(cpus ? cpus : record_whole(rank, "threads"));
    }
    if (had > 0) return fmin(1, lost / had);
    char path[64];
    snprintf(path, sizeof path, "samples.interference.%s", what);
    const double calls = (double)record_whole(record, "samples.calls");
    had = (record_sum(record, "samples.call_s") + record_sum(record, "samples.time_s")) * calls *
          (double)record_whole(record, "layout.threads");
    return had > 0 ? fmin(1, record_sum(record, path) / had) : 0;
}

double compare_lost(const json_t *const *records, int n, const char *what) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += lost_by(records[i], what);
    return n ? sum / n : 0;
}
