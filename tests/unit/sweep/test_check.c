/* SPDX-License-Identifier: Apache-2.0
 *
 * A point against the base: strong by every step, weak by the base's samples in the first step. Healthy differences
 * pass, and a point that computed something else FAILS without a rate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sweep/check.h"

enum { STEPS = 4 };

static const struct record_scaling strong = {.mode = RECORD_STRONG, .unit = RECORD_RANK, .n = 4};
static const struct record_scaling weak = {.mode = RECORD_WEAK, .unit = RECORD_NODE, .n = 4};

/* A base of two ranks, from its record. */
static struct sweep_base base_of(struct comm *world) {
    struct sweep_base base;
    struct base_error e = {0};
    json_t *record = json_pack("{s:{s:i}, s:{s:i}, s:{s:[f,f,f], s:[f,f,f]}}", "scaling", "n", 1, "layout", "world", 2,
                               "result", "loss", 5.5, 5.25, 5.0, "grad_norm", 2.0, 1.5, 3.0);
    comm_serial(world);
    if (sweep_base_share(&base, record, world, &e)) fail_msg("%s", e.text);
    json_decref(record);
    return base;
}

/* A run of four ranks. */
struct made {
    struct train_result r;
    double loss[STEPS], grad_norm[STEPS];
    struct train_rank ranks[4];
};
static void make(struct made *m) {
    static const double loss[STEPS] = {5.5, 5.25, 5.0, 4.5}, norm[STEPS] = {2, 1.5, 3, 1};
    memset(m, 0, sizeof *m);
    memcpy(m->loss, loss, sizeof loss);
    memcpy(m->grad_norm, norm, sizeof norm);
    m->r = (struct train_result){
        .loss = m->loss, .grad_norm = m->grad_norm, .ranks = m->ranks, .steps = STEPS, .timed = 2};
    m->ranks[0].loss_first = 5.4, m->ranks[1].loss_first = 5.6;
    m->ranks[2].loss_first = 5.0, m->ranks[3].loss_first = 6.1; /* samples that the base does not have */
    gate_clear(&m->r.gate);
}

static void strong_is_every_step(void **state) {
    (void)state;
    struct comm world;
    struct sweep_base base = base_of(&world);
    struct made m;
    assert_true(base.n == 1 && base.ranks == 2 && base.steps == 3);
    make(&m);
    sweep_check(&base, &strong, KERNEL_F32, &m.r);
    assert_true(m.r.gate.residual[CHECK_BASE] == 0);
    m.loss[3] = 9; /* the base has no such step */
    sweep_check(&base, &strong, KERNEL_F32, &m.r);
    assert_true(gate_passed(&m.r.gate));
    m.loss[2] *= 1 + 1e-4;
    sweep_check(&base, &strong, KERNEL_F32, &m.r);
    assert_false(gate_passed(&m.r.gate));
    assert_string_equal(m.r.gate.where[CHECK_BASE], "step 2 of the base, 1 rank");
    make(&m);
    m.grad_norm[1] *= 1 - 1e-3;
    sweep_check(&base, &strong, KERNEL_F32, &m.r);
    assert_false(gate_passed(&m.r.gate));
    assert_string_equal(m.r.gate.where[CHECK_BASE], "step 1 of the base, 1 rank, gradient norm");
    sweep_base_close(&base);
}

static void weak_is_the_base_s_samples(void **state) {
    (void)state;
    struct comm world;
    struct sweep_base base = base_of(&world);
    struct made m;
    make(&m);
    for (int i = 0; i < STEPS; i++) m.loss[i] += 1; /* a larger batch has other losses */
    sweep_check(&base, &weak, KERNEL_F32, &m.r);
    assert_true(m.r.gate.residual[CHECK_BASE] < 1);
    m.ranks[1].loss_first += 1e-3;
    sweep_check(&base, &weak, KERNEL_F32, &m.r);
    assert_false(gate_passed(&m.r.gate));
    assert_string_equal(m.r.gate.where[CHECK_BASE], "step 0 of the base, 1 node");
    sweep_base_close(&base);
}

/* The verdict names the check, also of a run that had passed. */
static void the_verdict_names_it(void **state) {
    (void)state;
    const struct train_options o = {.gate = true, .ci = INFINITY};
    struct comm world;
    struct sweep_base base = base_of(&world);
    struct made m;
    make(&m);
    m.r.covered = 1;
    m.r.mean = (struct base_mean){1, 0.9, 1.1};
    m.r.peak_flop_per_s = 1e12;
    train_verdict(&m.r, &o, 1e9);
    assert_int_equal(m.r.status, RECORD_PASSED);
    m.loss[0] = 5.6;
    sweep_check(&base, &strong, KERNEL_F32, &m.r);
    train_verdict(&m.r, &o, 1e9);
    assert_int_equal(m.r.status, RECORD_FAILED);
    assert_non_null(strstr(m.r.why, "against the curve's base"));
    sweep_base_close(&base);
}

/* Before the base has run, and where nothing was timed, there is nothing to compare. */
static void nothing_to_compare(void **state) {
    (void)state;
    const struct sweep_base none = {0};
    struct comm world;
    struct sweep_base base = base_of(&world), shared;
    struct base_error e = {0};
    struct made m;
    make(&m);
    sweep_check(&none, &strong, KERNEL_F32, &m.r);
    m.r.timed = 0;
    sweep_check(&base, &weak, KERNEL_F32, &m.r);
    assert_true(isnan(m.r.gate.residual[CHECK_BASE]));
    assert_int_equal(sweep_base_share(&shared, NULL, &world, &e), BASE_OK);
    assert_int_equal(shared.steps, 0);
    sweep_base_close(&shared);
    sweep_base_close(&base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strong_is_every_step),
        cmocka_unit_test(weak_is_the_base_s_samples),
        cmocka_unit_test(the_verdict_names_it),
        cmocka_unit_test(nothing_to_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
