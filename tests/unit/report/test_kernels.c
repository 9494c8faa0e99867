/* SPDX-License-Identifier: Apache-2.0
 *
 * The cases that a model's step gives, what they need, and what `toise kernels` says of all its records together. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/kernel_cases.h"
#include "bench/kernel_record.h"
#include "plan/plan.h"
#include "report/report.h"
#include "unit/support/rig.h"

/* The ledger's matmuls and attention, and each operation on rows that the family has, once. */
static void cases_of_a_plan(void **state) {
    (void)state;
    const struct model_config config = rig_config(12, 768, 12, 50257, 1024);
    const struct plan_request request = rig_request(&config, KERNEL_F32, 256, 4, 1);
    struct bench_kernel_cases list = {0};
    struct plan plan;
    int gemm = 0, attention = 0, swiglu = 0, gelu = 0;
    assert_int_equal(plan_make(&plan, &request, NULL), BASE_OK);
    assert_int_equal(bench_kernel_cases_plan(&list, &plan, NULL), BASE_OK);
    for (int i = 0; i < list.count; i++) {
        gemm += !strcmp(list.at[i].op->name, "gemm");
        attention += list.at[i].op->kind == BENCH_SHAPE_ATTENTION;
        swiglu += strstr(list.at[i].op->name, "swiglu") != NULL;
        gelu += strstr(list.at[i].op->name, "gelu") != NULL;
    }
    assert_int_equal(gemm, 15);
    assert_int_equal(attention, 2);
    assert_int_equal(swiglu, 0);
    assert_int_equal(gelu, 2);
    assert_string_equal(list.at[0].name, "qkv forward");
    assert_true(list.at[0].shape.m == 1024 && list.at[0].shape.n == 2304 && list.at[0].shape.k == 768);
    const int before = list.count;
    assert_int_equal(bench_kernel_cases_plan(&list, &plan, NULL), BASE_OK); /* nothing twice */
    assert_int_equal(list.count, before);
    bench_kernel_cases_close(&list);
}

/* Called as often as the cases say, they do the FLOP of the step: also where one shape serves in two places, as the
 * square projection of the attention does both ways in a model whose FFN is as wide as itself. */
static void calls_of_a_step(void **state) {
    (void)state;
    for (int square = 0; square < 2; square++) {
        struct model_config config = rig_config(3, 64, 4, 389, 64);
        if (square) config.ffn = config.width;
        config.parameters = model_params_count(&config);
        struct plan_request request = rig_request(&config, KERNEL_BF16, 37, 2, 1);
        struct bench_kernel_cases list = {0};
        struct plan plan;
        double flop = 0;
        int matmuls = 0;
        request.head_rows = 23; /* 74 rows: three chunks and a rest */
        assert_int_equal(plan_make(&plan, &request, NULL), BASE_OK);
        assert_int_equal(bench_kernel_cases_plan(&list, &plan, NULL), BASE_OK);
        for (int i = 0; i < list.count; i++) {
            flop += list.at[i].per_step * bench_kernel_flop(&list.at[i]);
            matmuls += list.at[i].op->kind == BENCH_SHAPE_MATMUL;
        }
        assert_true(flop == plan.ledger.model_flop);
        assert_int_equal(matmuls, square ? 12 : 18);
        json_t *qkv = bench_kernel_case_json(&list.at[0]), *vector = bench_kernel_case_json(&list.at[list.count - 1]);
        assert_true(json_number_value(json_object_get(qkv, "calls_per_step")) == 3);
        assert_null(json_object_get(vector, "calls_per_step"));
        json_decref(qkv), json_decref(vector);
        bench_kernel_cases_close(&list);
    }
}

/* What a case is said to need holds its operands, the roofs' and the scratch of all threads. */
static void memory_of_a_case(void **state) {
    (void)state;
    const struct kernel_caches caches = {.l1 = 1 << 15, .l2 = 1 << 19, .l3 = 1 << 25};
    const struct bench_kernel_case c = {
        .op = bench_kernel_op("attention_forward"),
        .shape = {.batch = 1, .heads = 1, .kv_heads = 1, .seq = 1 << 20, .head_dim = 256},
    };
    for (int threads = 1; threads <= 64; threads *= 8) {
        const size_t scratch = kernel_scratch_bytes(threads, 1 << 20, 256);
        assert_true(bench_kernel_scratch(&c, threads) == scratch);
        assert_true(bench_kernel_need(&c, &caches, threads) >= (double)scratch + bench_kernel_bytes(&c));
        assert_true(bench_kernel_need(&c, &caches, threads) < (double)scratch + 2 * bench_kernel_bytes(&c) + 1e9);
    }
}

/* A point at `fraction` of its roof that takes call_s seconds a call; FLOP < 0: a pass over memory. */
static void add_point(json_t *records, const char *shape, double flop, double fraction, double call_s,
                      double per_step) {
    json_t *r = json_pack("{s:s, s:s, s:s, s:s}", "op", "gemm", "shape", shape, "dtype", "f32", "variant", "avx2");
    if (flop >= 0) json_object_set_new(r, "flop", json_real(flop));
    if (per_step > 0) json_object_set_new(r, "calls_per_step", json_real(per_step));
    if (!isnan(fraction)) {
        json_object_set_new(r, "fraction_of_roof", json_real(fraction));
        json_object_set_new(r, "call_s", json_real(call_s));
    }
    json_array_append_new(records, json_pack("{s:s, s:s, s:o}", "kind", "kernel", "status", "PASSED", "result", r));
}

