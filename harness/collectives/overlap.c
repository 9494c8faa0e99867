/* SPDX-License-Identifier: Apache-2.0
 *
 * What an all-reduce costs the matmuls that run meanwhile, and what ranks that share a node leave each other. */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "collectives/collectives.h"

static const double OVERLAP_S = 0.002; /* an all-reduce worth hiding */
static const double OVERLAP_TIMES = 2; /* matmuls last this many times as long as the all-reduce */

/* The slowest rank's seconds of matmuls, overlapped with an all-reduce of `bytes` unless that is 0. */
static double block(struct collectives *b, int count, int64_t bytes) {
    struct comm_request request;
    b->world->ops->barrier(b->world);
    const double start = base_clock_now();
    if (bytes)
        b->world->ops->all_reduce_start(b->world, collectives_next(b, bytes / 4, false).x, bytes / 4, KERNEL_F32,
                                        &request);
    collectives_gemms(b, count);
    if (bytes) b->world->ops->wait(b->world, &request);
    return collectives_slowest(b, base_clock_now() - start);
}

/* The largest and the smallest share that both intervals allow. */
void collectives_hidden(struct collectives_size *s) {
    const struct base_interval *cost = &s->cost, *call = &s->timed.call;
    const double low = 1 - cost->high / (cost->high > 0 ? call->low : call->high);
    const double high = 1 - cost->low / (cost->low > 0 ? call->high : call->low);
    const bool known = cost->confidence >= MEASURE_CONFIDENCE && call->confidence >= MEASURE_CONFIDENCE;
    s->hidden_low = known ? fmin(1, fmax(0, low)) : NAN;
    s->hidden_high = known ? fmin(1, fmax(0, high)) : NAN;
    s->hidden = known && (low > 0 || high < 0) ? fmin(1, fmax(0, 1 - cost->median / call->median)) : NAN;
}

void collectives_overlap(struct collectives *b, const struct measure_sampler *sampler, struct collectives_size *s) {
    const int count = (int)fmax(1, ceil(OVERLAP_TIMES * s->timed.call.median / b->gemm_s));
    double difference[COLLECTIVES_SAMPLES], spent = 0;
    if (s->timed.call.median < OVERLAP_S || b->stopped) return;
    for (int i = 0; !b->stopped && measure_sampler_goes_on(sampler, spent, i, true); i++) {
        s->compute_s[i] = block(b, count, 0);
        s->beside_s[i] = block(b, count, s->bytes);
        difference[i] = s->beside_s[i] - s->compute_s[i];
        spent += s->compute_s[i] + s->beside_s[i];
        s->pairs = i + 1;
    }
    s->cost = base_stats_median(difference, s->pairs, MEASURE_CONFIDENCE);
    collectives_hidden(s);
}

/* This rank's FLOP/s of matmuls and byte/s of passes. together: while all ranks do the same. */
static void rates(struct collectives *b, bool together, double rate[2]) {
    static const int count = 4;
    if (together) b->world->ops->barrier(b->world);
    rate[0] = count * 2.0 * (double)(b->gemm.m * b->gemm.n * b->gemm.k) / collectives_gemms(b, count);
    if (together) b->world->ops->barrier(b->world);
    const double start = base_clock_now();
    measure_bandwidth_window(&b->bandwidth);
    rate[1] = b->bandwidth.bytes / (base_clock_now() - start);
}

void collectives_measure_share(struct collectives *b, struct collectives_share *s) {
    double matmul[COLLECTIVES_ROUNDS], pass[COLLECTIVES_ROUNDS];
    struct measure_interference before, after;
    *s = (struct collectives_share){.rounds = COLLECTIVES_ROUNDS};
    measure_watch_read(&b->watch, &before);
    for (int i = 0; i < s->rounds; i++) {
        double alone[2] = {0, 0}, together[2];
        b->world->ops->barrier(b->world);
        if (b->world->rank == 0) rates(b, false, alone);
        b->world->ops->max(b->world, alone, 2);
        rates(b, true, together);
        for (int k = 0; k < 2; k++) together[k] = -together[k]; /* the max of negatives is the slowest rank's */
        b->world->ops->max(b->world, together, 2);
        s->matmul_alone[i] = alone[0], s->pass_alone[i] = alone[1];
        s->matmul_together[i] = -together[0], s->pass_together[i] = -together[1];
        matmul[i] = s->matmul_together[i] / s->matmul_alone[i];
        pass[i] = s->pass_together[i] / s->pass_alone[i];
    }
    s->matmul = base_stats_median(matmul, s->rounds, MEASURE_CONFIDENCE).median;
    s->pass = base_stats_median(pass, s->rounds, MEASURE_CONFIDENCE).median;
    measure_watch_read(&b->watch, &after);
    const double stopped = collectives_slowest(b, (double)(after.throttled_periods - before.throttled_periods));
    if (stopped <= 0) return;
    s->status = RECORD_INCONCLUSIVE;
    snprintf(s->why, sizeof s->why, "a CPU quota stopped ranks in %.0f periods during the measurement", stopped);
}
