/* SPDX-License-Identifier: Apache-2.0
 *
 * Every attention that this host can run against FP64: sizes around panels and blocks, grouped heads, offsets,
 * fused and interleaved strides, hostile numbers, poisoned outputs, gaps and scratch; parts of the keys merge;
 * gradients against central differences; the same bits again; polls from the calling thread only. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scratch.h"
#include "unit/support/attention_operands.h"

enum { MAX_SEQ = 300, MAX_HEAD = 256, MAX_THREADS = 3 };

static struct kernel_ops variants[KERNEL_ISA_COUNT];
static int variant_count;
static struct kernel_team team;

static int setup(void **state) {
    (void)state;
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        struct kernel_ops *ops = &variants[variant_count];
        if (!kernel_isa_usable((enum kernel_isa)isa)) {
            printf("SKIP: attention %s: this CPU or this build lacks it\n", kernel_isa_name((enum kernel_isa)isa));
            continue;
        }
        kernel_select(ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        bool again = variant_count && ops->attention_forward == ops[-1].attention_forward &&
                     ops->attention_backward == ops[-1].attention_backward;
        variant_count += !again;
    }
    team.scratch_bytes = (kernel_scratch_bytes(MAX_THREADS, MAX_SEQ, MAX_HEAD) + 63) / 64 * 64;
    team.scratch = aligned_alloc(64, team.scratch_bytes);
    return team.scratch ? 0 : -1;
}
static int teardown(void **state) {
    (void)state;
    free(team.scratch);
    return 0;
}

static void check(const char *what, const struct kernel_ops *ops, enum kernel_dtype dtype, const void *got, int64_t n,
                  const double *expected, const double *error) {
    operands_check(what, kernel_variant(ops, "attention_forward"), dtype, got, n, expected, error);
}

static void run(const struct kernel_ops *ops, kernel_attention_fn *f, const struct kernel_attention *a, int threads) {
    team.ops = ops, team.threads = threads;
    memset(team.scratch, OPERANDS_POISON,
           kernel_attention_scratch(threads, a->seq_q > a->seq_k ? a->seq_q : a->seq_k, a->head_dim));
    f(&team, a);
}
static void run_forward(const struct operands *s, const struct kernel_ops *ops, int threads) {
    memset(s->o, OPERANDS_POISON, (size_t)s->n_o * kernel_dtype_bytes(s->a.dtype));
    memset(s->a.lse, OPERANDS_POISON, (size_t)s->n_lse * sizeof *s->a.lse);
    run(ops, ops->attention_forward, &s->a, threads);
}
static void run_backward(const struct operands *s, const struct kernel_ops *ops, int threads) {
    memset(s->grad, OPERANDS_POISON, (size_t)s->n_in * kernel_dtype_bytes(s->a.dtype));
    run(ops, ops->attention_backward, &s->a, threads);
}

static void check_problem(const struct problem *p) {
    struct operands s;
    operands_make(&s, p);
    for (int v = 0; v < variant_count; v++) {
        run_forward(&s, &variants[v], p->threads);
        check("o", &variants[v], p->dtype, s.o, s.n_o, s.x.o, s.x.o_error);
        check("lse", &variants[v], KERNEL_F32, s.a.lse, s.n_lse, s.x.lse, s.x.lse_error);
    }
    operands_store_forward(&s);
    attention64_backward(&s.a, &s.x);
    for (int v = 0; v < variant_count; v++) {
        run_backward(&s, &variants[v], p->threads);
        check("gradient", &variants[v], p->dtype, s.grad, s.n_in, s.grad64, s.grad_error);
    }
    operands_free(&s);
}
/* In both dtypes; what is not the matter of a test goes round with `turn`. */
static void check_turn(struct problem p, int turn) {
    p.layout = (enum layout)(turn % LAYOUT_COUNT), p.threads = 1 + turn / 2 % MAX_THREADS;
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        p.dtype = (enum kernel_dtype)t;
        check_problem(&p);
    }
}

