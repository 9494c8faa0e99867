/* SPDX-License-Identifier: Apache-2.0
 *
 * Software prefetch: while the current panels are multiplied, the operands of the next panels are fetched into L2.
 * Only a few lines are fetched between tiles, since many at once would stall the core. */
#ifndef TOISE_KERNELS_ATTENTION_ATTENTION_PREFETCH_INC_H
#define TOISE_KERNELS_ATTENTION_ATTENTION_PREFETCH_INC_H

#include "attention/attention.h"

/* PREFETCH_AREAS: as many as backward needs. */
enum { PREFETCH_AREAS = 10, PREFETCH_LINES = 4 };

/* Rows of several areas, one area after another, and the next line to fetch. */
struct prefetch {
    int count, area;
    int64_t row, byte;
    struct prefetch_area {
        uintptr_t at;
        int64_t rows, step, bytes; /* bytes from row to row, and of a row */
    } areas[PREFETCH_AREAS];
};

/* Adds `rows` rows of a matrix, `step` elements apart, starting at element `at` of p; nothing if rows <= 0. */
static inline void prefetch_add(struct prefetch *x, const void *p, size_t element, int64_t at, int64_t rows,
                                int64_t step, int64_t columns) {
    const int64_t bytes = (int64_t)element;
    if (rows > 0)
        x->areas[x->count++] =
            (struct prefetch_area){(uintptr_t)p + (uintptr_t)(at * bytes), rows, step * bytes, columns * bytes};
}

static inline void prefetch_lines(struct prefetch *x) {
    for (int i = 0; i < PREFETCH_LINES && x->area < x->count; i++) {
        const struct prefetch_area *p = &x->areas[x->area];
        __builtin_prefetch((const void *)(p->at + (uintptr_t)(x->row * p->step + x->byte)), 0, 2);
        x->byte += 64;
        if (x->byte < p->bytes) continue;
        x->byte = 0;
        if (++x->row == p->rows) x->row = 0, x->area++;
    }
}

#endif
