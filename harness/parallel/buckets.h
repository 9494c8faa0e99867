/* SPDX-License-Identifier: Apache-2.0
 *
 * Gradients summed over the ranks while backward still runs. The rule, which the ledger repeats: a range that is
 * final joins the final, unsent ranges that it touches; a stretch so joined that has reached the bucket's size is
 * sent at once, whole; what remains at the end is sent from the highest offset down. It depends on the ranges
 * alone, so ranks that report the same ranges in the same order send the same messages. */
#ifndef TOISE_PARALLEL_BUCKETS_H
#define TOISE_PARALLEL_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"

enum { PARALLEL_STRETCHES = 64 }; /* apart from each other and unsent; for one more, the highest is sent early */

struct parallel_buckets {
    struct comm *comm;
    float *grads;
    int64_t total, bucket;
    int64_t reported; /* elements, in this step */
    struct parallel_stretch {
        int64_t low, high;
    } stretch[PARALLEL_STRETCHES]; /* by offset, ascending */
    int stretches;
    struct comm_request *requests; /* of the step: [waited, sent) are in flight, number i in slot i % capacity */
    int64_t capacity, sent, waited;
};

/* The messages of a step whose ranges touch each other and come in order of offset: at most this many. */
int64_t parallel_buckets_count(int64_t total, int64_t bucket);
/* Sums grads[total] over comm in buckets of at least `bucket` elements (>= 1). Allocates; the step does not. */
int parallel_buckets_open(struct parallel_buckets *b, struct comm *comm, float *grads, int64_t total, int64_t bucket,
                          struct base_error *e);
void parallel_buckets_close(struct parallel_buckets *b);

/* A step: begin; ready for each range as it becomes final (a hook: context is the struct parallel_buckets), not to be
 * touched any more; finish sends what remains and blocks until all is summed. False: the ranges reported do not add
 * up to the buffer, so part of it is not, or not rightly, summed. */
void parallel_buckets_begin(struct parallel_buckets *b);
void parallel_buckets_ready(void *context, int64_t offset, int64_t count);
bool parallel_buckets_finish(struct parallel_buckets *b);

#endif
