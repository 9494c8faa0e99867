/* SPDX-License-Identifier: Apache-2.0
 *
 * Pairs are matchings, a tournament meets every pair once, no matching comes twice too early, and the share of links is
 * what was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "fleet/rotation.h"

/* Counts in met[units][units] who meets in these rounds. */
static int64_t play(int units, uint64_t seed, int rounds, unsigned char *met) {
    int64_t links = 0;
    for (int i = 0; i < rounds; i++) {
        const int matching = fleet_rotation_matching(units, seed, i);
        int resting = 0;
        assert_true(matching >= 0 && matching < fleet_rotation_whole(units));
        for (int u = 0; u < units; u++) {
            const int partner = fleet_rotation_partner(units, matching, u);
            resting += partner < 0;
            if (partner < 0) continue;
            assert_true(partner < units && partner != u);
            assert_int_equal(fleet_rotation_partner(units, matching, partner), u);
            links += partner > u && !met[u * units + partner]++;
        }
        assert_int_equal(resting, units % 2);
    }
    return links;
}

static void everyone_meets_everyone_once(void **state) {
    (void)state;
    for (int units = 2; units < 40; units++)
        for (uint64_t seed = 1; seed < 8; seed++) {
            unsigned char *met = calloc((size_t)units * (size_t)units, 1);
            const int whole = fleet_rotation_whole(units);
            assert_int_equal(play(units, seed, whole, met), fleet_rotation_links(units));
            assert_int_equal(fleet_rotation_seen(units, whole), fleet_rotation_links(units));
            assert_int_equal(fleet_rotation_seen(units, 10 * whole), fleet_rotation_links(units));
            free(met);
        }
}

static void a_few_rounds_see_their_share(void **state) {
    (void)state;
    for (int units = 2; units < 40; units++)
        for (int rounds = 1; rounds <= fleet_rotation_whole(units); rounds++) {
            unsigned char *met = calloc((size_t)units * (size_t)units, 1);
            assert_int_equal(play(units, 3, rounds, met), fleet_rotation_seen(units, rounds));
            free(met);
        }
}

/* Twenty rounds of 10,000 units: 0.2% of the links. */
static void thousands(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++) {
        const int matching = fleet_rotation_matching(10000, 7, i);
        for (int u = 0; u < 10000; u++)
            assert_int_equal(fleet_rotation_partner(10000, matching, fleet_rotation_partner(10000, matching, u)), u);
        for (int k = 0; k < i; k++) assert_int_not_equal(matching, fleet_rotation_matching(10000, 7, k));
    }
    assert_int_equal(fleet_rotation_seen(10000, 20), 100000);
    assert_int_equal(fleet_rotation_links(10000), 49995000);
}

static void a_seed_takes_its_own_order(void **state) {
    (void)state;
    int same = 0;
    for (uint64_t seed = 0; seed < 50; seed++)
        same += fleet_rotation_matching(1000, seed, 0) == fleet_rotation_matching(1000, seed + 1, 0);
    assert_true(same < 3);
    assert_int_equal(fleet_rotation_whole(1), 0);
    assert_int_equal(fleet_rotation_links(1), 0);
    assert_int_equal(fleet_rotation_seen(1, 20), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everyone_meets_everyone_once),
        cmocka_unit_test(a_few_rounds_see_their_share),
        cmocka_unit_test(thousands),
        cmocka_unit_test(a_seed_takes_its_own_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
