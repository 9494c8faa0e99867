/* SPDX-License-Identifier: Apache-2.0
 *
 * Steps predicted from a machine's own records. Tests cover sums worked out by hand, rates at timed and other shapes,
 * kriging, drift, contention, all-reduces and their overlap. Missing records are named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "projection/kriging.h"
#include "unit/support/measured_machine.h"

static void constant_rates_add_up(void **state) {
    (void)state;
    struct plan plan;
    struct plan_ledger l;
    plain();
    plan_of(&plan, 256, 4, 4, 1);
    l = plan.ledger;
    const struct projection_measured r = priced(&plan);
    /* 759.0 and 14.5 GFLOP, passes by their bytes, and 32 bytes for each of 1,024 tokens, which the ledger lacks */
    near(r.step_s, l.matmul_flop / FAST + l.attention_flop / SLOW + (l.pass_bytes + 32 * 1024) / MEMORY);
    const struct projection_priced *sums = line(&r, "cross-entropy forward", "bytes"),
                                   *gradient = line(&r, "cross-entropy gradient", "bytes");
    near(sums->count * sums->call_s, 1024 * 50257 * 4.0 / MEMORY);
    near(gradient->count * gradient->call_s, 1024 * 50257 * 8.0 / MEMORY);
    near(r.phase_s[PLAN_PHASE_HEAD], 6 * 1024 * 50257 * 768.0 / FAST + 1024 * 50257 * 12.0 / MEMORY);
    near(r.phase_s[PLAN_PHASE_UPDATE], 28 * 124439808.0 / MEMORY);
    near(r.phase_s[PLAN_PHASE_ZERO], 4 * 124439808.0 / MEMORY);
    double phases = 0;
    for (int i = 0; i < PLAN_PHASES; i++) phases += r.phase_s[i];
    near(phases, r.step_s);
    near(r.compute_s, r.step_s);
    assert_true(r.low_s < r.step_s && r.step_s < r.high_s && !r.interpolated);
    near(r.low_s * r.high_s, r.step_s * r.step_s);
}

static void passes_by_their_kernels(void **state) {
    (void)state;
    struct plan plan;
    plain();
    point("adamw", "", 1000, 1, 1, 1, 1e-6);
    point("adamw", "", 4000000, 1, 1, 1, 8e-3); /* the longest counts: 2 ns an element */
    point("norm_forward", "", 1024, 768, 1, 1, 3e-4);
    point("column_sum", "", 1024, 2304, 1, 1, 2e-4);
    point("cross_entropy_stats", "", 512, 50257, 1, 1, 5e-3);
    plan_of(&plan, 256, 4, 8, 1); /* two micro-batches */
    const struct projection_measured r = priced(&plan);
    near(line(&r, "AdamW", "adamw")->call_s, 124439808 * 2e-9);
    near(line(&r, "norm forward", "norm_forward")->call_s, 3e-4);
    near(line(&r, "norm forward", "norm_forward")->count, 2 * 25);
    near(line(&r, "bias gradients", "column_sum")->call_s, 2e-4);
    near(line(&r, "bias gradients", "column_sum")->count, 2 * 12 * (2304 + 768 + 768 + 3072) / 2304.0);
    near(line(&r, "cross-entropy forward", "cross_entropy_stats")->call_s, 5e-3);
    near(line(&r, "cross-entropy forward", "cross_entropy_stats")->count, 2 * 2);
    assert_int_equal(line(&r, "cross-entropy forward", "cross_entropy_stats")->basis, PROJECTION_TIMED);
    /* Two of the norm's three passes were not timed. One reads x and dy. The other also reads the residual's gradient
     * and writes dx. */
    near(line(&r, "norm grad-weight", "bytes")->call_s, 2 * 1024 * 768 * 4 / MEMORY);
    near(line(&r, "norm grad-input", "bytes")->call_s, 4 * 1024 * 768 * 4 / MEMORY);
}

