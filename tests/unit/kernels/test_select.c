/* SPDX-License-Identifier: Apache-2.0
 * check: emulated
 *
 * The choice of variants: TOISE_ISA caps it, an unknown value is reported, and tables are complete and correctly
 * named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels.h"
#include "unit/support/lacking.h"

static void test_cap(void **state) {
    (void)state;
    unsetenv("TOISE_ISA");
    const enum kernel_isa best = kernel_isa_best();
    enum kernel_isa highest = KERNEL_ISA_HIGHEST;
    while (!kernel_isa_usable(highest)) highest = kernel_isa_base(highest);
    /* the default is the highest, unless its dot is slower than what it replaces */
    assert_true(best == highest || (highest == KERNEL_ISA_avx512bf16 && best == KERNEL_ISA_avx512));
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) { /* but by name any is chosen */
        setenv("TOISE_ISA", kernel_isa_name((enum kernel_isa)isa), 1);
        const enum kernel_isa capped = kernel_isa_best();
        assert_true(kernel_isa_usable(capped) && kernel_isa_within(capped, (enum kernel_isa)isa));
        for (int other = 0; other < KERNEL_ISA_COUNT; other++) /* nothing between them could run */
            if (kernel_isa_within((enum kernel_isa)other, (enum kernel_isa)isa) && other > (int)capped)
                assert_false(kernel_isa_usable((enum kernel_isa)other));
    }
    setenv("TOISE_ISA", "", 1);
    assert_int_equal(kernel_isa_best(), best);
    static const char *const wrong[] = {"avx1024", "AVX2", "avx", "ref ", "openblas"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("TOISE_ISA", wrong[i], 1);
        assert_int_equal(kernel_isa_best(), KERNEL_ISA_COUNT);
    }
    unsetenv("TOISE_ISA");
}

static void test_usable(void **state) {
    (void)state;
    assert_true(kernel_isa_usable(KERNEL_ISA_ref));
    assert_false(kernel_isa_usable(KERNEL_ISA_COUNT));
    for (int isa = 1; isa < KERNEL_ISA_COUNT; isa++) /* a set is never usable without the one that it builds on */
        assert_true(!kernel_isa_usable((enum kernel_isa)isa) ||
                    kernel_isa_usable(kernel_isa_base((enum kernel_isa)isa)));
}

/* The sets of each architecture are a chain that ends in ref. */
static void test_within(void **state) {
    (void)state;
    static const bool within[KERNEL_ISA_COUNT][KERNEL_ISA_COUNT] = {
        [KERNEL_ISA_ref] = {true, true, true, true, true},
        [KERNEL_ISA_neon] = {[KERNEL_ISA_neon] = true},
        [KERNEL_ISA_avx2] = {[KERNEL_ISA_avx2] = true, [KERNEL_ISA_avx512] = true, [KERNEL_ISA_avx512bf16] = true},
        [KERNEL_ISA_avx512] = {[KERNEL_ISA_avx512] = true, [KERNEL_ISA_avx512bf16] = true},
        [KERNEL_ISA_avx512bf16] = {[KERNEL_ISA_avx512bf16] = true},
    };
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        assert_true(kernel_isa_base((enum kernel_isa)isa) < (enum kernel_isa)isa || isa == KERNEL_ISA_ref);
        for (int cap = 0; cap < KERNEL_ISA_COUNT; cap++)
            assert_int_equal(kernel_isa_within((enum kernel_isa)isa, (enum kernel_isa)cap), within[isa][cap]);
    }
    assert_int_equal(kernel_isa_base(KERNEL_ISA_ref), KERNEL_ISA_ref);
    assert_false(kernel_isa_within(KERNEL_ISA_COUNT, KERNEL_ISA_HIGHEST));
    assert_false(kernel_isa_within(KERNEL_ISA_ref, KERNEL_ISA_COUNT));
    assert_false(kernel_isa_within(KERNEL_ISA_COUNT, KERNEL_ISA_COUNT));
}

static void test_table(void **state) {
    (void)state;
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        const char *name = kernel_isa_name((enum kernel_isa)isa);
        if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
        struct kernel_ops ops = {0};
        kernel_select(&ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
#define K(op, set) assert_non_null(ops.op);
#include "list.h"
#undef K
        const char *rows = isa == KERNEL_ISA_avx512bf16 ? "avx512" : name; /* its operations on rows need no BF16 dot */
        assert_string_equal(kernel_variant(&ops, "gemm"), name);
        assert_string_equal(kernel_variant(&ops, "peak"), name);
        assert_string_equal(kernel_variant(&ops, "adamw"), rows);
        assert_string_equal(kernel_variant(&ops, "attention_backward"), name);
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            assert_int_equal(kernel_attention_weights(&ops, (enum kernel_dtype)dtype),
                             isa == KERNEL_ISA_avx512bf16 ? dtype : KERNEL_F32);
        assert_int_equal(kernel_bf16_native(&ops), isa == KERNEL_ISA_avx512bf16);
        kernel_select(&ops, (enum kernel_isa)isa, KERNEL_BACKEND_OPENBLAS);
        assert_string_equal(kernel_variant(&ops, "gemm"), "openblas");
        assert_null(ops.cblas);
        assert_string_equal(kernel_variant(&ops, "adamw"), rows);
        assert_int_equal(kernel_bf16_native(&ops), isa == KERNEL_ISA_avx512bf16);
    }
}

