/* SPDX-License-Identifier: Apache-2.0
 *
 * The machine object of a record names what ran. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "inventory/fingerprint.h"

static void fingerprints_name_what_ran(void **state) {
    (void)state;
    struct kernel_ops ops;
    struct base_topology t = {
        .host = "n1", .cpu = "made up", .sockets = 2, .l2_bytes = 1 << 20, .memory_bytes = 1LL << 40};
    kernel_select(&ops, KERNEL_ISA_ref, KERNEL_BACKEND_OPENBLAS);
    setenv("OMP_TOISE_TEST", "a,b", 1);
    setenv("HOME_TOISE_TEST", "secret", 1);
    json_t *machine = inventory_fingerprint(&t, &ops, KERNEL_ISA_ref), *kernels = json_object_get(machine, "kernels");
    assert_string_equal(json_string_value(json_object_get(machine, "host")), "n1");
    assert_int_equal(json_integer_value(json_object_get(machine, "sockets")), 2);
    assert_true(json_integer_value(json_object_get(machine, "memory_bytes")) == (json_int_t)1 << 40);
    assert_true(json_is_null(json_object_get(machine, "board")));
    const json_t *quota = json_object_get(machine, "cpu_quota"); /* this machine's quota, or none */
    assert_true(json_is_null(quota) || json_real_value(json_object_get(quota, "cpus")) > 0);
    assert_string_equal(json_string_value(json_object_get(machine, "isa")), "ref");
    assert_string_equal(json_string_value(json_object_get(kernels, "gemm")), "openblas");
    assert_string_equal(json_string_value(json_object_get(kernels, "adamw")), "ref");
    const char *name;
    json_t *value;
    json_object_foreach(kernels, name, value) assert_true(json_is_string(value));
    json_t *environment = json_object_get(machine, "environment");
    assert_string_equal(json_string_value(json_object_get(environment, "OMP_TOISE_TEST")), "a,b");
    assert_null(json_object_get(environment, "HOME_TOISE_TEST"));
    assert_true(json_is_string(json_object_get(machine, "compiler")) &&
                json_is_string(json_object_get(machine, "mpi")));
    json_decref(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints_name_what_ran),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