static void timed_shapes_keep_their_time(void **state) {
    (void)state;
    struct plan plan;
    struct plan_ledger l;
    plan_of(&plan, 256, 4, 4, 1);
    l = plan.ledger;
    for (int i = 0; i < l.count; i++) {
        const struct plan_op *o = &l.ops[i];
        const char trans[3] = {o->a_trans ? 'T' : 'N', o->b_trans ? 'T' : 'N', 0};
        if (o->kind == PLAN_GEMM) point("gemm", trans, o->m, o->n, o->k, 1, 0.01 * (i + 1))->spread = 0.02;
    }
    plain();
    const struct projection_measured r = priced(&plan);
    int seen = 0;
    for (int i = 0; i < l.count; i++) {
        if (l.ops[i].kind != PLAN_GEMM) continue;
        near(r.ops[i].call_s, 0.01 * (i + 1));
        assert_int_equal(r.ops[i].basis, PROJECTION_TIMED);
        assert_true(r.ops[i].sd == 0.01); /* half of the 95% half-width */
        seen++;
    }
    assert_int_equal(seen, 15);
}

static void kriging(void **state) {
    (void)state;
    double x[4][PROJECTION_AXES] = {{0}, {1}, {2}, {4}}, y[4] = {1, 1.2, 1.1, 1.4}, wide[4];
    struct projection_estimate at, between, far, twice;
    struct base_error e;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(projection_krige(x, y, 4, x[i], 9, &at, &e), BASE_OK);
        assert_true(at.value == y[i] && at.sd == 0);
    }
    double last = 0;
    for (double off = 0.5; off < 8; off += 0.5) { /* sd grows with distance */
        const double q[PROJECTION_AXES] = {4 + off};
        assert_int_equal(projection_krige(x, y, 4, q, 9, &at, &e), BASE_OK);
        assert_true(at.sd > last || (off > 4 && at.sd >= last * (1 - 1e-12)));
        last = at.sd;
    }
    const double q[PROJECTION_AXES] = {3}, away[PROJECTION_AXES] = {100}, aside[PROJECTION_AXES] = {101, -50};
    assert_int_equal(projection_krige(x, y, 4, q, 9, &between, &e), BASE_OK);
    assert_true(between.value > 1.1 && between.value < 1.5 && between.sd > 0 && between.sd < last);
    assert_int_equal(projection_krige(x, y, 4, away, 9, &far, &e), BASE_OK);
    assert_int_equal(projection_krige(x, y, 4, aside, 9, &at, &e), BASE_OK);
    assert_true(far.value == at.value && far.sd == at.sd); /* the mean, with the largest sd */
    for (int i = 0; i < 4; i++) wide[i] = 1 + 2 * (y[i] - 1);
    assert_int_equal(projection_krige(x, wide, 4, q, 9, &twice, &e), BASE_OK);
    near(twice.sd, 2 * between.sd);
    near(twice.value - 1, 2 * (between.value - 1));
    const double middle[PROJECTION_AXES] = {0.5};
    assert_int_equal(projection_krige(x, y, 2, middle, 9, &at, &e), BASE_OK);
    near(at.value, 1.1); /* by symmetry */
    assert_true(at.sd == 9);
    assert_int_equal(projection_krige(x, y, 1, middle, 9, &at, &e), BASE_OK);
    assert_true(at.value == 1 && at.sd == 9);
    memcpy(x[1], x[0], sizeof x[0]);
    (void)projection_krige(x, y, 4, middle, 9, &at, &e); /* equal points are the caller's bug, but must not crash */
}

/* The sd comes from leave-one-out residuals, here worked out by hand. */
static void sd_from_points_left_out(void **state) {
    (void)state;
    double x[5][PROJECTION_AXES] = {{0}, {20}, {40}, {60}, {80}}, y[5] = {1, 3, 2, 5, 4}, squares = 0;
    const double q[PROJECTION_AXES] = {1000};
    struct projection_estimate at;
    struct base_error e;
    for (int i = 0; i < 5; i++) { /* far apart, so the estimate at a point left out is the others' mean */
        const double others = (15 - y[i]) / 4;
        squares += (y[i] - others) * (y[i] - others) / (1 + 1.0 / 4);
    }
    assert_int_equal(projection_krige(x, y, 5, q, 9, &at, &e), BASE_OK);
    near(at.value, 3);
    near(at.sd, sqrt(squares / 5 * (1 + 1.0 / 5)));
}

