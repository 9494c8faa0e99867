/* SPDX-License-Identifier: Apache-2.0
 *
 * Each copy of a large operand has its own arena, so that each thread's part is on the thread's NUMA node. All copies
 * of a small operand share one. Lookup tables beyond the caches are not copied: calls read other rows. */
#include "bench/kernel_memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "model/buffers.h"

enum {
    APART = 1 << 20,
    SKEW = 17 * BASE_ALIGN, /* operands at the same offset in a page would share cache sets */
    COPIES_MAX = 4096       /* calls this small mostly start threads */
};

static bool copied(const struct bench_kernel_case *c, int i, size_t pool) {
    return c->op->operands[i].extent != BENCH_TABLE || bench_operand_bytes(c, i) < pool;
}

/* Bytes of one more copy. */
static double copy_bytes(const struct bench_kernel_case *c, size_t pool) {
    double sum = 0;
    for (int i = 0; i < BENCH_OPERANDS; i++)
        if (copied(c, i, pool)) sum += (double)bench_operand_bytes(c, i);
    return sum;
}

static int copies_of(const struct bench_kernel_case *c, size_t pool) {
    return (int)fmin(COPIES_MAX, fmax(1, ceil((double)pool / fmax(copy_bytes(c, pool), 1))));
}

double bench_kernel_memory_bytes(const struct bench_kernel_case *c, size_t pool) {
    double sum = copy_bytes(c, pool) * copies_of(c, pool);
    for (int i = 0; i < BENCH_OPERANDS; i++)
        if (!copied(c, i, pool)) sum += (double)bench_operand_bytes(c, i);
    return sum;
}

static float uniform(uint32_t word) { /* variance 1 */
    return (float)(int32_t)word * (1.7320508f / 2147483648.0f);
}
static void put(const struct bench_kernel_case *c, const struct bench_operand *o, void *x, int64_t i, uint32_t word) {
    const bool positive = o->fill == BENCH_POSITIVE;
    const float value = o->fill == BENCH_TURN ? sqrtf(0.5f) : positive ? 0.5f + (float)word * 0x1p-32f : uniform(word);
    const int64_t below = c->shape.table ? c->shape.table : c->shape.cols;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (o->fill == BENCH_PERMUTED) /* a prime steps through all of them */
        ((int32_t *)x)[i] = (int32_t)((uint64_t)i * 2654435761u % (uint64_t)bench_extent(c, o->extent));
    else if (o->type == BENCH_I32)
        ((int32_t *)x)[i] = (int32_t)(word % (uint64_t)below);
    else if (o->type == BENCH_F64)
        ((double *)x)[i] = value;
    else if (bench_element_bytes(c, o->type) == 2)
        ((kernel_bf16 *)x)[i] = (kernel_bf16)(bits >> 16);
    else
        ((float *)x)[i] = value;
}

static void fill(const struct bench_kernel_case *c, const struct bench_operand *o, void *x, int threads, uint64_t seed,
                 uint64_t stream) {
    const int64_t n = bench_extent(c, o->extent);
    if (o->fill == BENCH_SLOPE) {
        model_position_slopes(n, 0, n, x);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int64_t block = 0; block < (n + 3) / 4; block++) {
        uint32_t words[4];
        base_random_words(seed, BASE_STREAM_TEST + stream, (uint64_t)block, words);
        for (int64_t i = 4 * block; i < 4 * block + 4 && i < n; i++) put(c, o, x, i, words[i % 4]);
    }
}

/* Allocates operand i of every copy. */
static int take(struct bench_kernel_memory *m, const struct bench_kernel_case *c, int i, int threads, size_t pool,
                struct base_error *e) {
    const size_t bytes = bench_operand_bytes(c, i), piece = base_arena_piece(bytes), skew = (size_t)i * SKEW;
    const int copies = copied(c, i, pool) ? m->copies : 1, arenas = bytes >= APART ? copies : 1;
    for (int a = 0; bytes && a < arenas; a++) {
        struct base_arena *arena = &m->arenas[m->arena_count];
        const int code = base_arena_open(arena, skew + piece * (size_t)(copies / arenas), threads, e);
        if (code) return code;
        m->arena_count++;
        base_arena_take(arena, skew);
        for (int k = a; k < copies; k += arenas) m->x[k * BENCH_OPERANDS + i] = base_arena_take(arena, bytes);
    }
    for (int k = copies; k < m->copies; k++) m->x[k * BENCH_OPERANDS + i] = m->x[i];
    return BASE_OK;
}

int bench_kernel_memory_open(struct bench_kernel_memory *m, const struct bench_kernel_case *c,
                             const struct kernel_team *team, size_t pool, uint64_t seed, struct base_error *e) {
    int code = BASE_OK;
    *m = (struct bench_kernel_memory){.copies = copies_of(c, pool)};
    m->x = calloc((size_t)m->copies * BENCH_OPERANDS, sizeof *m->x);
    m->arenas = calloc((size_t)m->copies * BENCH_OPERANDS, sizeof *m->arenas);
    if (!m->x || !m->arenas) code = base_fail(e, BASE_BROKEN, "out of memory for the list of operands");
    for (int i = 0; i < BENCH_OPERANDS && !code; i++) code = take(m, c, i, team->threads, pool, e);
    if (code) {
        bench_kernel_memory_close(m);
        return code;
    }
    for (int k = 0; k < m->copies; k++) {
        void *const *x = bench_kernel_operands(m, k), *const *first = bench_kernel_operands(m, 0);
        for (int i = 0; i < BENCH_OPERANDS; i++) {
            if (!x[i] || (k && x[i] == first[i])) continue;
            if (k && c->op->operands[i].type != BENCH_I32) /* the numbers may be equal, only the memory must differ */
                memcpy(x[i], first[i], bench_operand_bytes(c, i));
            else
                fill(c, &c->op->operands[i], x[i], team->threads, seed, (uint64_t)(k * BENCH_OPERANDS + i));
        }
        if (c->op->prepare && k == 0) c->op->prepare(team, c, x);
    }
    return BASE_OK;
}

int bench_kernel_memory_pack(struct bench_kernel_memory *m, const struct bench_kernel_memory *plain,
                             const struct bench_kernel_case *c, const struct kernel_team *team, struct base_error *e) {
    const size_t count = (size_t)plain->copies * BENCH_OPERANDS;
    int code = BASE_OK;
    *m = (struct bench_kernel_memory){.copies = plain->copies};
    m->x = malloc(count * sizeof *m->x);
    m->arenas = calloc((size_t)m->copies, sizeof *m->arenas);
    if (!m->x || !m->arenas) code = base_fail(e, BASE_BROKEN, "out of memory for the list of operands");
    if (!code) memcpy(m->x, plain->x, count * sizeof *m->x);
    for (int k = 0; k < m->copies && !code; k++) {
        const struct kernel_gemm g = bench_kernel_gemm(c, bench_kernel_operands(plain, k));
        struct base_arena *arena = &m->arenas[k];
        code = base_arena_open(arena, (size_t)kernel_gemm_packed_bytes(team->ops, &g), team->threads, e);
        if (code) break;
        m->arena_count++;
        team->ops->gemm_pack(team, &g, arena->base);
        m->x[k * BENCH_OPERANDS + BENCH_PACKED_B] = arena->base;
    }
    if (code) bench_kernel_memory_close(m);
    return code;
}

void bench_kernel_memory_close(struct bench_kernel_memory *m) {
    for (int i = 0; i < m->arena_count; i++) base_arena_close(&m->arenas[i]);
    free(m->arenas);
    free(m->x);
    *m = (struct bench_kernel_memory){0};
}
