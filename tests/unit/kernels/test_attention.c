/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Every attention variant that this host can run against FP64: sizes around panels and blocks, grouped heads, offsets,
 * fused and interleaved strides, hostile numbers, poisoned outputs, gaps and scratch. Gradients are also checked
 * against central differences. Results are repeatable bit for bit, and only the calling thread polls. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attention/attention.h"
#include "unit/support/attention_variants.h"

static void test_sizes(void **state) {
    enum { BLOCK = ATTENTION_BLOCK };
    static const int64_t seqs[] = {1, 2, 17, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1, 256},
                         dims[] = {1, 8, 16, 40, 64, 80, 128};
    static const int64_t heads[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 3, 3}, {1, 4, 2}, {2, 2, 2}}; /* batch, heads, kv */
    (void)state;
    for (int i = 0, turn = 0; i < 8; i++)
        for (int j = 0; j < 7; j++, turn++) {
            const int64_t *h = heads[seqs[i] * dims[j] > 8192 ? turn % 2 : turn % 5];
            variants_turn((struct problem){h[0], h[1], h[2], seqs[i], seqs[i], .head_dim = dims[j]}, turn);
        }
    variants_turn((struct problem){1, 2, 1, 33, 33, .head_dim = 256}, 1);
}

/* Tiles of every height, in every product. */
static void test_tiles(void **state) {
    (void)state;
    for (int n = 1; n <= 18; n++) variants_turn((struct problem){1, 2, 1, n, n, .head_dim = n}, n);
}

static void test_offsets(void **state) {
    static const struct problem cases[] = {
        {1, 2, 1, 40, 100, 24, .q_offset = 60, .k_offset = 0},    /* the last queries of a longer sequence */
        {2, 3, 3, 70, 70, 16, .q_offset = 1000, .k_offset = 0},   /* all keys before all queries */
        {1, 2, 2, 70, 70, 16, .q_offset = 0, .k_offset = 1000},   /* none seen: o = 0, lse = -infinity, no gradient */
        {2, 4, 2, 100, 50, 20, .q_offset = 0, .k_offset = 37},    /* the first queries see none */
        {1, 1, 1, 100, 30, 20, .q_offset = -50, .k_offset = -20}, /* negative positions */
        {1, 2, 2, 50, 200, 64, .q_offset = 7, .k_offset = 7},     /* keys that no query sees */
        {1, 3, 1, 1, 300, 80, .q_offset = 299, .k_offset = 0},    /* one query */
        {1, 6, 2, 65, 1, 33, .q_offset = 100000000000, .k_offset = 99999999970},
        {1, 2, 1, 40, 45, 64, .q_offset = 1000, .fill = OPPOSITE}, /* weights beyond the last key would overflow */
    };
    (void)state;
    for (int i = 0; i < 9; i++) variants_turn(cases[i], i), variants_turn(cases[i], i + 3);
}

static void test_hostile(void **state) {
    (void)state;
    for (int fill = HUGE_SCORES; fill <= OPPOSITE; fill++)
        for (int turn = 0; turn < 3; turn++) {
            variants_turn((struct problem){1, 2, 2, 97, 97, 64, .fill = (enum fill)fill}, turn);
            variants_turn((struct problem){1, 2, 1, 45, 45, 7, .fill = (enum fill)fill}, turn);
        }
}

/* d(sum of o dO)/dx for every x of q, k and v, by differences of the FP64 forward. */
static void check_differences(const struct problem *p) {
    const double h = 1e-4;
    struct operands s;
    operands_make(&s, p);
    operands_store_forward(&s);
    attention64_backward(&s.a, &s.x); /* for the bounds */
    for (int64_t i = 0; i < s.n_in; i++) {
        if (isnan(s.in64[i])) continue;
        double x = s.in64[i], side[2] = {0, 0};
        for (int up = 0; up < 2; up++) {
            s.in64[i] = up ? x + h : x - h;
            attention64_forward(&s.a, &s.x);
            for (int64_t j = 0; j < s.n_o; j++)
                if (!isnan(s.x.o[j])) side[up] += s.x.o[j] * s.x.d_o[j];
        }
        s.in64[i] = x;
        s.grad64[i] = (side[1] - side[0]) / (2 * h);
        s.grad_error[i] += 10 * h * h; /* the error of the differences */
    }
    for (int v = 0; v < variants_count; v++) {
        variants_backward(&s, &variants[v], 2);
        variants_check("gradient against differences", &variants[v], KERNEL_F32, s.grad, s.n_in, s.grad64,
                       s.grad_error);
    }
    operands_free(&s);
}

static void test_differences(void **state) {
    (void)state;
    check_differences(&(struct problem){1, 4, 2, 7, 9, 5, .q_offset = 1});
    check_differences(&(struct problem){1, 4, 2, 9, 9, 5, .q_offset = 2, .window = 4, .alibi = true});
}

/* 5 heads: both whole and shared tasks, on any number of threads. */
static void check_repeatable(const struct problem *p) {
    struct operands s, again;
    operands_make(&s, p);
    operands_make(&again, p);
    for (int i = 0; i < 3 * variants_count; i++) {
        const struct kernel_ops *ops = &variants[i / 3];
        int threads = 1 + i % 3;
        variants_forward(&s, ops, threads), variants_forward(&again, ops, threads);
        variants_backward(&s, ops, threads), variants_backward(&again, ops, threads);
        assert_memory_equal(s.o, again.o, (size_t)s.n_o * 4);
        assert_memory_equal(s.a.lse, again.a.lse, (size_t)s.n_lse * 4);
        assert_memory_equal(s.grad, again.grad, (size_t)s.n_in * 4);
    }
    operands_free(&s);
    operands_free(&again);
}
static void test_repeatable(void **state) {
    (void)state;
    check_repeatable(&(struct problem){1, 5, 5, 130, 130, 24, .layout = FUSED});
    check_repeatable(&(struct problem){1, 5, 5, 130, 130, 24, .layout = FUSED, .window = 70, .alibi = true});
}

struct polled {
    pthread_t caller;
    int calls, strangers;
};
static void count_poll(void *context) {
    struct polled *p = context;
    p->calls++;
    p->strangers += !pthread_equal(p->caller, pthread_self());
}
static void test_poll(void **state) {
    struct operands s;
    (void)state;
    operands_make(&s, &(struct problem){2, 4, 4, 256, 256, 64, .dtype = KERNEL_F32});
    for (int i = 0; i < 2 * variants_count; i++) {
        struct polled p = {pthread_self(), 0, 0};
        variants_team.poll = count_poll, variants_team.poll_context = &p;
        if (i % 2)
            variants_backward(&s, &variants[i / 2], 2);
        else
            variants_forward(&s, &variants[i / 2], 2);
        variants_team.poll = NULL;
        assert_in_range(p.calls, 1, 10000);
        assert_int_equal(p.strangers, 0);
    }
    operands_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),   cmocka_unit_test(test_tiles),       cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_hostile), cmocka_unit_test(test_differences), cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_poll),
    };
    return cmocka_run_group_tests(tests, variants_setup, NULL);
}
