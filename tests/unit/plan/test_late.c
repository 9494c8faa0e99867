/* SPDX-License-Identifier: Apache-2.0
 *
 * What a stage keeps for weight gradients that come later, by hand; all else of its plan is as with 1F1B. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "plan/plan.h"
#include "unit/support/rig.h"

enum { STAGES = 4, LAYERS = 2, WIDTH = 64, TOKENS = 2 * 64, MICROS = 6 };

static void make(struct plan *plan, int schedule, int stage, int accumulation) {
    const struct model_config c = rig_config(STAGES * LAYERS, WIDTH, 4, 256, 128);
    struct plan_request r = rig_request(&c, KERNEL_F32, 64, 2, accumulation);
    struct base_error e = {0};
    r.layout.pp = STAGES, r.layout.schedule = schedule;
    r.rank = plan_grid_stage_rank(&r.layout, stage);
    if (plan_make(plan, &r, &e)) fail_msg("%s", e.text);
}

/* Each layer of GPT-2: of the residual stream and of norms two each, queries with keys and values, and the MLP's
 * first matmul: 4 + 3 + 4 widths. At once layers share the last two. */
static void memory_by_hand(void **state) {
    (void)state;
    for (int micros = 1; micros <= MICROS; micros++) {
        struct plan at_once, late;
        make(&at_once, PLAN_1F1B, 0, micros);
        make(&late, PLAN_ZERO_BUBBLE, 0, micros);
        const double more = late.arenas[PLAN_ACTIVATIONS].bytes - at_once.arenas[PLAN_ACTIVATIONS].bytes;
        assert_true(more == 4.0 * TOKENS * WIDTH * (LAYERS * 11 - 7));
    }
    struct plan second, third; /* as many micro-batches, and one more is late */
    make(&second, PLAN_ZERO_BUBBLE, 1, MICROS);
    make(&third, PLAN_ZERO_BUBBLE, 2, MICROS);
    const double more = third.arenas[PLAN_ACTIVATIONS].bytes - second.arenas[PLAN_ACTIVATIONS].bytes;
    assert_true(more == 4.0 * TOKENS * WIDTH * LAYERS * 11);
}

static void all_else_stays(void **state) {
    (void)state;
    for (int stage = 0; stage < STAGES; stage++) {
        struct plan at_once, late;
        make(&at_once, PLAN_1F1B, stage, MICROS);
        make(&late, PLAN_ZERO_BUBBLE, stage, MICROS);
        for (int i = 0; i < PLAN_ARENAS; i++)
            if (i != PLAN_ACTIVATIONS && i != PLAN_BATCH) assert_true(late.arenas[i].bytes == at_once.arenas[i].bytes);
        assert_int_equal(late.ledger.count, at_once.ledger.count);
        for (int i = 0; i < late.ledger.count; i++) {
            const struct plan_op *x = &late.ledger.ops[i], *y = &at_once.ledger.ops[i];
            assert_true(x->count == y->count && x->flop == y->flop && x->bytes == y->bytes && x->phase == y->phase);
        }
        assert_true(late.ledger.model_flop == at_once.ledger.model_flop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(memory_by_hand), cmocka_unit_test(all_else_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
