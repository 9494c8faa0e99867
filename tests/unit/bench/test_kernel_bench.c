/* SPDX-License-Identifier: Apache-2.0
 * check: timeout 300
 *
 * The measuring of `toise kernels`: a wrong kernel has no rate, whatever is wrong; a right one is within the roof.
 * Sizes and bytes are worked out by hand, and verdicts are tried on made-up samples. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/kernel_record.h"
#include "unit/support/rig.h"

static struct bench_kernels bench;
static struct measure_placement placement;

static int setup(void **state) {
    (void)state;
    struct comm world;
    struct kernel_caches caches = {.l1 = 1 << 15, .l2 = 1 << 18, .l3 = 1 << 20};
    comm_serial(&world);
    if (measure_place(&placement, &world, 2, NULL)) return 1;
    measure_place_pin(&placement, MEASURE_BIND_CORE);
    return bench_kernels_open(&bench, &placement, &caches, kernel_scratch_bytes(2, 64, 64), NULL);
}
static int teardown(void **state) {
    (void)state;
    bench_kernels_close(&bench);
    return 0;
}

/* A small case of every operation. */
static struct bench_kernel_case case_of(const struct bench_kernel_op *op, enum kernel_dtype dtype) {
    static const struct bench_kernel_shape shapes[] = {
        [BENCH_SHAPE_MATMUL] = {.m = 65, .n = 33, .k = 70, .b_trans = true},
        [BENCH_SHAPE_ATTENTION] = {.batch = 2, .heads = 4, .kv_heads = 2, .seq = 40, .head_dim = 16, .alibi = true},
        [BENCH_SHAPE_ROWS] =
            {.rows = 37, .cols = 96, .seq = 37, .head_dim = 16, .table = 50, .positions = 37, .bias = true},
        [BENCH_SHAPE_VECTOR] = {.n = 5000}};
    return (struct bench_kernel_case){.op = op, .dtype = dtype, .shape = shapes[op->kind]};
}

static const struct bench_kernel_options quick = {.seconds = 0.01, .width = 1, .seed = 3};

/* The table under test: the best one, with the operation's outputs damaged after every call. */
static struct {
    const struct kernel_ops *healthy;
    enum { NEGATED, ONE_ELEMENT, NOT_WRITTEN, FAULTS } fault;
} spoil;

static float *output_of(const struct bench_kernel_case *c, void *const *x, int i) {
    return bench_element_bytes(c, c->op->operands[i].type) == 4 ? x[i] : NULL;
}

/* The operation with another call, which is wrong unless the team is the reference's. */
static void spoilt_call(const struct kernel_team *team, const struct bench_kernel_case *c, void *const *x) {
    const struct bench_kernel_case right = {.op = bench_kernel_op(c->op->name), .dtype = c->dtype, .shape = c->shape};
    if (team->ops != spoil.healthy || spoil.fault != NOT_WRITTEN) right.op->call(team, &right, x);
    if (team->ops != spoil.healthy) return;
    for (int i = 0; i < BENCH_OPERANDS; i++) {
        float *out = x[i] && c->op->operands[i].use & BENCH_WRITE ? output_of(c, x, i) : NULL;
        const int64_t n = bench_extent(c, c->op->operands[i].extent);
        for (int64_t k = 0; out && spoil.fault == NEGATED && k < n; k++) out[k] = 1 - out[k];
        if (out && spoil.fault == ONE_ELEMENT) out[n / 2] += 1;
    }
}

