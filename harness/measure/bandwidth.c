/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures bandwidth with copy, triad, read and update, by the kernels that operations are compared with. */
#include "measure/bandwidth.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "measure/peak.h"

/* Four times the cache's size. Then a cyclic pass finds nothing of the last pass in cache, even if replacement is not
 * oldest first. At least four times 32 MB, for unknown sizes. */
enum { TIMES = 4, LEAST = 128 << 20 };

/* bytes of an element, for each kind; the update covers half as many elements */
static const double pass_bytes[MEASURE_PASSES] = {8, 12, 4, 14};

size_t measure_beyond_caches(const struct kernel_caches *caches) {
    const size_t wanted = TIMES * (size_t)(caches->l3 > caches->l2 ? caches->l3 : caches->l2);
    return wanted > LEAST ? wanted : LEAST;
}

int measure_bandwidth_open(struct measure_bandwidth *b, const struct kernel_team *team, size_t bytes, double period_s,
                           struct base_error *e) {
    int code = BASE_OK;
    *b = (struct measure_bandwidth){.team = team, .n = (int64_t)(bytes / sizeof(float) / MEASURE_PARTS)};
    for (int i = 0; i < MEASURE_PASSES; i++) b->bytes += pass_bytes[i] * (double)b->n;
    if (period_s > 0) b->lead_s = measure_quota_lead(period_s), b->window_s = measure_quota_window(period_s);
    for (int i = 0; i < MEASURE_PARTS * 3 && !code; i++)
        code = base_arena_open(&b->arenas[i], (size_t)b->n * sizeof(float), team->threads, e);
    if (code) measure_bandwidth_close(b);
    return code;
}

void measure_bandwidth_close(struct measure_bandwidth *b) {
    for (int i = 0; i < MEASURE_PARTS * 3; i++) base_arena_close(&b->arenas[i]);
}

static float *array(const struct measure_bandwidth *b, int i) {
    return (float *)(void *)b->arenas[b->part * 3 + i].base;
}

/* One pass over the next part. By the time a part is used again, all others have passed through the caches. */
void measure_bandwidth_pass(struct measure_bandwidth *b, enum measure_pass kind) {
    float *x = array(b, 0), *y = array(b, 1), *z = array(b, 2);
    volatile double sum;
    b->part = (b->part + 1) % MEASURE_PARTS;
    if (kind == MEASURE_COPY) b->team->ops->copy(b->team, b->n, x, y);
    if (kind == MEASURE_TRIAD) b->team->ops->triad(b->team, b->n, y, 0.5f, z, x);
    if (kind == MEASURE_READ) sum = b->team->ops->square_sum(b->team, b->n, x), (void)sum;
    if (kind == MEASURE_UPDATE) {
        const int64_t half = b->n / 2 / 16 * 16; /* splits one array into two aligned ones */
        const struct kernel_adamw a = {.n = half,
                                       .w = x,
                                       .m = x + half,
                                       .v = y,
                                       .grad = z,
                                       .beta1 = 0.9f,
                                       .beta2 = 0.95f,
                                       .eps = 1e-8f,
                                       .correction1 = 1,
                                       .correction2 = 1,
                                       .grad_scale = 1};
        b->team->ops->adamw(b->team, &a);
    }
}

double measure_bandwidth_pass_bytes(const struct measure_bandwidth *b, enum measure_pass kind) {
    return pass_bytes[kind] * (double)b->n;
}

/* Seconds of a pass: of one pass, or under a quota the mean of those that fill a window */
static double seconds_of_pass(struct measure_bandwidth *b, enum measure_pass kind, double lead_s) {
    double start = base_clock_now(), now = start;
    int passes = 0;
    for (; now - start < lead_s; now = base_clock_now()) measure_bandwidth_pass(b, kind);
    start = now;
    do {
        measure_bandwidth_pass(b, kind);
        passes++;
        now = base_clock_now();
    } while (now - start < b->window_s);
    return (now - start) / passes;
}

double measure_bandwidth_window(struct measure_bandwidth *b) {
    double fastest = 0;
    for (int i = 0; i < MEASURE_PASSES; i++) {
        const enum measure_pass kind = (enum measure_pass)i;
        const double rate = measure_bandwidth_pass_bytes(b, kind) / seconds_of_pass(b, kind, i ? 0 : b->lead_s);
        b->best[i] = fmax(b->best[i], rate);
        if (rate > fastest) fastest = rate, b->fastest = (enum measure_pass)i;
    }
    return fastest;
}

const char *measure_pass_name(enum measure_pass pass) {
    static const char *const names[MEASURE_PASSES] = {"copy", "triad", "read", "update"};
    return names[pass];
}

void measure_bandwidth_text(enum measure_pass pass, int threads, bool sustained, char *text, int size) {
    snprintf(text, (size_t)size, "measured %s bandwidth beyond the caches, %d thread%s%s", measure_pass_name(pass),
             threads, threads == 1 ? "" : "s", sustained ? ", under a CPU quota" : "");
}
