/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * Every variant of list.h on operands and scratch between inaccessible pages. Nothing outside is touched. Inputs and
 * gaps between rows do not change, and outputs are written completely. Results have the same bits at any address, and
 * the processor's floating-point state is unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <omp.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "unit/support/guarded.h"
#include "unit/support/lacking.h"
#include "unit/support/operations_calls.h"

/* Sizes around one vector, tiles, panels, the blocks of attention and of a cross-entropy. Depth: k, heads, table rows.
 */
static const int64_t shapes[][3] = {{1, 1, 1},    {2, 7, 3},    {5, 8, 2},    {7, 17, 16},  {13, 33, 18},
                                    {33, 64, 35}, {65, 130, 4}, {3, 1029, 2}, {97, 40, 385}};
static const unsigned option_sets[] = {0, 1, 2, 4, 8, 16, 11, 15, 31, 32, 64, 128, 111};
enum { SHAPES = sizeof shapes / sizeof *shapes, SETS = sizeof option_sets / sizeof *option_sets };

/* Inputs and gaps are as before; every element of an output has changed. */
static void operand_check(const struct call *c, const struct operand *x, const unsigned char *before) {
    const unsigned char *now = x->data;
    const size_t element = kernel_dtype_bytes(x->dtype);
    if (x->role == OPERAND_IN && memcmp(now, before, call_bytes(x)) == 0) return;
    for (int64_t i = 0; i < operand_span(x); i++) {
        const bool gap = i % x->ld >= x->cols,
                   same = memcmp(now + i * (int64_t)element, before + i * (int64_t)element, element) == 0;
        if ((gap || x->role == OPERAND_IN) && !same) call_fail(c, "wrote to an input or a gap", x, i);
        if (!gap && x->role == OPERAND_OUT && same) call_fail(c, "left an output as it was", x, i);
    }
}

/* Runs the call at one place in memory. Its outputs go to *kept, or are compared with it. */
static void place_check(struct call *c, void **kept) {
    void *before[CALL_OPERANDS];
    if (call_prepare(c)) {
        for (int i = 0; i < c->o.count; i++) before[i] = call_copy(&c->o.operands[i]);
        call_run(c);
        for (int i = 0; i < c->o.count; i++) {
            const struct operand *x = &c->o.operands[i];
            operand_check(c, x, before[i]);
            free(before[i]);
            if (!kept[i])
                kept[i] = call_copy(x);
            else if (memcmp(kept[i], x->data, call_bytes(x)) != 0)
                call_fail(c, "has other bits where its operands stand elsewhere", x, -1);
        }
    }
    call_release(c);
}

static void guarded_everywhere(void **state) {
    (void)state;
    for (struct call c = call_first(); call_valid(&c); call_next(&c))
        for (int s = 0; s < SHAPES; s++)
            for (int set = 0; set < SETS; set++) {
                void *kept[CALL_OPERANDS] = {0};
                call_shape(&c, shapes[s], option_sets[set], 1 + s % 3);
                for (int place = 0; place < GUARDED_PLACES; place++) {
                    guarded_place = (enum guarded_place)place;
                    place_check(&c, kept);
                }
                for (int i = 0; i < CALL_OPERANDS; i++) free(kept[i]);
            }
}

#ifdef __x86_64__
enum { CONTROL = 0xffc0 }; /* MXCSR's masks, rounding, flush to zero, denormals are zero; the rest are flags */

/* On every thread: libgomp's threads keep their state, LLVM's take the caller's when a region begins. */
static void state_set(unsigned mxcsr) {
#pragma omp parallel num_threads(3)
    _mm_setcsr(mxcsr);
    _mm_setcsr(mxcsr);
}
static unsigned state_changed(unsigned mxcsr) {
    unsigned changed = 0;
#pragma omp parallel num_threads(3) reduction(| : changed)
    changed |= (_mm_getcsr() ^ mxcsr) & CONTROL;
    return changed;
}
/* The caller's rounding mode is unchanged on every thread. */
static void float_state_stays(void **state) {
    (void)state;
    static const unsigned wanted[] = {0x1f80, 0x9fc0, 0x7f80, 0x1f80}; /* plain; flushing; towards 0; plain again */
    guarded_place = GUARDED_SKEWED;
    for (struct call c = call_first(); call_valid(&c); call_next(&c)) {
        for (int w = 0; w < 4; w++) {
            call_shape(&c, shapes[4], 0, 3);
            if (call_prepare(&c)) {
                state_set(wanted[w]);
                call_run(&c);
                const unsigned changed = state_changed(wanted[w]);
                state_set(0x1f80);
                if (changed) call_fail(&c, "changed the rounding or flushing", NULL, changed);
            }
            call_release(&c);
        }
    }
}
#else
static void float_state_stays(void **state) {
    (void)state;
    printf("SKIP: floating-point state: known for x86-64 only\n");
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(guarded_everywhere), cmocka_unit_test(float_state_stays)};
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
