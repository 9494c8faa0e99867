/* SPDX-License-Identifier: Apache-2.0
 * check: no sanitizers: bench/test_kernel_memory makes the same calls
 * check: emulated
 *
 * Every variant of list.h with one number that is not finite. A NaN must appear in the results. A NaN or an infinity
 * must spread no further than the operation's formula says: all else keeps its bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/support/guarded.h"
#include "unit/support/lacking.h"
#include "unit/support/operations_calls.h"

static const int64_t shapes[][3] = {{5, 7, 3}, {13, 19, 9}, {70, 33, 18}};
static const unsigned option_sets[] = {0, 1, 4, 6, 8, 20, 32, 64, 128, 111};
enum { SHAPES = sizeof shapes / sizeof *shapes, SETS = sizeof option_sets / sizeof *option_sets };

/* Position of the bad number: row and column of operand `at`. */
struct spot {
    int at;
    int64_t row, col;
};

static bool reaches(const struct operand *in, const struct operand *out, struct spot s, int64_t row, int64_t col) {
    const int common = in->by & out->by;
    return !(common & BY_ROW && row != s.row) && !(common & BY_COLUMN && col != s.col);
}

/* Tables have rows that no token uses, and moves have rows that go nowhere. An expert whose bias is no number is not
 * chosen. */
static bool may_hide(const struct call *c, const struct operand *in) {
    const char *op = operation_variants[c->variant].op;
    const bool bias = strcmp(op, "route_forward") == 0 && in->data == c->o.route.bias;
    return bias || strcmp(op, "embedding_forward") == 0 || strncmp(op, "rows_", 5) == 0;
}

static bool is_float(const struct operand *x) {
    return !x->integers && x->rows > 0 && x->cols > 0;
}

/* Compares the outputs of a run with the bad number to those without it. */
static void spread_check(const struct call *c, struct spot s, float bad, void *const clean[], double clean_result) {
    const struct operand *in = &c->o.operands[s.at];
    bool shows = isnan(c->o.result) && !isnan(clean_result);
    for (int i = 0; i < c->o.count; i++) {
        const struct operand *x = &c->o.operands[i];
        if (x->role == OPERAND_IN || !is_float(x)) continue;
        for (int64_t row = 0; row < x->rows; row++)
            for (int64_t col = 0; col < x->cols; col++) {
                const int64_t at = row * x->ld + col;
                const float got = scalar_get(x->dtype, x->data, at), was = scalar_get(x->dtype, clean[i], at);
                if (reaches(in, x, s, row, col))
                    shows |= isnan(got) && !isnan(was);
                else if (memcmp(&got, &was, sizeof got) != 0)
                    call_fail(c, isnan(bad) ? "a NaN spread" : "an infinity spread", x, at);
            }
    }
    if (isnan(bad) && !shows && !may_hide(c, in)) call_fail(c, "a NaN is not to be seen", in, s.row * in->ld + s.col);
}

static void spot_run(struct call *c, struct spot s, float bad, void *const clean[], double clean_result) {
    const bool fine = call_prepare(c);
    struct operand *in = &c->o.operands[s.at];
    assert_true(fine);
    scalar_put(in->dtype, in->data, s.row * in->ld + s.col, bad);
    call_run(c);
    spread_check(c, s, bad, clean, clean_result);
    call_release(c);
}

/* NaN in the first, middle and last number of every input; infinities in the middle. */
static void inputs_run(struct call *c, const struct operand *operands, int count, void *const clean[], double result) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < count; i++) {
        const struct operand *x = &operands[i];
        if (x->role == OPERAND_OUT || !is_float(x)) continue;
        for (int place = 0; place < 3; place++) {
            const struct spot s = {i, (x->rows - 1) * place / 2, (x->cols - 1) * (2 - place) / 2};
            for (int b = 0; b < (place == 1 ? 3 : 1); b++) spot_run(c, s, bad[b], clean, result);
        }
    }
}

static void not_finite_numbers_spread_as_formulas_say(void **state) {
    (void)state;
    for (struct call c = call_first(); call_valid(&c); call_next(&c))
        for (int s = 0; s < SHAPES; s++)
            for (int set = 0; set < SETS; set++) {
                void *clean[CALL_OPERANDS] = {0};
                struct operand operands[CALL_OPERANDS];
                guarded_place = (enum guarded_place)(set % GUARDED_PLACES);
                call_shape(&c, shapes[s], option_sets[set], 1 + set % 2);
                const bool fine = call_prepare(&c);
                const int count = c.o.count;
                if (fine) call_run(&c);
                const double result = c.o.result;
                for (int i = 0; i < count; i++) clean[i] = call_copy(&c.o.operands[i]);
                memcpy(operands, c.o.operands, sizeof operands);
                call_release(&c);
                if (fine) inputs_run(&c, operands, count, clean, result);
                for (int i = 0; i < count; i++) free(clean[i]);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(not_finite_numbers_spread_as_formulas_say)};
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