static void wrong_kernels_have_no_rate(void **state) {
    (void)state;
    struct bench_kernel_variant v = {.name = "spoilt", .ops = bench.best};
    const size_t pool = bench.pool;
    bench.pool = 1; /* one copy: nothing is timed */
    spoil.healthy = &v.ops;
    for (int k = 0; k < bench_kernel_op_count; k++) {
        struct bench_kernel_op op = bench_kernel_ops[k];
        const bool f64 = !strcmp(op.name, "square_sum"), bf16 = !(op.dtypes & 1 << KERNEL_F32);
        if (op.kind < BENCH_SHAPE_ROWS || f64 || bf16) continue; /* matmul and attention are below */
        op.call = spoilt_call;
        const struct bench_kernel_case c = case_of(&op, KERNEL_F32);
        for (int fault = 0; fault < FAULTS; fault++) {
            struct bench_kernel_set set;
            spoil.fault = fault;
            assert_int_equal(bench_kernel_measure(&bench, &c, &v, 1, &quick, &set, NULL), BASE_OK);
            if (set.results[0].status != RECORD_FAILED) fail_msg("%s: fault %d passed", op.name, fault);
            assert_true(set.results[0].residual > 10 * CHECK_THRESHOLD);
            assert_int_equal(set.results[0].timed.samples.count, 0);
            const struct record_launch launch = {.id = "x", .job = "x", .nodes = 1};
            struct bench_kernel_origin origin = {.launch = {&launch, 1, 2, "--threads", json_null()}};
            json_t *record = bench_kernel_record(&set, 0, &origin), *result = json_object_get(record, "result");
            assert_string_equal(json_string_value(json_object_get(record, "status")), "FAILED");
            assert_null(json_object_get(result, "flop_per_s"));
            assert_null(json_object_get(result, "byte_per_s"));
            assert_null(json_object_get(result, "call_s"));
            assert_null(json_object_get(result, "fraction_of_roof"));
            assert_int_equal(json_object_size(json_object_get(record, "samples")), 0);
            json_decref(record);
            bench_kernel_set_close(&set);
        }
    }
    bench.pool = pool;
}

static void gemm_wrong(const struct kernel_team *team, const struct kernel_gemm *g) {
    bench.best.gemm(team, g);
    if (g->out == KERNEL_F32)
        ((float *)g->c)[g->n + 1] += 1;
    else
        ((kernel_bf16 *)g->c)[g->n + 1] ^= 0x8000;
}
static void attention_wrong(const struct kernel_team *team, const struct kernel_attention *a) {
    struct kernel_attention other = *a;
    other.scale *= 1.5f;
    (a->dq ? bench.best.attention_backward : bench.best.attention_forward)(team, &other);
}

static void wrong_matmul_and_attention_fail(void **state) {
    (void)state;
    struct bench_kernel_variant v = {.name = "wrong", .ops = bench.best};
    v.ops.gemm = gemm_wrong;
    v.ops.attention_forward = v.ops.attention_backward = attention_wrong;
    for (int k = 0; k < bench_kernel_op_count; k++)
        for (int t = 0; t < KERNEL_DTYPE_COUNT && bench_kernel_ops[k].kind < BENCH_SHAPE_ROWS; t++) {
            struct bench_kernel_case c = case_of(&bench_kernel_ops[k], (enum kernel_dtype)t);
            struct bench_kernel_set set;
            assert_int_equal(bench_kernel_measure(&bench, &c, &v, 1, &quick, &set, NULL), BASE_OK);
            if (set.results[0].status != RECORD_FAILED)
                fail_msg("%s: residual %g", c.op->name, set.results[0].residual);
            bench_kernel_set_close(&set);
        }
}

/* Every operation, dtype and instruction set is right, far from the threshold, and never above the roof. */
static void right_kernels_are_within_the_roof(void **state) {
    (void)state;
    for (int k = 0; k < bench_kernel_op_count; k++)
        for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
            const struct bench_kernel_case c = case_of(&bench_kernel_ops[k], (enum kernel_dtype)t);
            struct bench_kernel_variant v[KERNEL_ISA_COUNT];
            struct bench_kernel_set set;
            int count = 0;
            if (!(c.op->dtypes >> t & 1)) continue;
            for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++) {
                if (!kernel_isa_usable((enum kernel_isa)isa)) continue;
                snprintf(v[count].name, sizeof v[count].name, "%s", kernel_isa_name((enum kernel_isa)isa));
                v[count].packed = false;
                kernel_select(&v[count++].ops, (enum kernel_isa)isa, KERNEL_BACKEND_TOISE);
            }
            assert_int_equal(bench_kernel_measure(&bench, &c, v, count, &quick, &set, NULL), BASE_OK);
            for (int i = 0; i < set.count; i++) {
                const struct bench_kernel_result *r = &set.results[i];
                if (r->status == RECORD_FAILED || r->residual > CHECK_THRESHOLD / 4 ||
                    !(r->fraction > 0 && r->fraction <= 1))
                    fail_msg("%s %s: status %d, residual %g, fraction %g: %s", c.op->name, r->variant, r->status,
                             r->residual, r->fraction, r->why);
                assert_true(r->timed.samples.count >= 1 && r->timed.calls >= 1);
            }
            bench_kernel_set_close(&set);
        }
}

