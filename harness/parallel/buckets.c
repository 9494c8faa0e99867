/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums gradients in buckets by the rule of buckets.h. A comm of one rank sends nothing. */
#include "parallel/buckets.h"

#include <stdlib.h>
#include <string.h>

int64_t parallel_buckets_count(int64_t total, int64_t bucket) {
    return total / bucket + (total % bucket != 0);
}

int parallel_buckets_open(struct parallel_buckets *b, struct comm *comm, float *grads, int64_t total, int64_t bucket,
                          struct base_error *e) {
    const int64_t capacity = parallel_buckets_count(total, bucket) + PARALLEL_STRETCHES;
    struct comm_request *requests = calloc((size_t)capacity, sizeof *requests);
    struct parallel_stretch *held = calloc((size_t)capacity, sizeof *held);
    *b = (struct parallel_buckets){.comm = comm,
                                   .grads = grads,
                                   .total = total,
                                   .bucket = bucket,
                                   .requests = requests,
                                   .held = held,
                                   .capacity = capacity};
    if (requests && held) return BASE_OK;
    parallel_buckets_close(b);
    return base_fail(e, BASE_BROKEN, "out of memory for %lld gradient buckets", (long long)capacity);
}

void parallel_buckets_close(struct parallel_buckets *b) {
    free(b->requests), free(b->held);
    *b = (struct parallel_buckets){0};
}

void parallel_buckets_begin(struct parallel_buckets *b) {
    b->reported = 0;
    b->stretches = 0;
    b->due = b->sent = b->waited = 0;
}

static void start_oldest(struct parallel_buckets *b) {
    const struct parallel_stretch s = b->held[b->sent % b->capacity];
    b->comm->ops->all_reduce_start(b->comm, b->grads + s.low, s.high - s.low, KERNEL_F32,
                                   &b->requests[b->sent++ % b->capacity]);
}

static void wait_oldest(struct parallel_buckets *b) {
    b->comm->ops->wait(b->comm, &b->requests[b->waited++ % b->capacity]);
}

static void send(struct parallel_buckets *b, int i) {
    const struct parallel_stretch s = b->stretch[i];
    b->stretches--;
    memmove(&b->stretch[i], &b->stretch[i + 1], (size_t)(b->stretches - i) * sizeof s);
    if (b->comm->size == 1) return;
    if (b->due - b->waited == b->capacity) {
        if (b->sent == b->waited) start_oldest(b);
        wait_oldest(b);
    }
    b->held[b->due++ % b->capacity] = s;
    while (!b->deferred && b->sent < b->due) start_oldest(b);
}

void parallel_buckets_ready(void *context, int64_t offset, int64_t count) {
    struct parallel_buckets *b = context;
    struct parallel_stretch s = {offset, offset + count};
    b->reported += count;
    if (count == 0) return;
    int low = 0, high; /* stretches [low, high) touch s and are merged with it */
    while (low < b->stretches && b->stretch[low].high < s.low) low++;
    for (high = low; high < b->stretches && b->stretch[high].low <= s.high; high++) {
        if (b->stretch[high].low < s.low) s.low = b->stretch[high].low;
        if (b->stretch[high].high > s.high) s.high = b->stretch[high].high;
    }
    if (low == high && b->stretches == PARALLEL_STRETCHES) {
        send(b, b->stretches - 1);
        if (low > b->stretches) low = high = b->stretches;
    }
    memmove(&b->stretch[low + 1], &b->stretch[high], (size_t)(b->stretches - high) * sizeof s);
    b->stretches += 1 - (high - low);
    b->stretch[low] = s;
    if (s.high - s.low >= b->bucket) send(b, low);
}

void parallel_buckets_flush(struct parallel_buckets *b) {
    while (b->stretches) send(b, b->stretches - 1);
    while (b->sent < b->due) start_oldest(b);
}

bool parallel_buckets_finish(struct parallel_buckets *b) {
    parallel_buckets_flush(b);
    while (b->waited < b->sent) wait_oldest(b);
    return b->reported == b->total;
}
