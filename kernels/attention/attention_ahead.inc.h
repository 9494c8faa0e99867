/* SPDX-License-Identifier: Apache-2.0
 *
 * What the next panels will move comes into L2 while these are multiplied: a few lines between tiles, since many at
 * once would be waited for. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_AHEAD_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_AHEAD_INC_H

#include "attention/attention.h"

/* Places: what backward has. */
enum { AHEAD_PLACES = 8, AHEAD_LINES = 4 };

/* Rows of several places, one place after the other; which line of them is next. */
struct ahead {
    int count, place;
    int64_t row, byte;
    struct ahead_place {
        uintptr_t at;
        int64_t rows, step, bytes; /* bytes from row to row, and of a row */
    } places[AHEAD_PLACES];
};

/* Elements of `rows` rows of a matrix, `step` from row to row, from element `at` of p on; none if rows <= 0. */
static inline void ahead_add(struct ahead *x, const void *p, size_t element, int64_t at, int64_t rows, int64_t step,
                             int64_t columns) {
    const int64_t bytes = (int64_t)element;
    if (rows > 0)
        x->places[x->count++] =
            (struct ahead_place){(uintptr_t)p + (uintptr_t)(at * bytes), rows, step * bytes, columns * bytes};
}

static inline void ahead_fetch(struct ahead *x) {
    for (int i = 0; i < AHEAD_LINES && x->place < x->count; i++) {
        const struct ahead_place *p = &x->places[x->place];
        __builtin_prefetch((const void *)(p->at + (uintptr_t)(x->row * p->step + x->byte)), 0, 2);
        x->byte += 64;
        if (x->byte < p->bytes) continue;
        x->byte = 0;
        if (++x->row == p->rows) x->row = 0, x->place++;
    }
}

#endif
