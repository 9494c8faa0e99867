/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults on purpose: whom they hit and how hard, and what is not of their language. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "inject/inject.h"

/* This process is rank 3 on node 1, of 8 ranks on 4 nodes. */
static void open_faults(const char *text) {
    struct base_error e = {0};
    if (inject_open(text, 3, 1, 8, 4, &e)) fail_msg("%s: %s", text, e.text);
}

static void factors_hit_whom_they_name(void **state) {
    (void)state;
    open_faults(NULL);
    assert_true(inject_factor(INJECT_SLOW) == 1 && !inject_text());
    open_faults("slow:rank=3,factor=1.2");
    assert_true(inject_factor(INJECT_SLOW) == 1.2 && inject_factor(INJECT_MEMORY) == 1);
    assert_string_equal(inject_text(), "slow:rank=3,factor=1.2");
    open_faults("slow:rank=2,factor=1.2");
    assert_true(inject_factor(INJECT_SLOW) == 1);
    open_faults("slow:node=1,factor=2+memory:node=1,factor=1.5+slow:rank=3,factor=3");
    assert_true(inject_factor(INJECT_SLOW) == 6 && inject_factor(INJECT_MEMORY) == 1.5);
    open_faults("");
    assert_true(inject_factor(INJECT_SLOW) == 1);
}

static void links_have_two_ends(void **state) {
    (void)state;
    open_faults("link:rank=3,peer=5,factor=2");
    assert_true(inject_link_factor(5, 2) == 2 && inject_link_factor(4, 2) == 1);
    open_faults("link:rank=5,peer=3,factor=2");
    assert_true(inject_link_factor(5, 2) == 2 && inject_link_factor(4, 2) == 1);
    open_faults("link:node=1,factor=4");
    assert_true(inject_link_factor(0, 0) == 4 && inject_link_factor(7, 3) == 4);
    open_faults("link:node=0,factor=4");
    assert_true(inject_link_factor(0, 0) == 4 && inject_link_factor(7, 3) == 1);
}

static void stretched_work_takes_so_many_times_as_long(void **state) {
    (void)state;
    const double began = base_clock_now();
    while (base_clock_now() - began < 0.02) continue;
    const double worked = base_clock_now() - began;
    inject_stretch(3, began, NULL, NULL);
    assert_true(base_clock_now() - began >= 3 * worked);
}

static void a_flipped_bit_changes_one_value(void **state) {
    (void)state;
    float data[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    open_faults("bitflip:rank=3,step=4");
    assert_false(inject_flip(3, data, 9));
    assert_true(inject_flip(4, data, 9) && data[4] == 1.5F && data[3] == 1 && data[5] == 1);
    assert_false(inject_flip(4, data, 9)); /* once */
    open_faults("bitflip:rank=3,step=4,times=0");
    assert_true(inject_flip(4, data, 9) && inject_flip(5, data, 9) && inject_flip(4, data, 9));
    open_faults("bitflip:rank=2,step=0");
    assert_false(inject_flip(0, data, 9));
}

static bool hangs(const char *phase, int64_t step) {
    const double began = base_clock_now();
    inject_hang(phase, step);
    return base_clock_now() - began >= 0.05;
}

static int caught;
static void on_signal(int signal) {
    caught = signal;
}

static void a_hang_comes_where_it_is_told(void **state) {
    (void)state;
    open_faults("hang:rank=3,step=2,seconds=0.05");
    assert_false(hangs("forward", 1) || hangs("gate: small", -1));
    assert_true(hangs("forward", 2));
    assert_false(hangs("communication", 2)); /* once */
    open_faults("hang:node=1,phase=gate,seconds=0.05");
    assert_false(hangs("memory", -1));
    assert_true(hangs("gate: small", -1));
    open_faults("hang:rank=3,phase=communication,step=7,seconds=0.05");
    assert_false(hangs("forward", 7) || hangs("communication", 6));
    assert_true(hangs("communication", 7));
    signal(SIGUSR2, on_signal);
    open_faults("hang:rank=3,step=2,seconds=0,signal=12");
    inject_hang("forward", 2);
    assert_int_equal(caught, SIGUSR2);
}

static void what_is_not_of_the_language_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        {"fast:rank=1", "\"fast\" is no fault"},
        {"slow", "slow needs either rank=N or node=N"},
        {"slow:factor=2", "needs either rank"},
        {"slow:rank=1,node=1,factor=2", "needs either rank"},
        {"slow:rank=1", "slow needs factor="},
        {"slow:rank=8,factor=2", "rank 8 does not exist: this run has ranks 0 to 7"},
        {"slow:node=4,factor=2", "node 4 does not exist: this run has nodes 0 to 3"},
        {"link:rank=1,peer=9,factor=2", "rank 9 does not exist"},
        {"link:rank=1,peer=1,factor=2", "joins 1 with itself"},
        {"slow:rank=1,factor=0.5", "factor=\"0.5\" is not a number from 1 to"},
        {"slow:rank=1,factor=nan", "factor=\"nan\""},
        {"slow:rank=1.5,factor=2", "rank=\"1.5\" is not a whole number"},
        {"slow:rank=1,factor=2x", "factor=\"2x\""},
        {"slow:rank=1,factor", "\"factor\" is no field of slow"},
        {"slow:rank=1,factor=2,step=1", "\"step=1\" is no field of slow, which takes NAME=VALUE of rank, node, factor"},
        {"slow:rank=1,rank=2,factor=2", "rank= is given twice"},
        {"bitflip:rank=1", "bitflip needs step="},
        {"hang:rank=1", "hang needs step=N or phase=NAME"},
        {"hang:rank=1,step=1,signal=0", "signal=\"0\" is not a whole number from 1 to 64"},
        {"hang:rank=1,phase=", "takes 1 to 31 characters"},
        {"slow:rank=1,factor=2+", "\"\" is no fault"},
        {"slow:rank=1,factor=2;hang:rank=1,step=1", "factor=\"2;hang:rank=1\""},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct base_error e = {0};
        assert_int_equal(inject_open(bad[i].text, 3, 1, 8, 4, &e), BASE_USAGE);
        if (!strstr(e.text, bad[i].words)) fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].text, e.text, bad[i].words);
        assert_true(inject_factor(INJECT_SLOW) == 1 && !inject_text());
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_hit_whom_they_name),
        cmocka_unit_test(links_have_two_ends),
        cmocka_unit_test(stretched_work_takes_so_many_times_as_long),
        cmocka_unit_test(a_flipped_bit_changes_one_value),
        cmocka_unit_test(a_hang_comes_where_it_is_told),
        cmocka_unit_test(what_is_not_of_the_language_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
