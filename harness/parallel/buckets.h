/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums gradients over the ranks while backward still runs. The rule, which the ledger repeats: a final range is merged
 * with the final, unsent ranges that it touches. A merged stretch that reaches the bucket's size is sent at once, as
 * one message. At the end, what remains is sent from the highest offset down. The rule depends only on the ranges. So
 * ranks that report the same ranges in the same order send the same messages.
 *
 * Deferred, the same messages leave in the same order, but only once all gradients are final. So the sums have the same
 * bits either way. */
#ifndef TOISE_PARALLEL_BUCKETS_H
#define TOISE_PARALLEL_BUCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm/comm.h"

enum { PARALLEL_STRETCHES = 64 }; /* unsent stretches at a time; for one more, the highest is sent early */

struct parallel_buckets {
    struct comm *comm;
    float *grads;
    int64_t total, bucket;
    int64_t reported; /* elements reported in this step */
    struct parallel_stretch {
        int64_t low, high;
    } stretch[PARALLEL_STRETCHES]; /* by offset, ascending */
    int stretches;
    bool deferred; /* start nothing before finish; set between steps, the same on all ranks */
    /* This step's messages: [waited, sent) are in flight, [sent, due) are held. Number i is in slot i % capacity. */
    struct comm_request *requests;
    struct parallel_stretch *held;
    int64_t capacity, due, sent, waited;
};

/* The most messages of a step whose ranges are adjacent and come in order of offset. */
int64_t parallel_buckets_count(int64_t total, int64_t bucket);
/* For sums of grads[total] over comm in buckets of at least `bucket` elements (>= 1). Only this allocates, not a
 * step. */
int parallel_buckets_open(struct parallel_buckets *b, struct comm *comm, float *grads, int64_t total, int64_t bucket,
                          struct base_error *e);
void parallel_buckets_close(struct parallel_buckets *b);

/* A step: begin once, ready for each range when it becomes final, then finish. ready is a hook whose context is the
 * struct parallel_buckets; do not touch its range afterwards. flush sends what remains, finish does so too and blocks
 * until everything is summed. False: the reported ranges do not add up to the buffer, so the sums are incomplete or
 * wrong. */
void parallel_buckets_begin(struct parallel_buckets *b);
void parallel_buckets_ready(void *context, int64_t offset, int64_t count);
void parallel_buckets_flush(struct parallel_buckets *b);
bool parallel_buckets_finish(struct parallel_buckets *b);

#endif
