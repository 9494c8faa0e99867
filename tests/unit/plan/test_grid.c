/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranks and their coordinates: each rank has one place in every order, and groups are on the nodes that they are on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "plan/grid.h"
#include "records/get.h"

static struct plan_layout layout(int tp, int cp, int dp, int pp) {
    struct plan_layout l = plan_layout_data_parallel(dp, 1);
    l.tp = tp, l.cp = cp, l.pp = pp;
    return l;
}

/* By hand, of 2 x 3 x 2 ranks: (pp * dp + dp) * tp + tp, unless an order says otherwise. */
static void test_by_hand(void **state) {
    (void)state;
    struct base_error e;
    struct plan_layout l = layout(2, 1, 3, 2);
    struct plan_place p = plan_grid_place(&l, 9);
    assert_true(p.at[PLAN_TP] == 1 && p.at[PLAN_DP] == 1 && p.at[PLAN_PP] == 1 && p.at[PLAN_CP] == 0);
    assert_int_equal(plan_grid_stage_rank(&l, 1), 6);
    assert_int_equal(plan_grid_order(&l, "pp-tp-dp", &e), BASE_OK);
    p = plan_grid_place(&l, 9); /* 9 = 1 + 2 * (0 + 2 * 2) */
    assert_true(p.at[PLAN_PP] == 1 && p.at[PLAN_TP] == 0 && p.at[PLAN_DP] == 2);
    assert_int_equal(plan_grid_stage_rank(&l, 1), 1);
}

static void test_every_order(void **state) {
    (void)state;
    for (int order = 0; order < 256; order++) {
        const char *const names[] = {"tp", "cp", "dp", "pp"};
        const int axes[] = {order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6};
        struct plan_layout l = layout(2, 3, 4, 5);
        struct base_error e;
        char text[32], back[32];
        int used = 0, seen[120] = {0};
        for (int i = 0; i < 4; i++) used |= 1 << axes[i];
        snprintf(text, sizeof text, "%s-%s-%s-%s", names[axes[0]], names[axes[1]], names[axes[2]], names[axes[3]]);
        const int code = plan_grid_order(&l, text, &e);
        assert_int_equal(code, used == 15 ? BASE_OK : BASE_USAGE);
        if (code) continue;
        plan_grid_order_text(&l, back);
        assert_string_equal(order == 0xe4 ? "" : text, back); /* 0xe4: tp, cp, dp, pp, the usual one */
        for (int rank = 0; rank < 120; rank++) {
            const struct plan_place p = plan_grid_place(&l, rank);
            assert_int_equal(plan_grid_rank(&l, &p), rank);
            for (int a = 0; a < PLAN_AXES; a++) assert_in_range(p.at[a], 0, plan_axis_ranks(&l, (enum plan_axis)a) - 1);
            const int place = ((p.at[0] * 3 + p.at[1]) * 4 + p.at[2]) * 5 + p.at[3];
            assert_int_equal(seen[place]++, 0);
        }
        const struct plan_place zero = plan_grid_place(&l, 0), one = plan_grid_place(&l, 1);
        for (int a = 0; a < PLAN_AXES; a++) assert_int_equal(one.at[a] - zero.at[a], a == axes[0]);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",       "tp",       "tp-dp",       "tp-dp-pp-", "tp--pp",
                                      "tpdppp", "tp-dp-xp", "tp-dp-dp-pp", "-"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct plan_layout l = layout(2, 1, 2, 2);
        struct base_error e = {0};
        assert_int_equal(plan_grid_order(&l, bad[i], &e), BASE_USAGE);
        assert_non_null(strstr(e.text, "--order"));
    }
    struct plan_layout l = layout(1, 1, 4, 1);
    struct base_error e;
    assert_int_equal(plan_grid_order(&l, "dp", &e), BASE_OK); /* the others have one rank */
}

/* Eight ranks on nodes of four: tensor parallel ones share a node if they are innermost. */
static void test_nodes(void **state) {
    (void)state;
    static const int node[] = {0, 0, 0, 0, 1, 1, 1, 1}, turns[] = {0, 1, 0, 1, 0, 1, 0, 1};
    struct plan_layout l = layout(4, 1, 2, 1);
    struct base_error e;
    json_t *grid = plan_grid_record(&l, node);
    assert_true(record_whole(grid, "group_nodes.tp") == 1 && record_whole(grid, "group_nodes.dp") == 2);
    const json_t *fifth = json_array_get(record_at(grid, "ranks"), 5);
    assert_true(record_whole(fifth, "node") == 1 && record_whole(fifth, "tp") == 1 && record_whole(fifth, "dp") == 1);
    assert_null(json_object_get(fifth, "pp"));
    json_decref(grid);
    grid = plan_grid_record(&l, turns);
    assert_true(record_whole(grid, "group_nodes.tp") == 2 && record_whole(grid, "group_nodes.dp") == 1);
    json_decref(grid);
    assert_int_equal(plan_grid_order(&l, "dp-tp", &e), BASE_OK);
    grid = plan_grid_record(&l, node);
    assert_true(record_whole(grid, "group_nodes.tp") == 2 && record_whole(grid, "group_nodes.dp") == 1);
    json_decref(grid);
    grid = plan_grid_record(&l, NULL);
    assert_null(json_object_get(grid, "group_nodes"));
    json_decref(grid);
    l = layout(1, 1, PLAN_RANKS_LISTED + 1, 1);
    assert_null(plan_grid_record(&l, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_every_order),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