static void test_sizes(void **state) {
    static const int64_t seqs[] = {1, 2, 17, 63, 64, 65, 130, 256}, dims[] = {1, 8, 16, 40, 64, 80, 128};
    static const int64_t heads[][3] = {{1, 1, 1}, {2, 1, 1}, {1, 3, 3}, {1, 4, 2}, {2, 2, 2}}; /* batch, heads, kv */
    (void)state;
    for (int i = 0, turn = 0; i < 8; i++)
        for (int j = 0; j < 7; j++, turn++) {
            const int64_t *h = heads[seqs[i] * dims[j] > 8192 ? turn % 2 : turn % 5];
            check_turn((struct problem){h[0], h[1], h[2], seqs[i], seqs[i], .head_dim = dims[j]}, turn);
        }
    check_turn((struct problem){1, 2, 1, 33, 33, .head_dim = 256}, 1);
}

static void test_offsets(void **state) {
    static const struct problem cases[] = {
        {1, 2, 1, 40, 100, 24, .q_offset = 60, .k_offset = 0},    /* the last queries of a longer sequence */
        {2, 3, 3, 70, 70, 16, .q_offset = 1000, .k_offset = 0},   /* all keys before all queries */
        {1, 2, 2, 70, 70, 16, .q_offset = 0, .k_offset = 1000},   /* none seen: o = 0, lse = -infinity, no gradient */
        {2, 4, 2, 100, 50, 20, .q_offset = 0, .k_offset = 37},    /* the first queries see none */
        {1, 1, 1, 100, 30, 20, .q_offset = -50, .k_offset = -20}, /* negative positions */
        {1, 2, 2, 50, 200, 64, .q_offset = 7, .k_offset = 7},     /* keys that nobody sees */
        {1, 3, 1, 1, 300, 80, .q_offset = 299, .k_offset = 0},    /* one query */
        {1, 6, 2, 65, 1, 33, .q_offset = 100000000000, .k_offset = 99999999970},
    };
    (void)state;
    for (int i = 0; i < 8; i++) check_turn(cases[i], i), check_turn(cases[i], i + 3);
}

static void test_hostile(void **state) {
    (void)state;
    for (int fill = HUGE_SCORES; fill <= EQUAL; fill++)
        for (int turn = 0; turn < 3; turn++) {
            check_turn((struct problem){1, 2, 2, 97, 97, 64, .fill = (enum fill)fill}, turn);
            check_turn((struct problem){1, 2, 1, 45, 45, 7, .fill = (enum fill)fill}, turn);
        }
}

