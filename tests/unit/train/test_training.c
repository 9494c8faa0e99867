/* SPDX-License-Identifier: Apache-2.0
 * check: timeout 300
 * check: no sanitizers: hundreds of steps; parallel/test_step runs the same code under them
 *
 * Training as a whole: a small model of every family approaches the entropy of its source, from above. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/effort.h"
#include "unit/support/rig.h"

/* GPT-2's initial 0.02 is slow for so small a model. */
static const double INIT_STD = 0.06;
enum { STEPS = 450, STEPS_ALIBI = 1200, LAST = 50, BATCH = 16, SEQ = 32 };

/* Without attention no loss stays below the Zipf law's entropy, 1.5 times the floor. So a loss within a tenth of the
 * floor shows that everything works together. None can stay below the floor. The token to copy is two back; ALiBi
 * prefers the nearest token, so it takes longer to find it. */
static void train_to_the_floor(const char *family, enum kernel_dtype dtype) {
    const bool six = !strcmp(family, "bloom"); /* not a power of two */
    struct model_config c = rig_config_of(family, 2, six ? 96 : 64, six ? 6 : 4, 256, SEQ);
    struct parallel_optimizer o = parallel_optimizer_default();
    struct parallel_result result;
    struct rig r;
    double first = 0, mean = 0, square = 0;
    const int steps = c.family->position == MODEL_POSITION_ALIBI ? STEPS_ALIBI : STEPS;
    c.init_std = INIT_STD;
    o.lr = o.lr_min = 3e-3;
    o.warmup = 20;
    const struct plan_request q = rig_request(&c, dtype, SEQ, BATCH, 1);
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 1);
    parallel_start(&r.engine, 1, false);
    for (int step = 0; step < steps; step++) {
        parallel_step(&r.engine, r.source, &o, step, &result);
        if (step == 0) first = result.loss;
        if (step < steps - LAST) continue;
        mean += result.loss / LAST;
        square += result.loss * result.loss / LAST;
    }
    const double floor = data_entropy(r.source), error = sqrt((square - mean * mean) / LAST);
    printf("%s %s: loss %.3f -> %.3f +- %.3f; floor %.3f, ratio %.3f\n", family, dtype == KERNEL_F32 ? "fp32" : "bf16",
           first, mean, error, floor, mean / floor);
    assert_true(fabs(first / log(256) - 1) < 0.1); /* at first it has learned nothing */
    assert_true(mean < 1.1 * floor);
    assert_true(mean > floor - 3 * error);
    rig_close(&r);
}

/* Every family in both precisions. If time is short, each in one, and GPT-2 in both. */
static bool wanted(int family, enum kernel_dtype dtype) {
    return effort_full() || family == 0 || (int)dtype == family % KERNEL_DTYPE_COUNT;
}
static void every_family(enum kernel_dtype dtype) {
    for (int f = 0; f < RIG_FAMILIES; f++)
        if (wanted(f, dtype))
            train_to_the_floor(rig_families[f], dtype);
        else
            printf("SKIP: training %s in %s: only with CHECK_FULL set\n", rig_families[f],
                   dtype == KERNEL_F32 ? "fp32" : "bf16");
}
static void test_fp32(void **state) {
    (void)state;
    every_family(KERNEL_F32);
}
static void test_bf16(void **state) {
    (void)state;
    every_family(KERNEL_BF16);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fp32), cmocka_unit_test(test_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
