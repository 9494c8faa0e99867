/* SPDX-License-Identifier: Apache-2.0
 *
 * A kernel table that wraps an engine's. Matmul and attention run as usual and are then checked in FP64. */
#ifndef TOISE_TRAIN_GATE_KERNELS_H
#define TOISE_TRAIN_GATE_KERNELS_H

#include "train/gate.h"

struct train_checked {
    struct train_gate *gate;
    struct kernel_ops ops;          /* the checking table */
    const struct kernel_ops *inner; /* what it wraps */
    double *space;                  /* FP64 vectors */
    void *plain;                    /* a matmul's result before the pass fused into it */
    size_t plain_bytes;
    uint64_t calls; /* seed of the random vectors and rows */
};

/* Puts the checking table into the engine's team; close removes it. */
int train_checked_open(struct train_checked *checked, struct train_gate *gate, struct parallel_engine *engine,
                       struct base_error *e);
void train_checked_close(struct train_checked *checked, struct parallel_engine *engine);

/* Reads this rank's weights as the path stores them, for struct model_reference. context is the engine. */
void train_weights_read(void *context, int64_t offset, int64_t count, double *out);
#endif
