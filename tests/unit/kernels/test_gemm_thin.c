/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the threads of a thin matmul keep their sums: separate from each other's on the same block, and within the
 * room of B's panels. Threads that share room corrupt each other's sums only if they collide in time. So the blocked
 * matmul is built here again, with 4 lanes and a thin_multiply() that first notes what it will write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GEMM_VARIANT "noted"
#define KERNEL_LANES 4
#define GEMM_MR 6
#define GEMM_NV 4
#define GEMM_B_STATIONARY true
#define thin_multiply thin_multiply_itself
#include "gemm/thin.inc.h"
#undef thin_multiply
static void thin_multiply(const struct blocked_problem *x, const struct blocked_block *at, int64_t j0, int64_t j1,
                          float *sums);
#include "base/random.h"
#include "gemm/blocked.inc.h"
#include "scratch.h"

/* Sums that a thread wrote, in floats from the begin of B's panels; i, j, w: the block. */
struct note {
    int64_t i, j, w, thread, begin, end, room;
};
enum { NOTES = 1 << 14 };
static struct note notes[NOTES];
static int note_count;

static void thin_multiply(const struct blocked_problem *x, const struct blocked_block *at, int64_t j0, int64_t j1,
                          float *sums) {
    const float *const panels = (const float *)(const void *)x->b_panels;
    const int64_t size = (at->my_rows.end - at->my_rows.begin) * (j1 - j0) * GEMM_TILE;
#pragma omp critical(noting)
    {
        if (note_count < NOTES)
            notes[note_count] =
                (struct note){at->i, at->j, at->w, at->me, sums - panels, sums - panels + size, x->sums - panels};
        note_count++;
    }
    thin_multiply_itself(x, at, j0, j1, sums);
}

static bool apart(const struct note *a, const struct note *b) {
    const bool same_block = a->i == b->i && a->j == b->j && a->w == b->w;
    return !same_block || a->thread == b->thread || a->end <= b->begin || b->end <= a->begin;
}

static void check_notes(const char *what) {
    assert_in_range(note_count, 1, NOTES);
    for (int a = 0; a < note_count; a++) {
        if (notes[a].begin < 0 || notes[a].end > notes[a].room)
            fail_msg("%s: thread %d: outside the room of B's panels", what, (int)notes[a].thread);
        for (int b = 0; b < a; b++)
            if (!apart(&notes[a], &notes[b]))
                fail_msg("%s: threads %d and %d, block (%d, %d, %d): sums %lld .. %lld and %lld .. %lld", what,
                         (int)notes[a].thread, (int)notes[b].thread, (int)notes[a].i, (int)notes[a].j, (int)notes[a].w,
                         (long long)notes[a].begin, (long long)notes[a].end, (long long)notes[b].begin,
                         (long long)notes[b].end);
    }
}

struct operands {
    float *a, *b, *packed, *c, *also; /* sized for either dtype */
    void *scratch;
};

/* The thin matmul, at most 16 rows, noted. Then the same with B packed, which is not thin: the bits are equal. */
static void run(const struct operands *o, int64_t m, int64_t n, int64_t k, int dtypes, int threads,
                const struct kernel_caches *caches) {
    struct kernel_gemm g = {.m = m, .n = n, .k = k, .lda = k, .ldb = n, .ldc = n, .a = o->a, .b = o->b, .c = o->c};
    g.in = dtypes > 0 ? KERNEL_BF16 : KERNEL_F32, g.out = dtypes > 1 ? KERNEL_BF16 : KERNEL_F32;
    const struct kernel_team team = {
        .threads = threads, .scratch = o->scratch, .scratch_bytes = kernel_gemm_scratch(threads), .caches = caches};
    char what[96];
    snprintf(what, sizeof what, "m %d n %d k %d dtypes %d threads %d%s", (int)m, (int)n, (int)k, dtypes, threads,
             caches ? " tiny" : "");
    note_count = 0;
    memset(o->c, 0xff, (size_t)(m * n) * 4);
    memset(o->also, 0xff, (size_t)(m * n) * 4);
    blocked_gemm(&team, &g);
    if (m > 16) /* B is packed, since enough rows use it */
        assert_int_equal(note_count, 0);
    else
        check_notes(what);
    blocked_pack(&team, &g, o->packed);
    g.b = o->packed, g.b_packed = true, g.c = o->also;
    note_count = 0;
    blocked_gemm(&team, &g);
    assert_int_equal(note_count, 0);
    if (memcmp(o->c, o->also, (size_t)(m * n) * 4) != 0) fail_msg("%s: not the bits of the packed B", what);
}

static void *room(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    assert_non_null(p);
    return p;
}

/* One to three panels of rows, columns from less than one panel to many, and more threads than either. */
static void sums_lie_apart(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 3001, 200}, {16, 8, 4200}, {16, 523, 90},
                                       {13, 70, 700},  {7, 25, 3100}, {17, 70, 700}};
    static const struct kernel_caches tiny = {.l1 = 1024, .l2 = 4096, .l3 = 16384};
    enum { MOST = 1 << 20 };
    const struct operands o = {.a = room(MOST * 4),
                               .b = room(MOST * 4),
                               .packed = room(MOST * 4),
                               .c = room(MOST * 4),
                               .also = room(MOST * 4),
                               .scratch = room(kernel_gemm_scratch(8))};
    base_random_normal(1, 1, 0, MOST, o.a);
    base_random_normal(1, 2, 0, MOST, o.b);
    for (int i = 0; i < MOST; i++) { /* valid numbers as pairs of BF16 too */
        memcpy((kernel_bf16 *)o.a + 2 * i, (kernel_bf16 *)o.a + 2 * i + 1, sizeof(kernel_bf16));
        memcpy((kernel_bf16 *)o.b + 2 * i, (kernel_bf16 *)o.b + 2 * i + 1, sizeof(kernel_bf16));
    }
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int threads = 1; threads <= 7; threads++)
            for (int turn = 0; turn < 6; turn++)
                run(&o, sizes[s][0], sizes[s][1], sizes[s][2], turn % 3, threads, turn < 3 ? NULL : &tiny);
    free(o.a), free(o.b), free(o.packed), free(o.c), free(o.also), free(o.scratch);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sums_lie_apart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