/* Keys in two parts: o merges by lse, dk and dv are the parts', dq is the sum, with the whole's o and lse. */
static void check_parts(const struct kernel_ops *ops, int64_t cut) {
    struct operands s;
    operands_make(&s, &(struct problem){1, 4, 2, 130, 130, 40, .dtype = KERNEL_F32, .layout = FUSED});
    float *merged = operands_take(&s, (size_t)s.n_o * sizeof *merged),
          *dq = operands_take(&s, (size_t)s.n_in * sizeof *dq);
    double *total = operands_take(&s, (size_t)s.n_lse * sizeof *total);
    for (int64_t i = 0; i < s.n_lse; i++) total[i] = s.x.lse[i];
    struct kernel_attention parts[2] = {s.a, s.a};
    parts[0].seq_k = cut, parts[1].seq_k -= cut, parts[1].k_offset += cut;
    parts[1].k = (const float *)s.a.k + cut * s.a.kv_row, parts[1].dk = (float *)s.a.dk + cut * s.a.kv_row;
    parts[1].v = (const float *)s.a.v + cut * s.a.kv_row, parts[1].dv = (float *)s.a.dv + cut * s.a.kv_row;
    for (int64_t i = 0; i < s.n_o; i++) merged[i] = 0;
    for (int p = 0; p < 2; p++) {
        run(ops, ops->attention_forward, &parts[p], 2);
        for (int64_t i = 0; i < s.n_o; i++) { /* FUSED: o is [token][head][x] without gaps */
            int64_t row = i / s.a.head_dim, lse = row % s.a.heads * s.a.seq_q + row / s.a.heads;
            merged[i] += (float)exp((double)s.a.lse[lse] - total[lse]) * ((float *)s.a.o)[i];
        }
    }
    /* a part's share is off by what its lse is off, and no value is greater than 1 */
    for (int64_t i = 0; i < s.n_o; i++) {
        int64_t row = i / s.a.head_dim;
        s.x.o_error[i] += 4 * s.x.lse_error[row % s.a.heads * s.a.seq_q + row / s.a.heads];
    }
    check("merged o", ops, KERNEL_F32, merged, s.n_o, s.x.o, s.x.o_error);
    operands_store_forward(&s);
    attention64_backward(&s.a, &s.x);
    for (int p = 0; p < 2; p++) {
        run(ops, ops->attention_backward, &parts[p], 2);
        for (int64_t i = 0; i < s.n_in; i++)
            if (i % s.a.q_row < s.at_k) dq[i] = ((float *)s.grad)[i] + (p ? dq[i] : 0);
    }
    for (int64_t i = 0; i < s.n_in; i++)
        if (i % s.a.q_row < s.at_k) ((float *)s.grad)[i] = dq[i];
    check("gradient by parts", ops, KERNEL_F32, s.grad, s.n_in, s.grad64, s.grad_error);
    operands_free(&s);
}
static void test_parts(void **state) {
    (void)state;
    for (int v = 0; v < variant_count; v++) check_parts(&variants[v], 65), check_parts(&variants[v], 1);
}

/* d(sum of o dO)/dx for every x of q, k, v, by differences of the FP64 forward */
static void test_differences(void **state) {
    const double h = 1e-4;
    struct operands s;
    (void)state;
    operands_make(&s, &(struct problem){1, 4, 2, 7, 9, 5, .q_offset = 1});
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
        s.grad_error[i] += 10 * h * h; /* the differences' own error */
    }
    for (int v = 0; v < variant_count; v++) {
        run_backward(&s, &variants[v], 2);
        check("gradient against differences", &variants[v], KERNEL_F32, s.grad, s.n_in, s.grad64, s.grad_error);
    }
    operands_free(&s);
}

/* 5 heads: whole tasks and shared ones, on any number of threads */
static void test_repeatable(void **state) {
    struct operands s, again;
    (void)state;
    operands_make(&s, &(struct problem){1, 5, 5, 130, 130, 24, .layout = FUSED});
    operands_make(&again, &(struct problem){1, 5, 5, 130, 130, 24, .layout = FUSED});
    for (int i = 0; i < 3 * variant_count; i++) {
        const struct kernel_ops *ops = &variants[i / 3];
        int threads = 1 + i % 3;
        run_forward(&s, ops, threads), run_forward(&again, ops, threads);
        run_backward(&s, ops, threads), run_backward(&again, ops, threads);
        assert_memory_equal(s.o, again.o, (size_t)s.n_o * 4);
        assert_memory_equal(s.a.lse, again.a.lse, (size_t)s.n_lse * 4);
        assert_memory_equal(s.grad, again.grad, (size_t)s.n_in * 4);
    }
    operands_free(&s);
    operands_free(&again);
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
    for (int i = 0; i < 2 * variant_count; i++) {
        struct polled p = {pthread_self(), 0, 0};
        team.poll = count_poll, team.poll_context = &p;
        if (i % 2)
            run_backward(&s, &variants[i / 2], 2);
        else
            run_forward(&s, &variants[i / 2], 2);
        team.poll = NULL;
        assert_in_range(p.calls, 1, 10000);
        assert_int_equal(p.strangers, 0);
    }
    operands_free(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes), cmocka_unit_test(test_offsets),     cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_parts), cmocka_unit_test(test_differences), cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_poll),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
