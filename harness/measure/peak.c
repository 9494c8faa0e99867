/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread's rate is its own work over its own time, in the best slice of a window. So a thread that starts late or
 * loses its core for a moment does not count as slow. Rates add up over the threads of a rank, and over ranks. Under a
 * quota threads are stopped in between. So all slices that end within the window count, over the whole window's
 * time. */
#include "measure/peak.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Long compared with starting a parallel region and with a scheduler tick; short compared with the steps between
 * windows */
const double MEASURE_PEAK_S = 0.015;

enum { FIRST_ROUNDS = 256, GROWTH_MAX = 16, SLICES = 8, QUOTA_PERIODS = 5, QUOTA_LEAD = 2, TRIES = 3 };
static const double QUOTA_LEAST_S = 0.1;

double measure_quota_window(double period_s) {
    return period_s * fmax(QUOTA_PERIODS, ceil(QUOTA_LEAST_S / period_s));
}

double measure_quota_lead(double period_s) {
    return QUOTA_LEAD * period_s;
}

double measure_quota_period(const struct base_cgroup_quota *quota, int threads) {
    return quota->cpus > 0 && threads > quota->cpus ? quota->period_s : 0;
}

/* All threads run `slices` slices of `rounds` rounds. Fills rate[threads] and returns the slowest thread's seconds. */
static double run_threads(const struct measure_peak *peak, int slices, int64_t rounds, double *rate) {
    const struct kernel_team *team = peak->team;
    double slowest = 0.0;
    memset(rate, 0, (size_t)team->threads * sizeof *rate);
#pragma omp parallel num_threads(team->threads)
    {
#pragma omp barrier
        double start = base_clock_now(), last = start, best = 0.0;
        for (int i = 0; i < slices; i++) {
            double flop = peak->run(peak->loop, rounds), now = base_clock_now();
            if (now > last) best = fmax(best, flop / (now - last));
            last = now;
        }
        double seconds = last - start;
        rate[omp_get_thread_num()] = best;
#pragma omp critical(measure_peak_slowest)
        if (seconds > slowest) slowest = seconds;
    }
    return slowest;
}

/* All threads run rounds until the window ends. Fills rate[threads]. */
static void sustain_threads(const struct measure_peak *peak, double *rate) {
    const double start = base_clock_now() + peak->lead_s, end = start + peak->window_s;
    memset(rate, 0, (size_t)peak->team->threads * sizeof *rate);
#pragma omp parallel num_threads(peak->team->threads)
    {
        double done = 0.0, now;
        do {
            double flop = peak->run(peak->loop, peak->rounds);
            now = base_clock_now();
            if (now > start && now <= end) done += flop;
        } while (now <= end);
        rate[omp_get_thread_num()] = done / peak->window_s;
    }
}

/* Grows the loop until the clock's grain and the threads' start are negligible, then scales it to `seconds`. */
static int64_t calibrate(const struct measure_peak *peak, double seconds, double *rate) {
    int64_t rounds = FIRST_ROUNDS;
    for (;;) {
        double took = run_threads(peak, 1, rounds, rate), factor = took > 0.0 ? seconds / took : GROWTH_MAX;
        if (factor <= 4.0 || rounds > INT64_MAX / (2 * GROWTH_MAX))
            return (int64_t)ceil((double)rounds * fmin(factor, 4.0));
        rounds *= factor < GROWTH_MAX ? (int64_t)factor : GROWTH_MAX;
    }
}

/* BF16 multiplies by its dot instruction or, widened, by FP32's multiply-add; the faster loop is the bound. */
static enum kernel_dtype faster_loop(const struct measure_peak *peak, double *rate) {
    double best = 0;
    enum kernel_dtype loop = peak->loop;
    if (loop != KERNEL_BF16 || !kernel_bf16_native(peak->team->ops)) return loop;
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        struct measure_peak one = *peak;
        double sum = 0;
        one.loop = (enum kernel_dtype)t;
        run_threads(&one, SLICES, calibrate(&one, MEASURE_PEAK_S / SLICES, rate), rate);
        for (int i = 0; i < peak->team->threads; i++) sum += rate[i];
        if (sum > best) best = sum, loop = one.loop;
    }
    return loop;
}

static void size_windows(struct measure_peak *peak, double period_s, double *rate) {
    peak->window_s = MEASURE_PEAK_S;
    if (period_s > 0) {
        peak->lead_s = measure_quota_lead(period_s);
        peak->window_s = measure_quota_window(period_s);
    }
    /* a calibration interrupted by the quota or by other processes finds too few rounds */
    for (int i = 0; i < TRIES; i++) {
        const int64_t rounds = calibrate(peak, MEASURE_PEAK_S / SLICES, rate);
        if (rounds > peak->rounds) peak->rounds = rounds;
    }
}

void measure_peak_open(struct measure_peak *peak, const struct kernel_team *team, enum kernel_dtype dtype, double share,
                       double period_s) {
    double rate[team->threads];
    *peak = (struct measure_peak){.team = team, .run = team->ops->peak, .loop = dtype, .share = share};
    peak->loop = faster_loop(peak, rate);
    size_windows(peak, period_s, rate);
}

void measure_tile_peak_open(struct measure_peak *peak, const struct kernel_team *team, enum kernel_dtype dtype,
                            double share, double period_s) {
    double rate[team->threads];
    *peak = (struct measure_peak){.team = team, .run = team->ops->tile_peak, .loop = dtype, .share = share};
    size_windows(peak, period_s, rate);
}

const char *measure_peak_isa(const struct measure_peak *peak) {
    const char *isa = kernel_variant(peak->team->ops, "peak");
    if (!isa) return "unknown";
    const bool dot = !strcmp(isa, kernel_isa_name(KERNEL_ISA_avx512bf16)); /* its FP32 loop is that of the set below */
    return dot && peak->loop == KERNEL_F32 ? kernel_isa_name(KERNEL_ISA_avx512) : isa;
}

void measure_peak_text(enum kernel_dtype dtype, const char *isa, int threads, bool sustained, char *text, int size) {
    snprintf(text, (size_t)size, "measured %s peak, %s, %d thread%s%s", dtype == KERNEL_F32 ? "f32" : "bf16", isa,
             threads, threads == 1 ? "" : "s", sustained ? ", under a CPU quota" : "");
}

double measure_peak_window(struct measure_peak *peak, struct comm *world) {
    double rate[peak->team->threads], own = 0.0;
    world->ops->barrier(world);
    if (peak->lead_s > 0)
        sustain_threads(peak, rate);
    else
        run_threads(peak, SLICES, peak->rounds, rate);
    /* under a quota, threads that share a CPU already have only their parts of the window */
    for (int i = 0; i < peak->team->threads; i++) own += rate[i] * (peak->lead_s > 0 ? 1 : peak->share);
    double all = own;
    world->ops->sum(world, &all, 1);
    peak->own_best = fmax(peak->own_best, own);
    peak->best = fmax(peak->best, all);
    return all;
}