static void sd_grows_with_distance(void **state) {
    (void)state;
    struct plan plan;
    plain();
    for (int i = 0; i < 4; i++) /* 64, 128, 256, 512 tokens: rates that rise */
        for (int t = 0; t < 3; t++) {
            static const char *const trans[] = {"NN", "NT", "TN"};
            const int64_t m = 64 << i;
            point("gemm", trans[t], m, 768, 768, 1, plan_gemm_flop(m, 768, 768) / (FAST * (1 + 0.1 * i)));
        }
    double last = 0;
    for (int64_t seq = 512; seq <= 1024; seq += 256) {
        plan_of(&plan, seq, 1, 1, 1);
        const struct projection_measured r = priced(&plan);
        const struct projection_priced *p = line(&r, "projection forward", "gemm");
        assert_int_equal(p->basis, seq == 512 ? PROJECTION_TIMED : PROJECTION_BEYOND);
        assert_true(seq == 512 ? p->sd == 0 : p->sd > last);
        last = p->sd;
    }
    plan_of(&plan, 384, 1, 1, 1);
    const struct projection_measured r = priced(&plan);
    const struct projection_priced *p = line(&r, "projection forward", "gemm");
    assert_int_equal(p->basis, PROJECTION_BETWEEN);
    const double rate = plan_gemm_flop(384, 768, 768) / p->call_s;
    assert_true(rate > 1.2 * FAST && rate < 1.3 * FAST && p->sd > 0 && p->sd < last);
}

/* Times every shape in `count` launches. They take exp(-apart) and exp(apart) of its time by turns; a single one takes
 * exactly that time. */
static void launches(int count, double apart) {
    for (int i = 0; i < machine.point_count; i++) {
        points[i].repeat_count = count;
        for (int r = 0; r < count; r++)
            points[i].repeats[r] = points[i].call_s * exp(count == 1 ? 0 : r % 2 ? apart : -apart);
    }
}

/* Student's quantiles from a table: 2.353, 2.132 and 1.796 for 3, 4 and 11 degrees of freedom. 1.645 drift is
 * t sqrt((3 x 0.06^2 + count x apart^2) / freedom x (1 + 1 / count)). */
static void drift_of_the_machine(void **state) {
    (void)state;
    static const struct {
        int count;
        double apart, drift;
    } rows[] = {{1, 0, 0.12137}, {2, 0.1, 0.13930}, {9, 0, 0.03606}};
    struct plan plan;
    plain();
    plan_of(&plan, 256, 4, 4, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        launches(rows[i].count, rows[i].apart);
        const double drift = priced(&plan).drift;
        if (fabs(drift / rows[i].drift - 1) > 0.003) fail_msg("%d launches: %g", rows[i].count, drift);
    }
    /* log peaks of -0.4, 0, 0, 0, 0.4 have sd sqrt(0.32 / 4). It counts for matmuls and attention, not for passes. */
    points[0].peak_flop_per_s *= exp(-0.4);
    points[4].peak_flop_per_s *= exp(0.4);
    const struct projection_measured r = priced(&plan);
    const double dense = r.by_kind_s[PROJECTION_MATMULS] + r.by_kind_s[PROJECTION_ATTENTIONS];
    near(r.drift, sqrt(0.08) * dense / r.step_s);
    near(r.peak_flop_per_s, 2 * FAST);
}

