/* SPDX-License-Identifier: Apache-2.0
 *
 * Verdicts on made fleets whose truth is known: who is slow and by which roof, who is wrong, who garbles messages, what
 * cannot be judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "fleet/judge.h"
#include "unit/support/made_rounds.h"

static struct fleet_judgement judge(const struct fleet *f) {
    struct fleet_judgement j;
    struct base_error e = {0};
    assert_int_equal(fleet_judge(f, &j, &e), 0);
    return j;
}

static int bad(const struct fleet *f, const struct fleet_judgement *j) {
    int count = 0;
    for (int u = 0; u < f->units; u++) count += j->unit[u].state != FLEET_GOOD;
    return count;
}

/* Only this unit is bad. */
static void only(const struct fleet *f, const struct fleet_judgement *j, int unit, enum fleet_state state,
                 const char *cause) {
    for (int u = 0; u < f->units; u++) assert_int_equal(j->unit[u].state, u == unit ? state : FLEET_GOOD);
    assert_string_equal(j->unit[unit].cause, cause);
}

static void healthy(void **state) {
    (void)state;
    static const int sizes[] = {3, 4, 8, 32};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int alarms = 0;
        for (uint64_t seed = 1; seed <= 200; seed++) {
            struct fleet f;
            made_rounds(&f, &(struct made_rounds){.nodes = sizes[i], .spread = 0.003, .seed = seed});
            struct fleet_judgement j = judge(&f);
            alarms += bad(&f, &j) > 0;
            assert_true(j.unjudged == 0 && j.unchecked == 0);
            assert_true(j.of[FLEET_STEP].detectable > 0.005 && j.of[FLEET_STEP].detectable < 1);
            fleet_judgement_close(&j);
            fleet_close(&f);
        }
        assert_true(alarms <= 5);
    }
}

/* Noise that all share, such as the hour's clocks, hides nobody: times are compared within a round. */
static void shared_noise(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 8, .seed = 7});
    for (int i = 0; i < f.rounds; i++)
        for (int r = 0; r < f.ranks; r++) f.sample[i * f.ranks + r].seconds[FLEET_STEP] *= 1 + 0.1 * i;
    made_slow(&f, 2, FLEET_STEP, 1.1);
    struct fleet_judgement j = judge(&f);
    only(&f, &j, 2, FLEET_SLOW, "unexplained");
    assert_true(j.of[FLEET_STEP].detectable < 0.1);
    fleet_judgement_close(&j);
    fleet_close(&f);
}

static void slow_with_a_cause(void **state) {
    (void)state;
    static const struct {
        enum fleet_quantity first, second; /* both are slow */
        const char *cause;
        enum fleet_quantity told;
    } cases[] = {
        {FLEET_STEP, FLEET_STEP, "unexplained", FLEET_STEP}, {FLEET_STEP, FLEET_CORE, "core clock", FLEET_STEP},
        {FLEET_STEP, FLEET_MEMORY, "memory", FLEET_STEP},    {FLEET_MEMORY, FLEET_MEMORY, "memory", FLEET_MEMORY},
        {FLEET_CORE, FLEET_CORE, "core clock", FLEET_CORE},  {FLEET_LINK, FLEET_LINK, "link", FLEET_LINK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fleet f;
        made_rounds(&f, &(struct made_rounds){.nodes = 24, .ranks_each = 2, .spread = 0.003, .seed = 50 + i});
        made_slow(&f, 15, cases[i].first, 1.2);
        if (cases[i].second != cases[i].first) made_slow(&f, 15, cases[i].second, 1.2);
        struct fleet_judgement j = judge(&f);
        only(&f, &j, 7, FLEET_SLOW, cases[i].cause);
        assert_int_equal(j.unit[7].quantity, cases[i].told);
        assert_int_equal(j.unit[7].rank, 15);
        const struct detect_judgement *d = &j.unit[7].of[cases[i].told];
        assert_true(d->low < 0.2 && 0.15 < d->slowdown && d->slowdown < 0.25 && d->p < 0.001);
        fleet_judgement_close(&j);
        fleet_close(&f);
    }
}

/* A slow end slows its partners for one round each, which must not accuse them. */
static void a_slow_link(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 33, .seed = 4});
    for (int i = 0; i < f.rounds; i++) {
        const int partner = f.sample[i * f.ranks + 9].partner;
        f.sample[i * f.ranks + 9].seconds[FLEET_LINK] *= 3;
        if (partner >= 0) f.sample[i * f.ranks + partner].seconds[FLEET_LINK] *= 3;
    }
    struct fleet_judgement j = judge(&f);
    only(&f, &j, 9, FLEET_SLOW, "link");
    fleet_judgement_close(&j);
    fleet_close(&f);
}

