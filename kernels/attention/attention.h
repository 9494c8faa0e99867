/* SPDX-License-Identifier: Apache-2.0
 *
 * What the variants of attention share: layout, which query sees which key, scratch per thread. Knows no instruction
 * set. */
#ifndef TOISE_KERNELS_ATTENTION_H
#define TOISE_KERNELS_ATTENTION_H

#include <math.h>

#include "declare.h"
#include "scratch.h"
#include "split.h"

/* A panel is a block of tokens across the vector lanes: a query block in forward, a key/value block in backward. It
 * is multiplied with blocks of the other side, in tiles of 6 or 8 rows. With a head of 64, each operand of a panel
 * takes 8 KiB and the scores 12 KiB. A tile needs only a part of a block's 24 KiB at a time. So a product fits into
 * 32 KiB of L1, and data streamed from L2 is used 32 times. In forward up to four query panels share each key/value
 * block, so data streamed from L3 or memory is used 128 times. The four take 64 KiB. */
#define ATTENTION_PANEL 32
#define ATTENTION_BLOCK 96
#define ATTENTION_GROUP_PANELS 4
#define ATTENTION_HEAD_MAX 256

static inline int64_t attention_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t attention_panels(int64_t n) {
    return (n + ATTENTION_PANEL - 1) / ATTENTION_PANEL;
}
static inline int64_t attention_clamp(int64_t x, int64_t highest) {
    return x < 0 ? 0 : attention_min(x, highest);
}

/* The window in positions. Without one: more positions than exist, but small enough that sums cannot overflow. */
static inline int64_t attention_window(const struct kernel_attention *a) {
    return a->window > 0 ? attention_min(a->window, INT64_MAX / 4) : INT64_MAX / 4;
}
/* The keys that a query sees, and the queries that see a key. Both ends grow with the index. So a range of queries
 * sees only keys from the begin of its first query to the end of its last. The same holds for a range of keys. */
static inline struct kernel_range attention_keys_seen(const struct kernel_attention *a, int64_t query) {
    int64_t end = a->q_offset + query - a->k_offset + 1;
    return (struct kernel_range){attention_clamp(end - attention_window(a), a->seq_k), attention_clamp(end, a->seq_k)};
}
static inline struct kernel_range attention_queries_seeing(const struct kernel_attention *a, int64_t key) {
    int64_t begin = a->k_offset + key - a->q_offset;
    return (struct kernel_range){attention_clamp(begin, a->seq_q),
                                 attention_clamp(begin + attention_window(a), a->seq_q)};
}
/* ALiBi's factor of the distance from query to key; 0 adds nothing. */
static inline float attention_slope(const struct kernel_attention *a, int64_t h) {
    return a->slopes ? a->slopes[h] : 0;
}

/* The dtype of what a call writes. */
static inline enum kernel_dtype attention_out(const struct kernel_attention *a) {
    return a->add ? KERNEL_F32 : a->dtype;
}
/* Merges the log-sum-exp of new keys into *lse, and returns the factors of what belongs to the old and the new ones. */
struct attention_shares {
    double old, new;
};
static inline struct attention_shares attention_merge(float *lse, double new) {
    const double old = *lse, most = old > new ? old : new; /* NaN if `new` is */
    if (most == -INFINITY) return (struct attention_shares){0, 0};
    const double all = most + log1p(exp(-fabs(old - new)));
    *lse = (float)all;
    return (struct attention_shares){exp(old - all), exp(new - all)};
}

/* Index of element 0 of (batch b, token t, head h) in q, o and lse; in k and v, h is the key/value head. */
static inline int64_t attention_q(const struct kernel_attention *a, int64_t b, int64_t h, int64_t t) {
    return (b * a->seq_q + t) * a->q_row + h * a->q_head;
}
static inline int64_t attention_kv(const struct kernel_attention *a, int64_t b, int64_t h, int64_t t) {
    return (b * a->seq_k + t) * a->kv_row + h * a->kv_head;
}
static inline int64_t attention_o(const struct kernel_attention *a, int64_t b, int64_t h, int64_t t) {
    return (b * a->seq_q + t) * a->o_row + h * a->o_head;
}
static inline int64_t attention_lse(const struct kernel_attention *a, int64_t b, int64_t h, int64_t t) {
    return (b * a->heads + h) * a->seq_q + t;
}

/* Floats of scratch per thread. Backward needs five whole-sequence operands (q, d_o, dq, dk, dv; in BF16 pairs q and
 * d_o twice, at half the size) and row sums; forward needs its panels (q, o) and a block. Rounded up to
 * pages, so that threads share none. */
static inline int64_t attention_thread_floats(int64_t seq, int64_t head_dim) {
    int64_t rows = attention_panels(seq) * ATTENTION_PANEL, columns = attention_panels(head_dim) * ATTENTION_PANEL;
    int64_t n = rows * (5 * columns + 1) + 2 * ATTENTION_GROUP_PANELS * ATTENTION_PANEL * columns +
                2 * ATTENTION_BLOCK * ATTENTION_PANEL;
    return (n + 1023) / 1024 * 1024;
}

static inline int64_t attention_longest(const struct kernel_attention *a) {
    return a->seq_q > a->seq_k ? a->seq_q : a->seq_k;
}
static inline float *attention_scratch(const struct kernel_team *team, const struct kernel_attention *a,
                                       int64_t thread) {
    return (float *)team->scratch + thread * attention_thread_floats(attention_longest(a), a->head_dim);
}

/* Polls about every `flops` floating-point operations, so that short blocks do not each pay for a call. */
struct attention_pace {
    const struct kernel_team *team;
    double flops, done;
};
static inline void attention_step(struct attention_pace *p, double flops) {
    p->done += flops;
    if (p->done < p->flops) return;
    p->done = 0;
    kernel_poll(p->team);
}

#endif