static void ranks_slow_each_other(void **state) {
    (void)state;
    struct plan plan;
    plain();
    struct machine_point *norm = point("norm_forward", "", 512, 768, 1, 1, 1e-3);
    norm->bytes = 1e-3 * 0.95 * MEMORY; /* 95% of the memory bandwidth, but only 80% is left */
    message(2, 1e6, 1e-3, 0), message(2, 1e9, 1, 0);
    plan_of(&plan, 256, 2, 4, 2);
    const struct projection_measured alone = priced(&plan);
    contentions[machine.contention_count++] = (struct machine_contention){2, 1, 1, 0.9, 0.8};
    contentions[machine.contention_count++] = (struct machine_contention){4, 1, 1, 0.5, 0.5}; /* other ranks */
    const struct projection_measured r = priced(&plan);
    near(line(&r, "qkv forward", "gemm")->call_s, line(&alone, "qkv forward", "gemm")->call_s / 0.9);
    near(line(&r, "norm forward", "norm_forward")->call_s, 1e-3 * 0.95 / 0.8);
    near(line(&r, "AdamW", "bytes")->call_s, line(&alone, "AdamW", "bytes")->call_s / 0.8);
    norm->bytes /= 2; /* half the bandwidth: memory is no longer the limit */
    const struct projection_measured half = priced(&plan);
    near(line(&half, "norm forward", "norm_forward")->call_s, 1e-3 / 0.9);
}

static void all_reduce_by_alpha_and_beta(void **state) {
    (void)state;
    struct projection_message_price p;
    struct base_error e = {0};
    for (double bytes = 16384; bytes < 1e9; bytes *= 4) message(2, bytes, ring(2, bytes), 0.25);
    assert_int_equal(projection_measured_message(&machine, 2, 1, 3e6, &p, &e), BASE_OK);
    near(p.seconds, ring(2, 3e6));
    assert_true(p.sd < 1e-6 && p.hidden == 0.25 && !p.extrapolated);
    assert_int_equal(projection_measured_message(&machine, 2, 1, 8e9, &p, &e), BASE_OK);
    near(p.seconds, ring(2, 8e9));
    assert_true(p.extrapolated);
    assert_int_equal(projection_measured_message(&machine, 8, 1, 3e6, &p, &e), BASE_OK);
    near(p.seconds, ring(8, 3e6));
    assert_true(p.extrapolated);
    /* A size that takes longer keeps its time. It slows sizes near it, and raises their sd. */
    message(2, 5e6, 2 * ring(2, 5e6), NAN);
    assert_int_equal(projection_measured_message(&machine, 2, 1, 5e6, &p, &e), BASE_OK);
    near(p.seconds, 2 * ring(2, 5e6));
    assert_int_equal(projection_measured_message(&machine, 2, 1, 6e6, &p, &e), BASE_OK);
    assert_true(p.seconds > 1.2 * ring(2, 6e6) && p.sd > 0);
    assert_int_equal(projection_measured_message(&machine, 2, 2, 1e6, &p, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "m.jsonl: "));
    assert_non_null(strstr(e.text, "toise comm --threads 2"));
}

/* gpt2-124m sends six messages of two layers' 14,175,744 gradients, the first with the final norm's 1,536 too. If the
 * token table's 38,597,376 go before them, the positions' 786,432 and the rows of 1,024 tokens follow; else one message
 * of the embedding's 39,383,808. */