/* Time that others took explains a slow step, and a slow core beside it. */
static void a_neighbour(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 16, .seed = 6});
    made_slow(&f, 3, FLEET_STEP, 1.25);
    made_slow(&f, 3, FLEET_CORE, 1.25);
    for (int i = 0; i < f.rounds; i++)
        for (int r = 0; r < f.ranks; r++) f.sample[i * f.ranks + r].others = r == 3 ? 0.18 : 0.01;
    struct fleet_judgement j = judge(&f);
    only(&f, &j, 3, FLEET_SLOW, "neighbour");
    fleet_judgement_close(&j);
    for (int i = 0; i < f.rounds; i++) f.sample[i * f.ranks + 3].others = 0.05; /* too little to explain it */
    j = judge(&f);
    only(&f, &j, 3, FLEET_SLOW, "core clock");
    fleet_judgement_close(&j);
    fleet_close(&f);
}

/* Wrong outranks slow, and says since when and which rank. */
static void wrong(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 8, .ranks_each = 2, .seed = 2});
    made_slow(&f, 10, FLEET_STEP, 2);
    made_wrong(&f, 11, 4, 1);
    struct fleet_judgement j = judge(&f);
    only(&f, &j, 5, FLEET_WRONG, "");
    assert_int_equal(j.unit[5].rank, 11);
    assert_non_null(strstr(j.unit[5].why, "from round 5 on"));
    fleet_judgement_close(&j);
    fleet_close(&f);
}

static void garbled_messages(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 12, .seed = 3});
    made_garbled(&f, 8, 0);
    struct fleet_judgement j = judge(&f);
    only(&f, &j, 8, FLEET_WRONG, "");
    assert_non_null(strstr(j.unit[8].why, "garbled"));
    fleet_judgement_close(&j);
    fleet_close(&f);
    made_rounds(&f, &(struct made_rounds){.nodes = 12, .seed = 3}); /* once: nobody knows which end */
    made_garbled(&f, 8, f.rounds - 1);
    const int partner = f.sample[(f.rounds - 1) * f.ranks + 8].partner;
    j = judge(&f);
    for (int u = 0; u < f.units; u++) assert_int_equal(j.unit[u].state == FLEET_WRONG, u == 8 || u == partner);
    fleet_judgement_close(&j);
    fleet_close(&f);
}

/* Times of other kinds are no measure, and too few peers none at all. */
static void kinds_and_few_peers(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 20, .seed = 5});
    for (int r = 10; r < 20; r++) made_kind(&f, r, "newer"), made_slow(&f, r, FLEET_STEP, 0.6);
    made_kind(&f, 9, "odd");
    struct fleet_judgement j = judge(&f);
    assert_int_equal(bad(&f, &j), 0);
    assert_int_equal(j.unjudged, 1);
    assert_int_equal(j.unchecked, 1);
    assert_true(j.unit[9].unchecked && j.unit[9].of[FLEET_STEP].verdict == DETECT_UNJUDGED);
    fleet_judgement_close(&j);
    fleet_close(&f);
    made_rounds(&f, &(struct made_rounds){.nodes = 2, .seed = 5});
    made_slow(&f, 1, FLEET_STEP, 2);
    j = judge(&f);
    assert_true(bad(&f, &j) == 0 && j.unjudged == 2);
    fleet_judgement_close(&j);
    fleet_close(&f);
}

static void thousands(void **state) {
    (void)state;
    struct fleet f;
    made_rounds(&f, &(struct made_rounds){.nodes = 10000, .rounds = 10, .spread = 0.003, .seed = 8});
    made_slow(&f, 1234, FLEET_STEP, 1.15);
    made_wrong(&f, 9999, 3, 1);
    struct fleet_judgement j = judge(&f);
    assert_int_equal(j.unit[1234].state, FLEET_SLOW);
    assert_int_equal(j.unit[9999].state, FLEET_WRONG);
    assert_true(bad(&f, &j) <= 3);
    fleet_judgement_close(&j);
    fleet_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy),          cmocka_unit_test(shared_noise), cmocka_unit_test(slow_with_a_cause),
        cmocka_unit_test(a_slow_link),      cmocka_unit_test(a_neighbour),  cmocka_unit_test(wrong),
        cmocka_unit_test(garbled_messages), cmocka_unit_test(thousands),    cmocka_unit_test(kinds_and_few_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
