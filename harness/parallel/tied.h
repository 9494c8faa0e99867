/* SPDX-License-Identifier: Apache-2.0
 *
 * A head that is tied to the token table, if pipeline stages have them apart. The first stage owns the table. At the
 * start of a step it sends the weights to the last one, while the pipeline fills. The last stage sums the head's
 * gradient over its micro-batches, and both add up their parts once the embedding's is final.
 *
 * With a tree (model/tree.h) the head's gradient is apart from its table's on every layout: replicas sum each, and the
 * first stage adds the one to the other at the end. */
#ifndef TOISE_PARALLEL_TIED_H
#define TOISE_PARALLEL_TIED_H

#include "base/arena.h"
#include "parallel/groups.h"

struct parallel_tied {
    struct comm *comm;     /* the first and the last stage; NULL: no such head, or not on this rank */
    struct comm *replicas; /* with a tree, of such a head; else NULL */
    bool lends;            /* the first stage */
    void *table;           /* the last stage's copy [count] of the model's dtype */
    float *grad;           /* [count] the head's, of each level; NULL: not on this rank, or the table's has it */
    float *head;           /* [count] with a tree: its sum, which is added to the table's; else NULL */
    int64_t count, size;
    bool fresh;         /* the copy is that of the weights as they are now */
    bool passed;        /* in this step: the last stage's sum, to the first */
    bool deferred, due; /* with a tree: start the sum only when it is waited for; it is to be started */
    bool silent;        /* send nothing */
    struct comm_request weights, sum;
};

/* Takes its memory from the arenas, which the plan made for it. */
void parallel_tied_open(struct parallel_tied *tied, const struct plan *plan, const struct parallel_groups *groups,
                        struct base_arena *arenas);
/* The weights have changed. */
void parallel_tied_renew(struct parallel_tied *tied);
/* Before the first pass over weights that have changed. table: the first stage's. `arrived` waits for it: before the
 * last stage's first head, and before the first stage's table changes again. */
void parallel_tied_share(struct parallel_tied *tied, const void *table);
void parallel_tied_arrived(struct parallel_tied *tied);
/* A step begins; the head's gradient is final, where it is; blocks until it is summed, and with a tree until the first
 * stage has it. Without one the first stage sums as in blocks.h. */
void parallel_tied_begin(struct parallel_tied *tied);
void parallel_tied_sum(struct parallel_tied *tied);
void parallel_tied_summed(struct parallel_tied *tied);

#endif