static void spoil_packed(const struct kernel_team *team, const struct kernel_gemm *g, void *packed) {
    bench.best.gemm_pack(team, g, packed);
    ((float *)packed)[0] += 100;
}

/* B packed ahead passes the same check, and wrong packing fails it. */
static void packed_weights(void **state) {
    (void)state;
    for (int t = 0; t < KERNEL_DTYPE_COUNT; t++) {
        const struct bench_kernel_case c = case_of(bench_kernel_op("gemm"), (enum kernel_dtype)t);
        struct bench_kernel_variant v[2] = {{.name = "packed", .packed = true, .ops = bench.best},
                                            {.name = "spoilt", .packed = true, .ops = bench.best}};
        struct bench_kernel_set set;
        v[1].ops.gemm_pack = spoil_packed;
        assert_int_equal(bench_kernel_measure(&bench, &c, v, 2, &quick, &set, NULL), BASE_OK);
        assert_true(set.results[0].residual < CHECK_THRESHOLD / 4 && set.results[0].fraction > 0);
        assert_int_equal(set.results[1].status, RECORD_FAILED);
        bench_kernel_set_close(&set);
    }
}

static void accumulating_matmul_is_checked(void **state) {
    (void)state;
    struct bench_kernel_case c = {.op = bench_kernel_op("gemm"), .dtype = KERNEL_BF16};
    c.shape =
        (struct bench_kernel_shape){.m = 40, .n = 48, .k = 64, .a_trans = true, .c_f32 = true, .accumulate = true};
    const struct bench_kernel_variant v = {.name = "best", .ops = bench.best};
    struct bench_kernel_set set;
    assert_int_equal(bench_kernel_measure(&bench, &c, &v, 1, &quick, &set, NULL), BASE_OK);
    assert_true(set.results[0].residual < CHECK_THRESHOLD / 4);
    bench_kernel_set_close(&set);
}

/* Bytes and FLOP worked out by hand. */
static void sizes_by_hand(void **state) {
    (void)state;
    struct bench_kernel_case c = {.op = bench_kernel_op("gemm"), .dtype = KERNEL_BF16};
    c.shape = (struct bench_kernel_shape){.m = 10, .n = 20, .k = 30, .b_trans = true};
    assert_true(bench_kernel_flop(&c) == 12000);
    assert_true(bench_kernel_bytes(&c) == 2 * (300 + 600 + 200));
    c.shape.c_f32 = c.shape.accumulate = true;
    assert_true(bench_kernel_bytes(&c) == 2 * (300 + 600) + 4 * 2 * 200);
    c = (struct bench_kernel_case){.op = bench_kernel_op("attention_backward"), .dtype = KERNEL_F32};
    c.shape = (struct bench_kernel_shape){.batch = 1, .heads = 4, .kv_heads = 2, .seq = 8, .head_dim = 16};
    assert_true(bench_kernel_flop(&c) == 4 * 4 * 2 * 32.0 * 16);
    assert_true(bench_kernel_bytes(&c) == 4 * (2 * 8 * 8 * 16 + 2 * 8 * 4 * 16 + 8 * 4)); /* qkv, dqkv; o, do; lse */
    c = (struct bench_kernel_case){.op = bench_kernel_op("adamw"), .dtype = KERNEL_BF16, .shape = {.n = 100}};
    assert_true(bench_kernel_flop(&c) == 0);
    assert_true(bench_kernel_bytes(&c) == 100 * (3 * 8 + 4 + 2));
    c.dtype = KERNEL_F32;
    assert_true(bench_kernel_bytes(&c) == 100 * (3 * 8 + 4));
    c = (struct bench_kernel_case){.op = bench_kernel_op("embedding_forward"), .dtype = KERNEL_F32};
    c.shape = (struct bench_kernel_shape){.rows = 10, .cols = 8, .table = 1000, .seq = 5, .positions = 5};
    assert_true(bench_kernel_bytes(&c) == 4 * (10 + 10 * 8 + 5 * 8 + 10 * 8)); /* tokens, their rows, positions, x */
}

