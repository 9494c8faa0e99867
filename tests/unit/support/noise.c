/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and makes series of noise. */
#include "unit/support/noise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/stats.h"
#include "records/get.h"
#include "records/load.h"

enum { MADE = 1 << 18, RECORDED_MOST = 1 << 14 };

static void append(struct noise *noise, double value) {
    if (noise->n < RECORDED_MOST && value > 0) noise->x[noise->n++] = -log(value); /* of a rate */
}

/* All windows of a roof that were measured beside kernels on so many threads, in the order of time. */
static void record(struct noise *noise, const char *key, int threads) {
    const char *const paths[] = {NOISE_RECORDS};
    struct record_list list = {0};
    struct base_error e = {0};
    if (record_load(&list, paths, 1, false, &e)) {
        fprintf(stderr, "noise: %s\n", e.text);
        exit(1);
    }
    for (size_t i = 0; i < list.count; i++) {
        double values[64];
        const json_t *r = list.at[i].record;
        if (strcmp(record_text(r, "kind"), "kernel") != 0 || record_whole(r, "layout.threads") != threads) continue;
        const size_t n = record_reals(r, key, values, 64);
        for (size_t k = 0; k < n && k < 64; k++) append(noise, values[k]);
    }
    record_list_close(&list);
}

static double normal(uint64_t stream, uint64_t i) {
    const double u = base_random_unit(7, BASE_STREAM_TEST + stream, 2 * i);
    return sqrt(-2 * log(1 - u)) * cos(2 * M_PI * base_random_unit(7, BASE_STREAM_TEST + stream, 2 * i + 1));
}

static void make(struct noise *noise, int bursts) {
    double state = 0, height = 0;
    int left = 0;
    for (int i = 0; i < MADE; i++) {
        uint32_t word[4];
        base_random_words(8, BASE_STREAM_TEST, (uint64_t)i, word);
        if (left-- <= 0) height = 0;
        if (bursts && word[0] % 200 == 0) left = (int)(word[1] % 6), height = 5 + 15 * 0x1p-32 * word[2];
        state = 0.6 * state + 0.8 * normal(1000, (uint64_t)i);
        noise->x[noise->n++] = state + height;
    }
}

/* Takes from each value the median of the window around it. */
static void level(struct noise *noise, int window) {
    double *smooth = malloc((size_t)noise->n * sizeof *smooth), *around = malloc((size_t)window * sizeof *around);
    for (int i = 0; i < noise->n; i++) {
        int first = i - window / 2;
        first = first < 0 ? 0 : first + window > noise->n ? noise->n - window : first;
        memcpy(around, noise->x + first, (size_t)window * sizeof *around);
        smooth[i] = base_stats_quantile(around, window, 0.5);
    }
    for (int i = 0; i < noise->n; i++) noise->x[i] -= smooth[i];
    free(smooth), free(around);
}

static void scale(struct noise *noise) {
    double sum = 0, squares = 0;
    for (int i = 0; i < noise->n; i++) sum += noise->x[i] / noise->n;
    for (int i = 0; i < noise->n; i++) squares += (noise->x[i] - sum) * (noise->x[i] - sum) / noise->n;
    for (int i = 0; i < noise->n; i++) noise->x[i] = (noise->x[i] - sum) / sqrt(squares);
}

void noise_open(struct noise *noise, enum noise_kind kind, int window) {
    static const char *const names[] = {"recorded, all cores", "recorded, one core", "recorded, memory",
                                        "normal, correlated", "bursts"};
    const int made = kind >= NOISE_NORMAL;
    *noise = (struct noise){names[kind], malloc((made ? MADE : RECORDED_MOST) * sizeof(double)), 0};
    if (made)
        make(noise, kind == NOISE_BURSTS);
    else
        record(noise, kind == NOISE_BANDWIDTH ? "samples.bandwidth_byte_per_s" : "samples.peak_flop_per_s",
               kind == NOISE_CORE ? 1 : 2);
    if (noise->n < 200) {
        fprintf(stderr, "noise: %s holds only %d samples of \"%s\"\n", NOISE_RECORDS, noise->n, names[kind]);
        exit(1);
    }
    if (window && !made) level(noise, window);
    scale(noise);
}

void noise_close(struct noise *noise) {
    free(noise->x);
    *noise = (struct noise){0};
}
