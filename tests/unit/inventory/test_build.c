/* SPDX-License-Identifier: Apache-2.0
 *
 * The build ID is the linker's: 40 hexadecimal digits, the same in each call. tests/cli/test_alike.sh compares it with
 * what the file says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "inventory/build.h"

static void digits(void **state) {
    (void)state;
    char id[INVENTORY_BUILD_TEXT], same[INVENTORY_BUILD_TEXT];
    inventory_build_id(id);
    inventory_build_id(same);
    assert_int_equal(strlen(id), INVENTORY_BUILD_TEXT - 1);
    assert_int_equal(strspn(id, "0123456789abcdef"), INVENTORY_BUILD_TEXT - 1);
    assert_string_equal(id, same);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(digits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