static void test_variant_unknown(void **state) {
    (void)state;
    struct kernel_ops ops = {0};
    assert_null(kernel_variant(&ops, "gemm"));
    kernel_select(&ops, KERNEL_ISA_ref, KERNEL_BACKEND_TOISE);
    assert_null(kernel_variant(&ops, "no such operation"));
    ops.gemm = NULL;
    assert_null(kernel_variant(&ops, "gemm"));
    assert_string_equal(kernel_isa_name(KERNEL_ISA_COUNT), "unknown");
}

/* The loops end and count their operations: multiply and add, two rounds of each sum, in each lane. A dot has two
 * products. */
static void test_peak(void **state) {
    (void)state;
    static const double flop[KERNEL_ISA_COUNT][KERNEL_DTYPE_COUNT] = {
        {2 * 2 * 8 * 4, 2 * 2 * 8 * 4},         /* ref: 8 sums of 4 lanes */
        {2 * 2 * 24 * 4, 2 * 2 * 24 * 4},       /* neon: 24 of 4 */
        {2 * 2 * 12 * 8, 2 * 2 * 12 * 8},       /* avx2: 12 of 8 */
        {2 * 2 * 24 * 16, 2 * 2 * 24 * 16},     /* avx512: 24 of 16 */
        {2 * 2 * 24 * 16, 2 * 2 * 24 * 16 * 2}, /* avx512bf16: and dots of pairs */
    };
    static const double tile[KERNEL_ISA_COUNT][KERNEL_DTYPE_COUNT] = {
        {2 * 2 * 8 * 4, 2 * 2 * 8 * 4},           /* ref: it has no tile */
        {2 * 64 * 6 * 16, 2 * 64 * 6 * 16},       /* neon, and avx2: 64 words of 6 x 16 */
        {2 * 64 * 6 * 16, 2 * 64 * 6 * 16},       /* */
        {2 * 64 * 14 * 32, 2 * 64 * 14 * 32},     /* avx512: of 14 x 32 */
        {2 * 64 * 14 * 32, 2 * 64 * 14 * 32 * 2}, /* avx512bf16 */
    };
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
        struct kernel_ops ops;
        kernel_select(&ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
            assert_true(ops.peak((enum kernel_dtype)dtype, 1000) == 1000 * flop[isa][dtype]);
            assert_true(ops.peak((enum kernel_dtype)dtype, 2000) == 2000 * flop[isa][dtype]);
            assert_true(ops.tile_peak((enum kernel_dtype)dtype, 10) == 10 * tile[isa][dtype]);
            assert_true(ops.tile_peak((enum kernel_dtype)dtype, 11) == 11 * tile[isa][dtype]);
        }
    }
}

/* All three passes, on sizes with and without a rest. Sums of whole numbers are exact, and vanish after two passes. */
static void test_stream(void **state) {
    (void)state;
    enum { MOST = 300 };
    float x[MOST], y[MOST], z[MOST + 1];
    for (int i = 0; i < MOST; i++) x[i] = (float)(i % 37), y[i] = (float)(2 * i);
    for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
        if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
        struct kernel_ops ops;
        kernel_select(&ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
        for (int n = 0; n <= MOST; n += n < 4 ? 1 : 37) {
            double sum = 0;
            for (int i = 0; i < n; i++) sum += x[i];
            assert_true(ops.stream(KERNEL_STREAM_READ, n, 5, x, NULL, NULL) == sum);
            assert_true(ops.stream(KERNEL_STREAM_READ, n, 4, x, NULL, NULL) == 0);
            for (int kind = KERNEL_STREAM_COPY; kind <= KERNEL_STREAM_TRIAD; kind++) {
                for (int i = 0; i <= MOST; i++) z[i] = -1;
                assert_true(ops.stream((enum kernel_stream)kind, n, 2, x, y, z) == 0);
                for (int i = 0; i < n; i++) assert_true(z[i] == x[i] + (kind == KERNEL_STREAM_TRIAD ? (float)i : 0));
                assert_true(z[n] == -1);
            }
        }
    }
}

static void test_scratch(void **state) {
    (void)state;
    assert_true(kernel_scratch_bytes(1, 1, 1) > 0);
    assert_true(kernel_scratch_bytes(64, 4096, 128) >= kernel_scratch_bytes(1, 256, 64));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap),    cmocka_unit_test(test_usable),          cmocka_unit_test(test_table),
        cmocka_unit_test(test_peak),   cmocka_unit_test(test_variant_unknown), cmocka_unit_test(test_scratch),
        cmocka_unit_test(test_stream), cmocka_unit_test(test_within),
    };
    lacking_report();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
