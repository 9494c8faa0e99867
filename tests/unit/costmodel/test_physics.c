/* SPDX-License-Identifier: Apache-2.0
 *
 * What must hold for any projection, whatever was fitted. Faster parts never make training slower. More accelerators
 * never give fewer tokens/s. Sharding takes less memory. Intervals contain their point. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "projection/record.h"
#include "records/get.h"
#include "unit/support/projections.h"

static struct machine cluster;

static int set_up(void **state) {
    const int code = projections_open(state);
    cluster = projections_machine("cluster");
    return code;
}

static int tear_down(void **state) {
    machine_close(&cluster);
    return projections_close(state);
}

/* BLOOM's batch on 512 accelerators of the cluster, with a free layout. */
static struct projection_question question(void) {
    struct projection_question q;
    projection_question_default(&projections_bloom, &q);
    q.accelerators = 512;
    q.seq = 2048, q.global_batch = 2048;
    q.choice.schedule = PLAN_1F1B;
    return q;
}

/* The projection with one fact of the cluster set; key NULL: none. *m receives the changed machine. */
static struct projection with(struct machine *m, const struct projection_question *q, const char *key,
                              const char *value) {
    struct base_error e = {0};
    *m = cluster;
    if (key && machine_set(m, key, value, &e)) fail_msg("%s", e.text);
    return projections_make(m, q);
}

static void faster_parts(void **state) {
    (void)state;
    static const struct {
        const char *key, *values[4]; /* slowest first */
    } rows[] = {
        {"node.rail_bytes_per_s", {"5e9", "25e9", "50e9", "100e9"}},
        {"node.scale_up_bytes_per_s", {"50e9", "150e9", "450e9", "900e9"}},
        {"accelerator.memory_bytes_per_s", {"1e12", "2e12", "3.35e12", "8e12"}},
        {"accelerator.peak_flop_per_s.bf16", {"3e14", "6e14", "989e12", "2e15"}},
        {"accelerator.memory_bytes", {"40e9", "64e9", "80e9", "141e9"}},
    };
    const struct projection_question q = question();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int k = 0; k < 3; k++) {
            struct machine slow, fast;
            const struct projection a = with(&slow, &q, rows[i].key, rows[i].values[k]);
            const struct projection b = with(&fast, &q, rows[i].key, rows[i].values[k + 1]);
            assert_true(a.fits && b.fits);
            if (!(b.step.total < a.step.total))
                fail_msg("%s: %g s at %s, %g s at %s", rows[i].key, a.step.total, rows[i].values[k], b.step.total,
                         rows[i].values[k + 1]);
        }
}

static void more_accelerators(void **state) {
    (void)state;
    struct projection_question q = question();
    double before = 0;
    for (q.accelerators = 64; q.accelerators <= 512; q.accelerators *= 2) {
        struct machine m;
        const struct projection p = with(&m, &q, NULL, NULL);
        const double rate = projection_rates(&p).tokens_per_s;
        assert_true(p.fits);
        assert_true(rate > before && rate < (before > 0 ? 2.1 * before : rate + 1)); /* at most 5% above proportional */
        before = rate;
    }
}

/* Tensor parallel ranks across nodes use the rails. The rails are slow here, because those of two full H100 nodes are
 * as fast as the links inside. With twice the tensor ranks, a rank has twice the layers. */
static void beyond_the_node(void **state) {
    (void)state;
    struct projection_question q = question();
    struct machine m;
    q.choice = projections_layout(8, 8, 1);
    const struct projection inside = with(&m, &q, "node.rail_bytes_per_s", "12.5e9");
    q.choice.tp = 16, q.choice.pp = 4;
    const struct projection across = with(&m, &q, "node.rail_bytes_per_s", "12.5e9");
    assert_true(across.step.tensor_parallel > 2 * 2 * inside.step.tensor_parallel);
    assert_true(across.step.total > inside.step.total);
}

static void memory_shared_out(void **state) {
    (void)state;
    struct projection_question q = question();
    struct machine m;
    q.choice = projections_layout(8, 1, 1);
    double before = INFINITY;
    for (q.choice.zero = 0; q.choice.zero <= 3; q.choice.zero++) {
        const double needed = with(&m, &q, NULL, NULL).memory_needed;
        assert_true(needed < before);
        before = needed;
    }
    q.choice.zero = 1;
    for (q.choice.micro_batch = 1, before = 0; q.choice.micro_batch <= 8; q.choice.micro_batch *= 2) {
        const double needed = with(&m, &q, NULL, NULL).memory_needed;
        assert_true(needed > before);
        before = needed;
    }
    q.choice.micro_batch = 1, q.choice.recompute = PLAN_RECOMPUTE_NONE;
    const double kept = with(&m, &q, NULL, NULL).memory_needed;
    q.choice.recompute = PLAN_RECOMPUTE_FULL;
    assert_true(with(&m, &q, NULL, NULL).memory_needed < kept);
}

/* An interval contains its point. A fact with a range makes the interval wider on both sides. */
static void intervals(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"node.rail_bytes_per_s", "50e9", "25e9..75e9"},
        {"node.scale_up_bytes_per_s", "450e9", "300e9..600e9"},
        {"accelerator.memory_bytes_per_s", "3.35e12", "2.7e12..4e12"},
        {"accelerator.peak_flop_per_s.bf16", "989e12", "789e12..1189e12"},
    };
    struct projection_question q = question();
    q.choice = projections_layout(8, 8, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct machine m;
        const struct projection point = with(&m, &q, rows[i][0], rows[i][1]);
        const struct projection range = with(&m, &q, rows[i][0], rows[i][2]);
        assert_true(point.low_s < point.step.total && point.step.total < point.high_s);
        assert_true(range.low_s < range.step.total && range.step.total < range.high_s);
        if (!(range.low_s < point.low_s && range.high_s > point.high_s))
            fail_msg("%s: [%g, %g] s of a point, [%g, %g] s of a range", rows[i][0], point.low_s, point.high_s,
                     range.low_s, range.high_s);
    }
}

/* The ratio of two machines lies inside its interval. That interval is wider than each machine's own. Swapping the
 * machines gives the inverse. */
static void ratios(void **state) {
    (void)state;
    const struct projection_question q = question();
    struct projection_outcome a = {.has_cost = false}, b = {.has_cost = false};
    json_t *there = json_object(), *back = json_object();
    a.projection = with(&a.machine, &q, NULL, NULL);
    b.projection = with(&b.machine, &q, "node.rail_bytes_per_s", "10e9..25e9");
    projection_record_against(there, &a, &b), projection_record_against(back, &b, &a);
    const json_t *x = json_object_get(there, "against"), *y = json_object_get(back, "against");
    const double ratio = record_real(x, "ratio"), low = record_real(x, "low"), high = record_real(x, "high");
    assert_float_equal(ratio, a.projection.step.total / b.projection.step.total, 1e-12);
    assert_true(low < ratio && ratio < high && ratio < 1);
    assert_true(high / low > a.projection.high_s / a.projection.low_s);
    assert_true(high / low > b.projection.high_s / b.projection.low_s);
    assert_float_equal(record_real(y, "ratio") * ratio, 1, 1e-12);
    assert_float_equal(record_real(y, "low") * high, 1, 1e-12);
    json_decref(there), json_decref(back);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faster_parts),      cmocka_unit_test(more_accelerators), cmocka_unit_test(beyond_the_node),
        cmocka_unit_test(memory_shared_out), cmocka_unit_test(intervals),         cmocka_unit_test(ratios),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