/* Samples of one call of `seconds` each, against roofs of 100 GFLOP/s and 10 GB/s. */
static struct bench_kernel_set judged(double seconds, double spread, int count, double flop, double bytes) {
    struct bench_kernel_set set = {.flop = flop, .bytes = bytes, .peak = 100e9, .bandwidth = 10e9, .count = 1};
    struct bench_kernel_result *r = &set.results[0];
    const struct bench_kernel_options o = {.seconds = 1, .width = 0.1};
    r->variant = "avx2";
    r->timed.calls = 1;
    assert_int_equal(measure_samples_open(&r->timed.samples, 32, 0, NULL, NULL), BASE_OK);
    for (int i = 0; i < count; i++)
        measure_samples_add(&r->timed.samples, i, seconds * (1 + spread * (i % 2)), NULL, NULL, 0);
    r->timed.call = base_stats_median(r->timed.samples.seconds, count, MEASURE_CONFIDENCE);
    bench_kernel_verdict(&set, &o);
    return set;
}

static void verdicts(void **state) {
    (void)state;
    struct bench_kernel_set set = judged(0.02, 0, 10, 1e9, 1e6); /* 10 ms at best */
    assert_int_equal(set.results[0].status, RECORD_PASSED);
    assert_int_equal(set.bound, BENCH_BOUND_COMPUTE);
    assert_true(fabs(set.results[0].fraction - 0.5) < 1e-12);
    bench_kernel_set_close(&set);
    set = judged(0.4, 0, 10, 1e9, 2e9); /* half a FLOP per byte: 200 ms of memory */
    assert_int_equal(set.bound, BENCH_BOUND_MEMORY);
    assert_true(fabs(set.results[0].fraction - 0.5) < 1e-12);
    bench_kernel_set_close(&set);
    set = judged(0.009, 0, 10, 1e9, 1e6);
    assert_int_equal(set.results[0].status, RECORD_FAILED);
    assert_non_null(strstr(set.results[0].why, "1.111 of the measured roof"));
    set.results[0].loaded = true; /* a library may use instructions that the roof does not */
    bench_kernel_verdict(&set, &(struct bench_kernel_options){.seconds = 1, .width = 0.1});
    assert_int_equal(set.results[0].status, RECORD_PASSED);
    set.results[0].loaded = false;
    /* ten windows of five periods: no burst is a ninth of that, but 1% may be one */
    set.quota_period_s = 0.1;
    bench_kernel_verdict(&set, &(struct bench_kernel_options){.seconds = 1, .width = 0.1});
    assert_int_equal(set.results[0].status, RECORD_FAILED);
    set.results[0].timed.call = (struct base_interval){0.0099, 0.0099, 0.0099, MEASURE_CONFIDENCE};
    bench_kernel_verdict(&set, &(struct bench_kernel_options){.seconds = 1, .width = 0.1});
    assert_int_equal(set.results[0].status, RECORD_INCONCLUSIVE);
    assert_non_null(strstr(set.results[0].why, "a burst of the CPU quota"));
    bench_kernel_set_close(&set);
    set = judged(0.02, 1, 10, 1e9, 1e6);
    assert_int_equal(set.results[0].status, RECORD_INCONCLUSIVE);
    bench_kernel_set_close(&set);
    set = judged(0.02, 0, 5, 1e9, 1e6);
    assert_int_equal(set.results[0].status, RECORD_INCONCLUSIVE);
    assert_non_null(strstr(set.results[0].why, "too few"));
    bench_kernel_set_close(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_by_hand),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(right_kernels_are_within_the_roof),
        cmocka_unit_test(packed_weights),
        cmocka_unit_test(accumulating_matmul_is_checked),
        cmocka_unit_test(wrong_kernels_have_no_rate),
        cmocka_unit_test(wrong_matmul_and_attention_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
