/* SPDX-License-Identifier: Apache-2.0
 *
 * What a step says of all ranks: with a tree (model/tree.h) the loss, and the norm of gradients, whatever each rank
 * owns of them. */
#ifndef TOISE_PARALLEL_SUMS_H
#define TOISE_PARALLEL_SUMS_H

#include "parallel/engine.h"

/* With a tree: adds the micro-batch's losses, sequence by sequence, to those of their leaves. And the mean over all
 * tokens, of all ranks: a leaf is of one of them, and the zeros of the others change no bit. Collective. */
void parallel_losses_add(struct parallel_engine *engine);
double parallel_losses_mean(struct parallel_engine *engine);

/* A sum of squares. With a tree it is in folds, whose sums are exact in any order; else in sums of one. */
struct parallel_norm {
    double squares[KERNEL_FOLDS], experts; /* experts: of theirs, without a tree */
    double largest;                        /* |gradient|, with a tree */
};

/* Of what this rank owns: the squares, or with a tree the largest. Then, with a tree, ranks agree on the largest, which
 * is collective, and each folds its squares. At last the norm over all ranks; NAN if a gradient is not finite. */
struct parallel_norm parallel_norm_own(const struct parallel_engine *engine);
void parallel_norm_agree(const struct parallel_engine *engine, struct parallel_norm *norm);
void parallel_norm_fold(const struct parallel_engine *engine, struct parallel_norm *norm);
double parallel_norm_all(const struct parallel_engine *engine, struct parallel_norm *norm);

#endif
