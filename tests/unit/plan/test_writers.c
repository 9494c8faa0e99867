/* SPDX-License-Identifier: Apache-2.0
 *
 * What ranks write of a checkpoint: a plan, which has no table of tensors, counts what the table says; each tensor has
 * one writer; and the rank that holds most is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/arena.h"
#include "plan/plan.h"
#include "plan/writers.h"
#include "unit/support/rig.h"

enum { WORLDS_MOST = 64 };

static struct plan_request request_of(const struct model_config *c, int dp, int pp) {
    struct plan_request q = {.config = *c,
                             .dtype = KERNEL_F32,
                             .seq = 16,
                             .global_batch = 4 * dp * pp,
                             .layout = plan_layout_data_parallel(dp, 1),
                             .threads = 1,
                             .copies = true};
    q.layout.pp = pp;
    return q;
}

static double bytes_of(int64_t elements) {
    return (double)base_arena_piece(3 * (size_t)elements * sizeof(float));
}

/* The elements of each rank by the table. */
static void count_by_table(const struct model_params *params, int writers, int64_t written[WORLDS_MOST]) {
    int last = 0;
    for (int r = 0; r < writers; r++) written[r] = 0;
    for (int i = 0; i < params->count; i++) {
        const struct model_tensor *t = &params->tensors[i];
        const int writer = plan_writer(params, writers, t->offset, t->count);
        assert_in_range(writer, last, writers - 1); /* stretches in order */
        written[last = writer] += t->count;
    }
}

static void plans_count_what_the_table_says(void **state) {
    (void)state;
    static const int worlds[] = {1, 2, 3, 4, 7, 16, WORLDS_MOST};
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (size_t w = 0; w < sizeof worlds / sizeof *worlds; w++) {
            const struct model_config c = rig_config_of(rig_families[f], 4, 48, 4, 101, 40);
            const struct plan_request q = request_of(&c, worlds[w], 1);
            struct model_params params;
            int64_t written[WORLDS_MOST] = {0}, all = 0, most = 0;
            assert_int_equal(model_params_open(&params, &c, NULL), BASE_OK);
            count_by_table(&params, worlds[w], written);
            for (int r = 0; r < worlds[w]; r++) {
                assert_true(plan_copy_bytes(&q, r) == bytes_of(written[r]));
                all += written[r];
                most = written[r] > most ? written[r] : most;
            }
            assert_int_equal(all, model_params_count(&c));
            assert_int_equal(written[plan_writes_most(&q, -1)], most);
            assert_true(plan_copies_bytes(&q, worlds[w]) == bytes_of(all));
            if (worlds[w] > 2) assert_true(plan_copies_bytes(&q, 2) == 2 * bytes_of(most));
            model_params_close(&params);
        }
}

/* Literals: 1,000 elements in five tensors of 200; the middles are at 100, 300, 500, 700 and 900. */
static void tensors_go_where_their_middles_are(void **state) {
    (void)state;
    static const struct {
        int writers, of[5];
    } rows[] = {{1, {0, 0, 0, 0, 0}}, {2, {0, 0, 1, 1, 1}}, {5, {0, 1, 2, 3, 4}}, {10, {1, 3, 5, 7, 9}}};
    const struct model_params params = {.total = 1000};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int t = 0; t < 5; t++)
            assert_int_equal(plan_writer(&params, rows[i].writers, 200 * t, 200), rows[i].of[t]);
    assert_int_equal(plan_writer(&params, 4, 999, 1), 3);
}

/* The copy is a rank's memory only if there is one, and the largest rank is the one that copies most of a stage. */
static void the_copy_is_memory_of_a_rank(void **state) {
    (void)state;
    const struct model_config c = rig_config_of("gpt2", 4, 48, 4, 997, 40);
    for (int pp = 1; pp <= 2; pp++) {
        struct plan_request q = request_of(&c, 4 / pp, pp);
        struct plan plan, without;
        double most = 0, sum = 0;
        for (q.rank = 0; q.rank < 4; q.rank++) {
            q.copies = false;
            assert_int_equal(plan_make(&without, &q, NULL), BASE_OK);
            assert_true(without.arenas[PLAN_COPY].bytes == 0);
            q.copies = true;
            assert_int_equal(plan_make(&plan, &q, NULL), BASE_OK);
            const double copy = plan.memory_bytes - without.memory_bytes;
            assert_true(copy == plan.arenas[PLAN_COPY].bytes && copy == plan_copy_bytes(&q, q.rank));
            most = plan.memory_bytes > most ? plan.memory_bytes : most;
            sum += copy;
        }
        q.rank = 0;
        assert_int_equal(plan_make_largest(&plan, &q, NULL), BASE_OK);
        assert_true(plan.memory_bytes == most);
        assert_true(sum >= bytes_of(model_params_count(&c)));
        struct plan_request none = q;
        none.copies = false;
        assert_true(plan_node_bytes(&q, 4) - plan_node_bytes(&none, 4) == bytes_of(model_params_count(&c)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_count_what_the_table_says),
        cmocka_unit_test(tensors_go_where_their_middles_are),
        cmocka_unit_test(the_copy_is_memory_of_a_rank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
