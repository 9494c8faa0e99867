/* SPDX-License-Identifier: Apache-2.0
 *
 * Copy, triad and read, by the kernels that the operations are held against. */
#include "measure/bandwidth.h"

#include <math.h>

#include "base/clock.h"

/* Four times what a cache holds: passes in a circle then find nothing of the last one, even where the replacement is
 * not the oldest first. At least that of 32 MB, where the size is unknown. */
enum { TIMES = 4, LEAST = 128 << 20 };

size_t measure_beyond_caches(const struct kernel_caches *caches) {
    const size_t wanted = TIMES * (size_t)(caches->l3 > caches->l2 ? caches->l3 : caches->l2);
    return wanted > LEAST ? wanted : LEAST;
}

int measure_bandwidth_open(struct measure_bandwidth *b, const struct kernel_team *team, size_t bytes,
                           struct base_error *e) {
    int code = BASE_OK;
    *b = (struct measure_bandwidth){.team = team, .n = (int64_t)(bytes / sizeof(float))};
    for (int i = 0; i < 3 && !code; i++)
        code = base_arena_open(&b->arenas[i], (size_t)b->n * sizeof(float), team->threads, e);
    if (code) measure_bandwidth_close(b);
    return code;
}

void measure_bandwidth_close(struct measure_bandwidth *b) {
    for (int i = 0; i < 3; i++) base_arena_close(&b->arenas[i]);
}

static float *array(const struct measure_bandwidth *b, int i) {
    return (float *)(void *)b->arenas[i].base;
}

double measure_bandwidth_window(struct measure_bandwidth *b) {
    static const double bytes[MEASURE_PASSES] = {8, 12, 4};
    /* each pass reads what was written past the caches, or read before all of another array was */
    float *x = array(b, b->turn ? 2 : 0), *y = array(b, 1), *z = array(b, b->turn ? 0 : 2);
    volatile double sum;
    double at[MEASURE_PASSES + 1], fastest = 0;
    at[0] = base_clock_now();
    b->team->ops->copy(b->team, b->n, x, y);
    at[1] = base_clock_now();
    b->team->ops->triad(b->team, b->n, y, 0.5f, z, x);
    at[2] = base_clock_now();
    sum = b->team->ops->square_sum(b->team, b->n, x);
    at[3] = base_clock_now();
    (void)sum;
    b->turn = !b->turn;
    for (int i = 0; i < MEASURE_PASSES; i++) {
        const double rate = bytes[i] * (double)b->n / (at[i + 1] - at[i]);
        b->best[i] = fmax(b->best[i], rate);
        fastest = fmax(fastest, rate);
    }
    return fastest;
}