/* The page's last part, for the caller to free. */
static char *page_of(json_t *records) {
    char *text = NULL;
    size_t size;
    FILE *page = open_memstream(&text, &size);
    assert_non_null(page);
    report_kernels_end(page, records);
    fclose(page);
    json_decref(records);
    return text;
}

static void holds(const char *page, const char *words) {
    if (!strstr(page, words)) fail_msg("no \"%s\" in: %s", words, page);
}

/* Two matmuls at 0.9 and 0.4 of the peak: 0.6 in geometric mean. One second of the first and nine of the second are
 * 0.9 + 3.6 seconds' worth of FLOP, whether that is one call or what nine calls take. A pass is none of their matter,
 * nor is what has no rate. */
static void means(void **state) {
    (void)state;
    for (int step = 0; step < 2; step++) {
        json_t *records = json_array();
        add_point(records, "quick", 0.9, 0.9, step ? 0.1 : 1, step ? 10 : 0);
        add_point(records, "slow", 3.6, 0.4, step ? 3 : 9, step ? 3 : 0);
        add_point(records, "wrong", 1, NAN, NAN, step ? 3 : 0);
        add_point(records, "pass", -1, 0.7, 2, 0);
        char *page = page_of(records);
        holds(page, "geometric mean    by time   worst\n");
        holds(page,
              "matmul, attention      f32   avx2               2            60.0%      45.0%   40.0% gemm slow\n");
        holds(page,
              "passes over memory     f32   avx2               1            70.0%      70.0%   70.0% gemm pass\n");
        holds(page, step ? "each shape once, matmuls and attention as often as a step calls them\n"
                         : "over measured time, each shape once\n");
        free(page);
    }
}

/* Each roof stands once with its highest value, and a pass names its own. */
static void roofs_have_names(void **state) {
    (void)state;
    static const char *const roof[] = {"measured f32 peak, avx2, 2 threads", "measured copy bandwidth",
                                       "measured f32 peak, avx2, 2 threads"};
    json_t *records = json_array();
    for (int i = 0; i < 3; i++)
        json_array_append_new(records, json_pack("{s:{s:s, s:s, s:f, s:f}}", "result", "fraction_of", roof[i], "bound",
                                                 i == 1 ? "memory" : "compute", "peak_flop_per_s", 2e9 + 1e9 * i,
                                                 "bandwidth_byte_per_s", 7e9));
    char *page = page_of(records);
    holds(page,
          "      4.00 GFLOP/s   measured f32 peak, avx2, 2 threads\n      7.00 GB/s      measured copy bandwidth\n");
    free(page);
}

/* A rate is a lower bound where the machine has a unit that is not used. */
static void lower_bounds(void **state) {
    (void)state;
    for (int amx = 0; amx < 2; amx++) {
        json_t *machine = json_pack("{s:s?}", "unused_matrix_unit", amx ? "AMX" : NULL), *result = json_object();
        record_set_lower_bound(result, machine);
        assert_int_equal(json_is_true(json_object_get(result, "lower_bound")), amx);
        char *text = NULL;
        size_t size;
        FILE *page = open_memstream(&text, &size);
        assert_non_null(page);
        report_kernels_head(page, machine, 2, "--threads");
        fclose(page);
        assert_int_equal(strstr(text, "\nlower bound: this CPU's AMX is not used\n") != NULL, amx);
        free(text), json_decref(machine), json_decref(result);
    }
}

/* The library of --backend as the page names it, and that it may use what toise does not. */
static void library_is_named(void **state) {
    (void)state;
    json_t *machine = json_pack("{s:s, s:{s:s, s:s, s:n, s:n, s:n, s:s, s:i, s:n, s:n}}", "unused_matrix_unit", "AMX",
                                "blas", "path", "/x.so", "name", "MKL", "version", "core", "bf16", "text", "",
                                "threads", 4, "threads_held_by", "threads_used");
    char *text = NULL;
    size_t size;
    FILE *page = open_memstream(&text, &size);
    assert_true(page && machine);
    report_kernels_head(page, machine, 2, "--threads");
    fflush(page);
    assert_non_null(
        strstr(text, "\nblas        MKL, /x.so\n            matmuls in FP32, while those in BF16 are toise's own; "
                     "4 threads asked for, not counted, which nothing holds\n"));
    assert_non_null(strstr(text, "AMX is not used by toise, but perhaps by the library\n"));
    fclose(page);
    free(text), json_decref(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library_is_named), cmocka_unit_test(cases_of_a_plan), cmocka_unit_test(calls_of_a_step),
        cmocka_unit_test(memory_of_a_case), cmocka_unit_test(means),           cmocka_unit_test(roofs_have_names),
        cmocka_unit_test(lower_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
