/* SPDX-License-Identifier: Apache-2.0
 *
 * Matrix units by the flags of made CPUs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/topology.h"

static void matrix_units(void **state) {
    (void)state;
    static const struct {
        const char *flags, *unit;
    } cpus[] = {
        {"fpu avx512f avx512_bf16 amx_bf16 avx512_fp16 amx_tile amx_int8", "AMX"}, /* Sapphire Rapids */
        {"amx_tile amx_int8 amx_fp16", "AMX"},
        {"amx_tile amx_int8", NULL}, /* integers alone */
        {"amx_bf16 amx_fp16", NULL}, /* the system does not save tiles */
        {"xamx_tile amx_bf16x amx_tiles", NULL},
        {"fp asimd sve sve2 bf16 i8mm sme smei16i64 smef64f64", "SME"},
        {"fp asimd sme2", "SME"},
        {"fp asimd sve bf16 smef32f32", NULL},
        {"fpu avx2 fma", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
        const char *unit = base_topology_matrix_unit(cpus[i].flags);
        if (!unit || !cpus[i].unit)
            assert_true(unit == cpus[i].unit);
        else
            assert_string_equal(unit, cpus[i].unit);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(matrix_units)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
