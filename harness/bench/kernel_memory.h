/* SPDX-License-Identifier: Apache-2.0
 *
 * A case's operands, in so many copies that each call finds them outside the caches. That is how a training step finds
 * them, after other operations ran. The threads that will use an operand touch it first. */
#ifndef TOISE_BENCH_KERNEL_MEMORY_H
#define TOISE_BENCH_KERNEL_MEMORY_H

#include "base/arena.h"
#include "bench/kernel_ops.h"

struct bench_kernel_memory {
    int copies;
    void **x; /* [copies][BENCH_OPERANDS]; NULL for operands that the case lacks */
    struct base_arena *arenas;
    int arena_count;
};

/* Bytes that the copies will take: at least `pool`, or one copy if that is larger. */
double bench_kernel_memory_bytes(const struct bench_kernel_case *c, size_t pool);
/* Allocates and fills the copies, as a function of `seed` only. Contents: numbers of mean 0 and variance 1, positive
 * ones in [0.5, 1.5), row indices of the table or columns, ALiBi's slopes, a rotation by 45 degrees. `team` computes
 * what the call needs from an earlier call. */
int bench_kernel_memory_open(struct bench_kernel_memory *memory, const struct bench_kernel_case *c,
                             const struct kernel_team *team, size_t pool, uint64_t seed, struct base_error *e);
/* The same copies for a variant that uses a B packed ahead by `team`'s table. `packed` borrows the rest from `plain`.
 */
int bench_kernel_memory_pack(struct bench_kernel_memory *packed, const struct bench_kernel_memory *plain,
                             const struct bench_kernel_case *c, const struct kernel_team *team, struct base_error *e);
void bench_kernel_memory_close(struct bench_kernel_memory *memory);

static inline void *const *bench_kernel_operands(const struct bench_kernel_memory *memory, int64_t copy) {
    return memory->x + copy % memory->copies * BENCH_OPERANDS;
}

#endif
