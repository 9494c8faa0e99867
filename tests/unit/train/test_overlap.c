/* SPDX-License-Identifier: Apache-2.0
 *
 * The rule that chooses between sending gradients during backward and after it, on made step times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <string.h>

#include "train/record.h"
#include "train/warmup.h"

static void pairs_within_a_warmup(void **state) {
    (void)state;
    const struct {
        int steps, pairs;
    } expected[] = {{0, 0}, {1, 0}, {6, 0}, {7, 3}, {8, 3}, {9, 4}, {24, 11}, {25, 12}, {26, 12}, {1000, 12}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        assert_int_equal(train_overlap_pairs(expected[i].steps), expected[i].pairs);
}

/* Each pair has one step of each kind, and the first of a pair alternates. */
static void order_alternates(void **state) {
    (void)state;
    for (int i = 0; i < TRAIN_OVERLAP_MOST; i++) {
        assert_true(train_overlap_tries(2 * i) != train_overlap_tries(2 * i + 1));
        assert_true(train_overlap_tries(2 * i) == (i % 2 == 1));
    }
}

static void enough_pairs(void **state) {
    (void)state;
    double fast[2 * TRAIN_OVERLAP_MOST], slow[2 * TRAIN_OVERLAP_MOST];
    for (int i = 0; i < 2 * TRAIN_OVERLAP_MOST; i++) fast[i] = 0.1, slow[i] = 2;
    for (int n = 1; n <= TRAIN_OVERLAP_MOST; n++) {
        assert_int_equal(train_overlap_enough(fast, n), n == TRAIN_OVERLAP_MOST);
        assert_int_equal(train_overlap_enough(slow, n), n >= 5); /* 20 s */
    }
    for (int i = 0; i < 6; i++) slow[i] = 100;
    assert_false(train_overlap_enough(slow, 2));
    assert_true(train_overlap_enough(slow, 3));
}

/* Three pairs, in the order of the steps: without, with, with, without, without, with. */
static struct train_overlap chosen(double without, double with, double disturbed) {
    const double step_s[6] = {without, with, with + disturbed, without, without + disturbed, with};
    struct train_overlap o = {0};
    train_overlap_choose(&o, step_s, 3);
    return o;
}

static void off_only_if_it_gains(void **state) {
    (void)state;
    assert_int_equal(chosen(0.9, 1, 0).chosen, TRAIN_OVERLAP_OFF);
    assert_int_equal(chosen(0.98, 1, 5).chosen, TRAIN_OVERLAP_OFF); /* one of each was disturbed */
    assert_int_equal(chosen(0.995, 1, 0).chosen, TRAIN_OVERLAP_ON); /* half a percent */
    assert_int_equal(chosen(1, 1, 0).chosen, TRAIN_OVERLAP_ON);
    assert_int_equal(chosen(1.1, 1, 0).chosen, TRAIN_OVERLAP_ON);
    const struct train_overlap o = chosen(0.9, 1, 3);
    assert_true(o.with_s == 1 && o.without_s == 0.9 && o.pairs == 3 && o.why == TRAIN_OVERLAP_TRIED);
}

static void read_back(void **state) {
    (void)state;
    struct train_overlap tried = chosen(0.9, 1, 0), back;
    const struct train_overlap asked = {.chosen = TRAIN_OVERLAP_ON, .why = TRAIN_OVERLAP_ASKED};
    tried.first = 4;
    json_t *o = train_overlap_json(&tried);
    assert_true(train_overlap_read(o, &back));
    assert_true(back.chosen == tried.chosen && back.why == tried.why && back.first == 4 && back.pairs == 3);
    assert_true(back.with_s == tried.with_s && back.without_s == tried.without_s);
    json_decref(o);
    o = train_overlap_json(&asked);
    assert_null(json_object_get(o, "with_s"));
    assert_true(train_overlap_read(o, &back) && back.chosen == TRAIN_OVERLAP_ON && back.pairs == 0);
    json_object_set_new(o, "chosen", json_string("auto"));
    assert_false(train_overlap_read(o, &back));
    json_decref(o);
    assert_false(train_overlap_read(NULL, &back));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_within_a_warmup), cmocka_unit_test(order_alternates), cmocka_unit_test(enough_pairs),
        cmocka_unit_test(off_only_if_it_gains),  cmocka_unit_test(read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
