/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 2 3 4
 *
 * Gradient buckets over real ranks. For any order of ranges and any bucket size, every element is summed once, with the
 * same bits on all ranks. */
#include "mpi/support/agreed.h"
#include "parallel/buckets.h"

enum { TOTAL = 300007, RANGES = 97 };

/* A permutation of the ranges from the seed, the same on every rank. */
static void shuffle(int *order, int seed) {
    for (int i = 0; i < RANGES; i++) order[i] = i;
    for (int i = RANGES - 1; i > 0; i--) {
        const int j = (int)(base_random_u64((uint64_t)seed, BASE_STREAM_TEST, (uint64_t)i) % (uint64_t)(i + 1));
        const int kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* One step with ranges [TOTAL i / RANGES, TOTAL (i + 1) / RANGES). seed 0: from the highest down. */
static void step(struct agreed *a, struct parallel_buckets *b, float *grads, int seed, const char *what) {
    int order[RANGES];
    shuffle(order, seed);
    agreed_fill(grads, TOTAL, seed, a->world.rank);
    parallel_buckets_begin(b);
    for (int i = 0; i < RANGES; i++) {
        const int64_t k = seed ? order[i] : RANGES - 1 - i;
        const int64_t low = (int64_t)TOTAL * k / RANGES, high = (int64_t)TOTAL * (k + 1) / RANGES;
        parallel_buckets_ready(b, low, high - low);
        a->world.ops->progress(&a->world);
    }
    const bool whole = parallel_buckets_finish(b);
    agreed_check(a, whole && agreed_is_sum(a, grads, TOTAL, seed), what);
    agreed_check(a, agreed_same(a, agreed_hash(grads, TOTAL * sizeof *grads)), "the same bits on all ranks");
}

int main(void) {
    static const int64_t buckets[] = {1, 4096, 100000, TOTAL, 10 * TOTAL};
    static float grads[TOTAL];
    struct agreed a;
    agreed_open(&a);
    for (int i = 0; i < (int)(sizeof buckets / sizeof *buckets); i++) {
        struct parallel_buckets b;
        const int opened = parallel_buckets_open(&b, &a.world, grads, TOTAL, buckets[i], NULL);
        agreed_check(&a, opened == BASE_OK, "buckets open");
        step(&a, &b, grads, 0, "ranges from the highest down");
        for (int seed = 1; seed <= 4; seed++)
            step(&a, &b, grads, seed, "ranges in any order, again in the same buckets");
        parallel_buckets_begin(&b);
        parallel_buckets_ready(&b, 0, TOTAL - 1);
        agreed_check(&a, !parallel_buckets_finish(&b), "a range never reported is noticed");
        parallel_buckets_close(&b);
    }
    return agreed_close(&a);
}
