/* SPDX-License-Identifier: Apache-2.0
 *
 * Who computes other bits: by the majority of its kind, by its own repeat, and by neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fleet/bits.h"
#include "unit/support/made_rounds.h"

enum { MOST = 64 };

/* Runs the steps again as fleet_run does: all ranks that must, repeat their bits. */
static int repeat(struct fleet *f) {
    const int count = fleet_bits_open(f, f->repeats);
    for (int r = 0; r < f->ranks; r++) f->again[r] = fleet_trajectory(f, r);
    return count;
}

static void alike(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 8, .ranks_each = 2});
    assert_int_equal(repeat(&f), 0);
    fleet_bits_judge(&f, bits);
    for (int r = 0; r < f.ranks; r++) assert_true(!bits[r].wrong && !bits[r].unchecked && bits[r].peers == 15);
    fleet_close(&f);
}

static void most_are_right(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 8});
    made_wrong(&f, 3, 5, 1);
    made_wrong(&f, 6, 0, 2);
    assert_int_equal(repeat(&f), 0);
    fleet_bits_judge(&f, bits);
    for (int r = 0; r < f.ranks; r++) assert_int_equal(bits[r].wrong, r == 3 || r == 6);
    assert_int_equal(bits[3].since, 5);
    assert_int_equal(bits[6].since, 0);
    assert_non_null(strstr(bits[3].why, "differ from those of most peers"));
    fleet_close(&f);
}

/* Two of four that agree are no majority: nobody is right by their vote. */
static void no_majority(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 4});
    made_wrong(&f, 2, 0, 1), made_wrong(&f, 3, 0, 2);
    assert_int_equal(repeat(&f), 4);
    assert_true(fleet_bits_judge(&f, bits));
    for (int r = 0; r < f.ranks; r++) assert_true(bits[r].wrong && bits[r].unchecked);
    fleet_close(&f);
}

/* A wrong gradient that the weights do not show is seen in its round alone. */
static void for_one_round(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 3});
    f.sample[7 * f.ranks + 2].bits ^= 1;
    assert_int_equal(repeat(&f), 0);
    fleet_bits_judge(&f, bits);
    assert_true(bits[2].wrong && bits[2].since == 7 && !bits[0].wrong && !bits[1].wrong);
    fleet_close(&f);
}

/* Kinds are not compared with each other, and one without a peer on another node is unchecked. */
static void kinds_apart(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 5, .ranks_each = 2});
    for (int r = 8; r < 10; r++) made_kind(&f, r, "other"), made_wrong(&f, r, 0, 9);
    assert_int_equal(repeat(&f), 2);
    assert_true(f.repeats[8] && f.repeats[9] && !f.repeats[0]);
    fleet_bits_judge(&f, bits);
    for (int r = 0; r < f.ranks; r++) assert_true(!bits[r].wrong && bits[r].unchecked == (r >= 8));
    f.again[9] ^= 1;
    fleet_bits_judge(&f, bits);
    for (int r = 0; r < f.ranks; r++) assert_int_equal(bits[r].wrong, r == 9);
    assert_non_null(strstr(bits[9].why, "other bits the second time"));
    fleet_close(&f);
}

/* Most ranks of a lone node agree: the odd one is wrong, and the others remain unchecked. */
static void a_lone_node(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 1, .ranks_each = 4});
    made_wrong(&f, 1, 2, 1);
    assert_int_equal(repeat(&f), 4);
    fleet_bits_judge(&f, bits);
    for (int r = 0; r < f.ranks; r++) assert_true(bits[r].wrong == (r == 1) && bits[r].unchecked);
    assert_int_equal(bits[1].since, 2);
    fleet_close(&f);
}

/* Of two that differ, who does not repeat its own bits is wrong. If both do, nobody knows. */
static void two_that_differ(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 2});
    made_wrong(&f, 1, 4, 1);
    assert_int_equal(repeat(&f), 2);
    f.again[1] = fleet_trajectory(&f, 0);
    fleet_bits_judge(&f, bits);
    assert_true(!bits[0].wrong && bits[1].wrong && bits[1].since == -1);
    f.again[1] = fleet_trajectory(&f, 1);
    fleet_bits_judge(&f, bits);
    assert_true(bits[0].wrong && bits[1].wrong);
    assert_non_null(strstr(bits[0].why, "one of them is wrong"));
    fleet_close(&f);
}

/* After a signal nothing ran a second time. */
static void without_repeats(void **state) {
    (void)state;
    struct fleet f;
    struct fleet_bits bits[MOST];
    made_rounds(&f, &(struct made_rounds){.nodes = 1});
    fleet_bits_judge(&f, bits);
    assert_true(!bits[0].wrong && bits[0].unchecked);
    fleet_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alike),           cmocka_unit_test(most_are_right),  cmocka_unit_test(no_majority),
        cmocka_unit_test(for_one_round),   cmocka_unit_test(kinds_apart),     cmocka_unit_test(a_lone_node),
        cmocka_unit_test(two_that_differ), cmocka_unit_test(without_repeats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