static void backward_hides_all_reduces(void **state) {
    (void)state;
    struct plan plan;
    struct projection_overlap o;
    struct base_error e = {0};
    const double first = ring(2, 4.0 * 14177280), two = ring(2, 4.0 * 14175744), last = ring(2, 4.0 * 39383808);
    const double hidden = 0.25, all = first + 5 * two;
    for (double bytes = 16384; bytes < 1e9; bytes *= 4) message(2, bytes, ring(2, bytes), hidden);
    plan_of(&plan, 256, 2, 4, 2);
    assert_true(plan.rows_apart);
    assert_int_equal(projection_measured_overlap(&machine, &plan, &(struct projection_passes){1, 0.1, 0, 0}, &o, &e),
                     BASE_OK);
    const double table = ring(2, 4 * 38597376.0), positions = ring(2, 4 * 786432.0);
    const double rows = ring(2, 1024 * 4 / 2) + ring(2, 1024 * 768 * 4 / 2); /* a gather carries half as much */
    near(o.message_s, table + all + positions + rows);
    near(o.cost_s, (1 - hidden) * (table + all));
    near(o.exposed_s, positions + rows);
    assert_false(o.extrapolated); /* the tokens' 2 KiB are below what was timed, but take no time */
    struct plan_request together = plan.request;
    together.rows = PLAN_ROWS_TOGETHER;
    assert_int_equal(plan_make(&plan, &together, &e), BASE_OK);
    assert_int_equal(projection_measured_overlap(&machine, &plan, &(struct projection_passes){1, 0.1, 0, 0}, &o, &e),
                     BASE_OK);
    near(o.message_s, all + last);
    near(o.cost_s, (1 - hidden) * all);
    near(o.exposed_s, last);
    assert_false(o.extrapolated);
    assert_int_equal(projection_measured_overlap(&machine, &plan, &(struct projection_passes){0, 0, 0, 0}, &o, &e),
                     BASE_OK); /* no backward to overlap */
    assert_true(o.cost_s == 0);
    near(o.exposed_s, all + last);
    /* The sixth is ready when the layers end. It overlaps only the embedding's backward, and delays the last. */
    const double short_s = two / 4;
    assert_int_equal(
        projection_measured_overlap(&machine, &plan, &(struct projection_passes){1, short_s, 0, 0}, &o, &e), BASE_OK);
    const double cost = (1 - hidden) * (first + 4 * two + short_s);
    near(o.cost_s, cost);
    near(o.exposed_s, two + last - short_s - (1 - hidden) * short_s);
    const struct projection_measured r = (plain(), priced(&plan));
    near(r.phase_s[PLAN_PHASE_COMMUNICATION], r.exposed_s);
    near(r.step_s, r.compute_s + r.cost_s + r.exposed_s);
}

static void missing_is_named(void **state) {
    (void)state;
    struct plan plan;
    struct projection_measured r;
    struct base_error e = {0};
    plain();
    plan_of(&plan, 256, 4, 4, 1);
    plan.request.threads = 2;
    assert_int_equal(projection_measured_price(&machine, &plan, &r, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "m.jsonl: no gemm in fp32 was timed with 2 threads (but with 1)"));
    assert_non_null(strstr(e.text, "toise kernels --model "));
    assert_non_null(strstr(e.text, " --seq 256 --mbs 4 --threads 2 --out m.jsonl"));
    struct plan_request half = plan.request;
    half.threads = 1;
    half.dtype = KERNEL_BF16;
    assert_int_equal(plan_make(&plan, &half, &e), BASE_OK);
    assert_int_equal(projection_measured_price(&machine, &plan, &r, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "in bf16 was timed with 1 thread;"));
    machine.point_count--; /* attention_backward */
    plan_of(&plan, 256, 4, 4, 1);
    assert_int_equal(projection_measured_price(&machine, &plan, &r, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "no attention_backward in fp32"));
    machine.point_count++;
    plan_of(&plan, 256, 2, 4, 2);
    assert_int_equal(projection_measured_price(&machine, &plan, &r, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "mpirun -n 2 toise comm --threads 1 --out m.jsonl"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(constant_rates_add_up, empty),
        cmocka_unit_test_setup(passes_by_their_kernels, empty),
        cmocka_unit_test_setup(timed_shapes_keep_their_time, empty),
        cmocka_unit_test_setup(kriging, empty),
        cmocka_unit_test_setup(sd_from_points_left_out, empty),
        cmocka_unit_test_setup(sd_grows_with_distance, empty),
        cmocka_unit_test_setup(drift_of_the_machine, empty),
        cmocka_unit_test_setup(ranks_slow_each_other, empty),
        cmocka_unit_test_setup(all_reduce_by_alpha_and_beta, empty),
        cmocka_unit_test_setup(backward_hides_all_reduces, empty),
        cmocka_unit_test_setup(missing_is_named, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
