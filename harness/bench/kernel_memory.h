/* SPDX-License-Identifier: Apache-2.0
 *
 * Operands of a case, in as many copies as it takes for a call to find none of them in the caches: as in a training
 * step, where other operations have run since. Each is first touched by the threads that will work on it. */
#ifndef TOISE_BENCH_KERNEL_MEMORY_H
#define TOISE_BENCH_KERNEL_MEMORY_H

#include "base/arena.h"
#include "bench/kernel_ops.h"

struct bench_kernel_memory {
    int copies;
    void **x; /* [copies][BENCH_OPERANDS]; operands that the case does not have are NULL */
    struct base_arena *arenas;
    int arena_count;
};

/* Bytes that the copies take, for whoever checks beforehand: at least `pool`, or one copy where that is larger. */
double bench_kernel_memory_bytes(const struct bench_kernel_case *c, size_t pool);
/* Takes and fills them: numbers of mean 0 and variance 1, positive ones in [0.5, 1.5), rows of the table or columns,
 * ALiBi's slopes, a turn by 45 degrees; a function of `seed` alone. What calls must have made is made by `team`. */
int bench_kernel_memory_open(struct bench_kernel_memory *memory, const struct bench_kernel_case *c,
                             const struct kernel_team *team, size_t pool, uint64_t seed, struct base_error *e);
/* The same copies for a variant whose B is packed ahead by `team`'s table: `packed` borrows the rest from `plain`. */
int bench_kernel_memory_pack(struct bench_kernel_memory *packed, const struct bench_kernel_memory *plain,
                             const struct bench_kernel_case *c, const struct kernel_team *team, struct base_error *e);
void bench_kernel_memory_close(struct bench_kernel_memory *memory);

static inline void *const *bench_kernel_operands(const struct bench_kernel_memory *memory, int64_t copy) {
    return memory->x + copy % memory->copies * BENCH_OPERANDS;
}

#endif
