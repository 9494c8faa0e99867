/* SPDX-License-Identifier: Apache-2.0
 *
 * The hidden share, the table of operations against literals, and lines fitted to made times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/random.h"
#include "collectives/collectives.h"
#include "collectives/fit.h"
#include "collectives/record.h"

/* The hidden share of an all-reduce of 10 ms +- 1 with this cost. */
static struct collectives_size hiding(double cost, double low, double high, double confidence) {
    struct collectives_size s = {.timed.call = {0.010, 0.009, 0.011, 0.95}, .cost = {cost, low, high, confidence}};
    collectives_hidden(&s);
    return s;
}

static void hidden_is_never_below_zero(void **state) {
    (void)state;
    struct collectives_size s = hiding(0.004, 0.003, 0.005, 0.96);
    assert_float_equal(s.hidden, 0.6, 1e-12);
    assert_float_equal(s.hidden_low, 1 - 5.0 / 9, 1e-12);
    assert_float_equal(s.hidden_high, 1 - 3.0 / 11, 1e-12);
    s = hiding(-0.001, -0.003, 0.002, 0.96); /* all of it, within noise */
    assert_true(s.hidden == 1 && s.hidden_high == 1);
    assert_float_equal(s.hidden_low, 1 - 2.0 / 9, 1e-12);
    s = hiding(0.012, 0.008, 0.013, 0.96); /* significant at -20% */
    assert_true(isnan(s.hidden) && s.hidden_low == 0);
    assert_float_equal(s.hidden_high, 1 - 8.0 / 11, 1e-12);
    s = hiding(0.020, 0.018, 0.022, 0.96); /* it costs more with compute than alone */
    assert_true(s.hidden == 0 && s.hidden_low == 0 && s.hidden_high == 0);
    s = hiding(0.004, 0.003, 0.005, 0.75); /* too few pairs */
    assert_true(isnan(s.hidden) && isnan(s.hidden_low) && isnan(s.hidden_high));
}

/* nccl-tests: doc/PERFORMANCE.md, and src/sendrecv.cu for messages. 8 ranks, a buffer of 8 GB in 2 s. */
static void busbw_is_that_of_nccl_tests(void **state) {
    (void)state;
    static const double factor[COLLECTIVES_OPS] = {1.75, 0.875, 0.875, 1, 0.875, 1, 1};
    for (int k = 0; k < COLLECTIVES_OPS; k++) {
        assert_float_equal(collectives_busbw(&collectives_ops[k], 8e9, 2, 8), factor[k] * 4e9, 1);
        assert_string_equal(collectives_op_name(k), collectives_ops[k].name);
    }
    assert_null(collectives_op_name(COLLECTIVES_OPS));
    assert_float_equal(collectives_busbw(&collectives_ops[COLLECTIVES_ALL_REDUCE], 8e9, 2, 2), 4e9, 1);
}

static void blocks_have_whole_floats(void **state) {
    (void)state;
    const struct collectives_op *gather = &collectives_ops[COLLECTIVES_ALL_GATHER];
    assert_int_equal(collectives_op_bytes(gather, 64, 3), 60);
    assert_int_equal(collectives_op_bytes(gather, 12, 3), 12);
    assert_int_equal(collectives_op_bytes(gather, 8, 3), 0);
    assert_int_equal(collectives_op_bytes(&collectives_ops[COLLECTIVES_BROADCAST], 8, 3), 8);
    assert_int_equal(collectives_op_bytes(&collectives_ops[COLLECTIVES_P2P], 4, 1000), 4);
}

/* Three protocols: alpha, bandwidth, and the largest size of each. */
static const struct {
    double alpha, bandwidth, most;
} protocols[] = {{1e-6, 2e9, 4096}, {5e-6, 6e9, 1 << 18}, {20e-6, 12e9, INFINITY}};

/* Times of `count` of them from 8 bytes to 64 MiB, with this relative noise. Returns the number of sizes. */
static int make(struct collectives_point *p, int count, double noise, uint64_t seed) {
    float z[32];
    int n = 0;
    base_random_normal(seed, BASE_STREAM_TEST, 0, 32, z);
    for (double bytes = 8; bytes <= 64 << 20; bytes *= 2, n++) {
        int k = 0;
        while (k < count - 1 && bytes > protocols[k].most) k++;
        const double exact = protocols[k].alpha + bytes / protocols[k].bandwidth;
        p[n] = (struct collectives_point){bytes, exact * (1 + noise * (double)z[n]), noise / 3};
    }
    return n;
}

static bool covers(const struct collectives_line *line, double x) {
    return line->low <= x && x <= line->high && line->low <= line->value && line->value <= line->high;
}

/* Exact times give exact lines. */
static void protocols_are_told_apart(void **state) {
    (void)state;
    struct collectives_point p[32];
    struct collectives_fit fit;
    for (int count = 1; count <= 3; count++) {
        collectives_fit(p, make(p, count, 0, 1), &fit);
        assert_int_equal(fit.ranges, count);
        assert_true(fit.misfit < 1e-9);
        for (int k = 0; k < count; k++) {
            assert_float_equal(fit.range[k].alpha.value, protocols[k].alpha, 1e-10);
            assert_float_equal(fit.range[k].bandwidth.value / protocols[k].bandwidth, 1, 1e-9);
        }
        assert_true(fit.range[0].from == 8 && fit.range[count - 1].to == 64 << 20);
        if (count == 3) assert_true(fit.range[0].to == 4096 && fit.range[1].from == 8192 && fit.range[1].to == 1 << 18);
    }
}

/* Of 300 noisy series each: how often the number of protocols is found, and how often the intervals then hold. */
static void noise_is_not_a_protocol(void **state) {
    (void)state;
    enum { SEEDS = 300 };
    for (int count = 1; count <= 3; count++) {
        int right = 0, alpha = 0, bandwidth = 0;
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct collectives_point p[32];
            struct collectives_fit fit;
            collectives_fit(p, make(p, count, 0.02, seed), &fit);
            if (fit.ranges != count) continue;
            right++;
            alpha += covers(&fit.range[0].alpha, protocols[0].alpha);
            bandwidth += covers(&fit.range[count - 1].bandwidth, protocols[count - 1].bandwidth);
        }
        assert_in_range(right, 0.88 * SEEDS, SEEDS);
        assert_in_range(alpha, 0.9 * right, right);
        assert_in_range(bandwidth, 0.9 * right, right);
    }
}

static void few_sizes_have_no_line(void **state) {
    (void)state;
    struct collectives_point p[32];
    struct collectives_fit fit;
    make(p, 1, 0.02, 1);
    collectives_fit(p, 3, &fit);
    assert_int_equal(fit.ranges, 0);
    collectives_fit(p, 4, &fit); /* 8 to 64 bytes: alpha, but no bandwidth within noise */
    assert_int_equal(fit.ranges, 1);
    assert_true(fit.range[0].alpha.value > 0.9e-6 && fit.range[0].alpha.value < 1.1e-6);
    assert_true(fit.range[0].bandwidth.low > 0 && isinf(fit.range[0].bandwidth.high));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hidden_is_never_below_zero), cmocka_unit_test(busbw_is_that_of_nccl_tests),
        cmocka_unit_test(blocks_have_whole_floats),   cmocka_unit_test(protocols_are_told_apart),
        cmocka_unit_test(noise_is_not_a_protocol),    cmocka_unit_test(few_sizes_have_no_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
