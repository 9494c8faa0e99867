/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel table that wraps an engine's. Matmul and attention run as usual and are then checked in FP64. */
#ifndef TOISE_GATE_CHECKED_H
#define TOISE_GATE_CHECKED_H

#include "gate/gate.h"

struct gate_checked {
    struct gate *gate;
    struct kernel_ops ops;          /* the checking table */
    const struct kernel_ops *inner; /* what it wraps */
    double *space, *before;         /* FP64 vectors; rows that attention adds to */
    void *plain;                    /* a matmul's result before the pass fused into it */
    size_t plain_bytes;
    uint64_t calls; /* seed of the random vectors and rows */
};

/* Puts the checking table into the engine's team; close removes it. */
int gate_checked_open(struct gate_checked *checked, struct gate *gate, struct parallel_engine *engine,
                      struct base_error *e);
void gate_checked_close(struct gate_checked *checked, struct parallel_engine *engine);

#endif
