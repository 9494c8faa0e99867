/* SPDX-License-Identifier: Apache-2.0
 *
 * What backward computes again has the bits that forward had: whatever a layer keeps, gradients and weights after steps
 * are the same, in every family and dtype. Less is kept each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/support/rig.h"

enum { SEED = 11, STEPS = 2 };

struct outcome {
    double loss, activations;
    uint64_t gradients, weights;
};

static struct outcome run(const char *family, int64_t layers, enum kernel_dtype dtype, int recompute) {
    const struct parallel_optimizer o = parallel_optimizer_default();
    const struct model_config c = rig_config_of(family, layers, 64, 4, 100, 40);
    struct plan_request q = rig_request(&c, dtype, 37, 2, 2);
    struct parallel_result result;
    struct rig r;
    q.layout.recompute = recompute;
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, SEED);
    for (int i = 0; i < STEPS; i++) parallel_step(&r.engine, r.source, &o, i, &result);
    const struct outcome x = {result.loss, r.plan.arenas[PLAN_ACTIVATIONS].bytes, parallel_gradients_mix(&r.engine),
                              parallel_weights_mix(&r.engine, false)};
    rig_close(&r);
    return x;
}

static void check_family(const char *family, int64_t layers, enum kernel_dtype dtype) {
    const struct outcome all = run(family, layers, dtype, PLAN_RECOMPUTE_NONE);
    double kept = all.activations;
    for (int recompute = PLAN_RECOMPUTE_SELECTIVE; recompute < PLAN_RECOMPUTES; recompute++) {
        const struct outcome x = run(family, layers, dtype, recompute);
        if (x.loss != all.loss || x.gradients != all.gradients || x.weights != all.weights)
            fail_msg("%s, %lld layers, recompute %s: other bits", family, (long long)layers,
                     plan_recompute_name((enum plan_recompute)recompute));
        assert_true(layers == 1 ? x.activations == kept : x.activations < kept);
        kept = x.activations;
    }
}

static void bits_stay(void **state) {
    (void)state;
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            for (int64_t layers = 1; layers <= 3; layers++)
                check_family(rig_families[f], layers, (enum kernel_dtype)dtype);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bits_stay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
