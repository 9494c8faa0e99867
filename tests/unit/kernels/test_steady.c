/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * A steady team: every variant of list.h gives the same bits on any number of threads and with any caches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/support/effort.h"
#include "unit/support/guarded.h"
#include "unit/support/lacking.h"
#include "unit/support/operations_calls.h"

/* Matmuls over several blocks of k; heads, windows and panels that no number of threads divides. */
static const int64_t shapes[][3] = {{9, 35, 1203}, {131, 33, 17}, {300, 16, 7}};
/* The last three are a matmul's alone. */
static const unsigned option_sets[] = {0, 2, 1 | 2 | 4, 16, 1 | 4 | 8, 32, 64, 128};
static const struct team {
    int threads;
    struct kernel_caches caches;
} teams[] = {
    {1, {0}}, {2, {4 << 10, 16 << 10, 64 << 10}}, {3, {48 << 10, 2 << 20, 32 << 20}}, {5, {1 << 30, 1 << 30, 1 << 30}}};
enum { SHAPES = sizeof shapes / sizeof *shapes, SETS = sizeof option_sets / sizeof *option_sets, SETS_OF_ALL = 5 };
enum { TEAMS = sizeof teams / sizeof *teams };

/* What does not compute, and a library's matmul. */
static bool is_exempt(const struct call *c) {
    const struct operation_variant *v = &operation_variants[c->variant];
    return strcmp(v->op, "gemm_blocking") == 0 || strcmp(v->op, "peak") == 0 || strcmp(v->op, "tile_peak") == 0 ||
           strcmp(v->isa, "openblas") == 0;
}

/* The first run of a shape keeps copies of the outputs; later ones compare. */
struct kept {
    void *operand[CALL_OPERANDS];
    double result;
};

static void outputs_compare(const struct call *c, struct kept *kept, bool first) {
    if (first) kept->result = c->o.result;
    if (memcmp(&kept->result, &c->o.result, sizeof kept->result) != 0) call_fail(c, "another result", NULL, 0);
    for (int i = 0; i < c->o.count; i++) {
        const struct operand *x = &c->o.operands[i];
        if (x->role == OPERAND_IN) continue;
        if (first)
            kept->operand[i] = call_copy(x);
        else if (memcmp(kept->operand[i], x->data, call_bytes(x)) != 0)
            call_fail(c, "other bits", x, 0);
    }
}

static void call_steady(struct call *c, const int64_t shape[3], unsigned options) {
    struct kept kept = {{0}, 0};
    for (int t = 0; t < TEAMS; t++) {
        call_shape(c, shape, options, teams[t].threads);
        if (call_prepare(c)) {
            c->team.steady = true;
            c->team.caches = t ? &teams[t].caches : NULL;
            call_run(c);
            outputs_compare(c, &kept, t == 0);
        }
        call_release(c);
    }
    for (int i = 0; i < CALL_OPERANDS; i++) free(kept.operand[i]);
}

static void threads_and_caches_change_no_bit(void **state) {
    (void)state;
    for (struct call c = call_first(); call_valid(&c); call_next(&c))
        for (int s = 0; s < SHAPES && !is_exempt(&c); s++) {
            const int sets = strcmp(operation_variants[c.variant].op, "gemm") == 0 ? SETS : SETS_OF_ALL;
            for (int set = 0; set < sets; set += effort_emulator() ? 3 : 1)
                call_steady(&c, shapes[s], option_sets[set]);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_and_caches_change_no_bit)};
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
