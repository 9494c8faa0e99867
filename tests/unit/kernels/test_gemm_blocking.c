/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocking of a matmul: within its bounds and the caches, even for absurd caches, and explained in text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gemm/blocking.h"
#include "unit/support/gemm_operands.h"

static void check(const struct kernel_blocking *b, const struct kernel_caches *c) {
    const int64_t stationary = b->b_stationary ? b->nr : b->mr, streamed = b->b_stationary ? b->mr : b->nr;
    const int64_t l1 = c && c->l1 > 0 ? c->l1 : 32 << 10, l2 = c && c->l2 > 0 ? c->l2 : 512 << 10;
    assert_true(b->kc >= b->lanes && b->kc <= BLOCKING_KC_MAX && b->kc % b->lanes == 0);
    assert_true(b->mc >= streamed && b->mc <= BLOCKING_NC_LONG && b->mc % streamed == 0);
    assert_true(b->nc_long >= 1 && b->nc_long <= BLOCKING_NC_LONG);
    assert_true(b->nc_short >= 1 && b->nc_short <= BLOCKING_NC_SHORT && b->nc_short <= b->nc_long);
    assert_true(b->mr <= BLOCKING_PANEL_MAX && b->nr <= BLOCKING_PANEL_MAX && b->nr % b->lanes == 0);
    if (b->kc > b->lanes) assert_true(4 * b->kc * stationary <= l1);
    if (b->mc > streamed) assert_true(4 * b->kc * b->mc <= l2 / 8 * 3);
}

static void test_any_caches(void **state) {
    (void)state;
    static const int64_t sizes[] = {0,
                                    -1,
                                    1,
                                    63,
                                    1000,
                                    4 << 10,
                                    32 << 10,
                                    48 << 10,
                                    1 << 20,
                                    32 << 20,
                                    1 << 30,
                                    (int64_t)1 << 31,
                                    (int64_t)1 << 45,
                                    INT64_MAX};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    for (int v = 0; v < gemm_variant_count; v++)
        for (int in = 0; in < KERNEL_DTYPE_COUNT; in++) {
            struct kernel_blocking b, unknown;
            kernel_gemm_blocking(&gemm_variants[v].ops, NULL, (enum kernel_dtype)in, &unknown);
            if (strcmp(unknown.variant, "ref") == 0) continue;
            check(&unknown, NULL);
            for (int i = 0; i < SIZES * SIZES * SIZES; i++) {
                const struct kernel_caches c = {sizes[i % SIZES], sizes[i / SIZES % SIZES], sizes[i / SIZES / SIZES]};
                kernel_gemm_blocking(&gemm_variants[v].ops, &c, (enum kernel_dtype)in, &b);
                check(&b, &c);
                assert_int_equal(b.nr, unknown.nr); /* or packed weights would not fit */
                assert_int_equal(b.numbers, unknown.numbers);
            }
        }
}

/* Zen 3: the numbers in gemm_avx2.c. */
static void test_known(void **state) {
    (void)state;
    const struct kernel_caches c = {32 << 10, 512 << 10, 32 << 20};
    struct kernel_blocking b = {.mr = 6, .nr = 16, .lanes = 8, .numbers = 1, .b_stationary = true};
    blocking_choose(&b, &c);
    assert_int_equal(b.kc, 512);
    assert_int_equal(b.mc, 96);
    assert_int_equal(b.nc_long, 3072);
    assert_int_equal(b.nc_short, 1024);
    char text[1024];
    const int length = kernel_blocking_explain(&b, &c, text, sizeof text);
    assert_int_equal(length, (int)strlen(text));
    assert_non_null(strstr(text, "KC 512 words"));
    assert_non_null(strstr(text, "16 x 512 x 4 B = 32.0 KiB of 32 KiB L1"));
    assert_non_null(strstr(text, "96 x 512 x 4 B = 192 KiB of A"));
    assert_true(kernel_blocking_explain(&b, NULL, text, 8) > 8);
    assert_int_equal(strlen(text), 7);
}

static void test_scratch(void **state) {
    (void)state;
    for (int v = 0; v < gemm_variant_count; v++) {
        struct kernel_blocking b;
        kernel_gemm_blocking(&gemm_variants[v].ops, NULL, KERNEL_F32, &b);
        const int64_t words = (b.nc_long + b.nc_short) * b.kc + b.nc_long * b.nc_short;
        assert_true((int64_t)kernel_scratch_bytes(1, 1, 1) >= 4 * words);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_caches), cmocka_unit_test(test_known),
                                       cmocka_unit_test(test_scratch)};
    return cmocka_run_group_tests(tests, gemm_setup, NULL);
}
