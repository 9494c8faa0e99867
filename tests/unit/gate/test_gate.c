/* SPDX-License-Identifier: Apache-2.0
 * check: timeout 600
 *
 * The gate on one rank, for every family. Over its seeds healthy code stays under a quarter of the threshold, and each
 * injected fault exceeds it tenfold. Prints the worst healthy and the least faulty residual, to show the margins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gate/gate.h"
#include "unit/support/config_json.h"
#include "unit/support/effort.h"
#include "unit/support/faults.h"
#include "unit/support/rig.h"

enum { SEEDS = 20, SOME = 6, FEW = 3, SEQ = 64, MICRO = 4, THREADS = 2 };
static const double FAULTY = CHECK_THRESHOLD * 10;

/* What healthy code stays under. In BF16 gradients of queries and keys cancel where attention is saturated: over 100
 * seeds the mean of the worst tensor is 1.8 and the most 5.2 with Mistral, 2.6 and 8.2 with Mixtral, 2.6 and 6.6 with
 * GLM; over 300 Mistral has 10.0 once. */
static double healthy_most(enum kernel_dtype dtype) {
    return CHECK_THRESHOLD * (dtype == KERNEL_F32 ? 0.25 : 0.75);
}

static const char *precision(int dtype) {
    return dtype == KERNEL_F32 ? "fp32" : "bf16";
}

/* The subject: part 1 (the shrunken model) or part 2 (the timed sizes, ordinary weights). */
struct subject {
    const char *family;
    bool full;
    enum kernel_dtype dtype;
};

/* The plan to be timed: tiny-gpt2, tiny-bloom and so on. */
static struct plan_request timed(const char *family, enum kernel_dtype dtype) {
    char name[32];
    snprintf(name, sizeof name, "tiny-%s", family);
    const struct model_config c = config_json_accepted(config_json_preset(name));
    struct plan_request q = rig_request(&c, dtype, SEQ, MICRO, 2);
    q.threads = THREADS;
    return q;
}

/* Runs the gate with a fault, or FAULT_COUNT for none. */
static struct gate gate_of(struct subject s, enum kernel_isa cap, enum fault fault, uint64_t seed) {
    struct rig r;
    struct gate gate;
    struct kernel_ops faulty;
    struct base_error e = {0};
    const struct plan_request q = timed(s.family, s.dtype), small = gate_shrink(&q);
    gate_clear(&gate);
    rig_open(&r, s.full ? &q : &small, cap, KERNEL_BACKEND_TOISE, seed);
    if (fault != FAULT_COUNT) {
        fault_make(fault, &r.ops, &faulty);
        r.engine.team.ops = &faulty;
    }
    if (s.full) parallel_start(&r.engine, seed, false);
    if (s.full ? gate_full(&gate, &r.engine, r.source, &e) : gate_path_on(&gate, &r.engine, seed, &e))
        fail_msg("%s", e.text);
    rig_close(&r);
    return gate;
}

/* The worst of a gate's checks; NaN if none ran. */
static int worst_of(const struct gate *gate) {
    int worst = 0;
    for (int i = 1; i < CHECK_COUNT; i++)
        if (!(gate->residual[i] <= gate->residual[worst]) && !isnan(gate->residual[i])) worst = i;
    return worst;
}

static void healthy(struct subject s, enum kernel_isa isa, int seeds, int least_checks) {
    struct gate worst;
    gate_clear(&worst);
    for (int seed = 1; seed <= seeds; seed++) {
        const struct gate gate = gate_of(s, isa, FAULT_COUNT, (uint64_t)seed);
        assert_true(gate_passed(&gate));
        for (int i = 0; i < CHECK_COUNT; i++)
            if (!isnan(gate.residual[i])) gate_note(&worst, (enum check)i, gate.residual[i], gate.where[i]);
    }
    int checks = 0;
    printf("healthy %s %s %s, %d seeds:", s.family, precision(s.dtype), kernel_isa_name(isa), seeds);
    for (int i = 0; i < CHECK_COUNT; i++) {
        if (isnan(worst.residual[i])) continue;
        printf(" %s %.3g", check_name((enum check)i), worst.residual[i]);
        checks++;
    }
    printf(" (under %g)\n", healthy_most(s.dtype));
    assert_true(checks >= least_checks);
    assert_true(worst.residual[worst_of(&worst)] < healthy_most(s.dtype));
}

/* Shared experts may be wider than all else: the sanitizer sees whether the gate's vectors have room for them. */
static void test_wide_shared_experts(void **state) {
    (void)state;
    struct model_config c = config_json_accepted(config_json_preset("tiny-glm4_moe"));
    struct gate gate;
    struct rig r;
    struct base_error e = {0};
    c.shared = 16;
    c.parameters = model_params_count(&c);
    const struct plan_request q = rig_request(&c, KERNEL_F32, 16, 1, 2);
    gate_clear(&gate);
    rig_open(&r, &q, kernel_isa_best(), KERNEL_BACKEND_TOISE, 1);
    if (gate_full(&gate, &r.engine, r.source, &e)) fail_msg("%s", e.text);
    rig_close(&r);
    assert_true(gate_passed(&gate) && !isnan(gate.residual[CHECK_MATMUL]));
}

/* Under sanitizers one seed shows as much as all, and each fault in one family as much as in every one. */
static int healthy_seeds(void) {
    return SANITIZED ? 1 : effort_full() ? SEEDS : SOME;
}
static int fault_seeds(void) {
    return effort_full() ? FEW : 1;
}

/* The best instruction set over the seeds, lower ones over a few. */
static void healthy_everywhere(bool full, int least_checks) {
    const int seeds = healthy_seeds();
    if (seeds < SEEDS)
        printf("SKIP: healthy code on %d more seeds: only with CHECK_FULL set, without sanitizers\n", SEEDS - seeds);
    for (int f = 0; f < RIG_FAMILIES; f++)
        for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
            for (int isa = 0; isa < KERNEL_ISA_COUNT; isa++)
                if (kernel_isa_usable((enum kernel_isa)isa))
                    healthy((struct subject){rig_families[f], full, (enum kernel_dtype)dtype}, (enum kernel_isa)isa,
                            isa == (int)kernel_isa_best() || seeds < FEW ? seeds : FEW, least_checks);
}

/* The least residual of a fault so far, and which fault. */
struct least {
    double residual;
    char what[200];
};

/* Each time some check exceeds the threshold tenfold. */
static void fault_fails(struct subject s, enum fault fault, struct least *least) {
    for (int seed = 1; seed <= fault_seeds(); seed++) {
        const struct gate gate = gate_of(s, kernel_isa_best(), fault, (uint64_t)seed);
        const int i = worst_of(&gate);
        if (!(gate.residual[i] > FAULTY))
            fail_msg("%s, %s, %s, seed %d: only %.3g (%s)", fault_name(fault), s.family, precision(s.dtype), seed,
                     gate.residual[i], check_name((enum check)i));
        assert_false(gate_passed(&gate));
        if (gate.residual[i] >= least->residual) continue;
        least->residual = gate.residual[i];
        snprintf(least->what, sizeof least->what, "%s, %s, by %s of %s", fault_name(fault), precision(s.dtype),
                 check_name((enum check)i), gate.where[i]);
    }
}

/* Every fault of a range that each family can have. Each must have been tried once. */
static void faults_fail(bool full, int first, int last) {
    bool tried[FAULT_COUNT] = {false};
    if (fault_seeds() < FEW) printf("SKIP: the gate's faults on %d more seeds: only with CHECK_FULL set\n", FEW - 1);
    if (SANITIZED) printf("SKIP: the gate's faults in every family that can have them: under sanitizers one\n");
    for (int f = 0; f < RIG_FAMILIES; f++) {
        const struct model_config c = timed(rig_families[f], KERNEL_F32).config;
        struct least least = {.residual = INFINITY};
        for (int fault = first; fault < last; fault++) {
            if (SANITIZED && tried[fault]) continue;
            if (!fault_possible((enum fault)fault, &c)) {
                printf("  %s cannot have: %s\n", rig_families[f], fault_name((enum fault)fault));
                continue;
            }
            for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++)
                fault_fails((struct subject){rig_families[f], full, (enum kernel_dtype)dtype}, (enum fault)fault,
                            &least);
            tried[fault] = true;
        }
        printf("%s: least faulty residual %.4g (over %g): %s\n", rig_families[f], least.residual, FAULTY, least.what);
    }
    for (int fault = first; fault < last; fault++)
        if (!tried[fault]) fail_msg("no family was tried with: %s", fault_name((enum fault)fault));
}

static void test_small_model_healthy(void **state) {
    (void)state;
    healthy_everywhere(false, 5);
}
static void test_small_model_faults(void **state) {
    (void)state;
    faults_fail(false, 0, FAULT_PATH_COUNT);
}
static void test_full_size_healthy(void **state) {
    (void)state;
    healthy_everywhere(true, 3);
}
static void test_full_size_faults(void **state) {
    (void)state;
    faults_fail(true, FAULT_PATH_COUNT, FAULT_COUNT);
}

/* The shrunken model covers what the timed one would: family, precision, threads, accumulation, odd sizes. */
static void test_shrink(void **state) {
    (void)state;
    struct plan_request q = timed("gpt2", KERNEL_BF16);
    struct plan plan;
    q.config = rig_config(48, 1600, 25, 50257, 1024);
    q.config.kv_heads = 5;
    const struct plan_request s = gate_shrink(&q);
    assert_int_equal(plan_make(&plan, &s, NULL), BASE_OK);
    assert_ptr_equal(s.config.family, q.config.family);
    assert_int_equal(s.dtype, q.dtype);
    assert_int_equal(s.threads, q.threads);
    assert_int_equal(s.config.heads / s.config.kv_heads, 5);
    assert_int_equal(s.config.ffn, 4 * s.config.width);
    assert_int_equal(s.config.parameters, model_params_count(&s.config));
    assert_true(plan.accumulation == 2 && s.layout.micro_batch == 2);
    assert_int_not_equal(s.layout.micro_batch * s.seq % s.head_rows, 0);
    assert_true(s.bucket < s.config.parameters && s.seq < s.config.positions);
    assert_true(plan.memory_bytes < 64 << 20);
}

/* And what is special to a family: a number of heads that is not a power of two, a window within the sequence, planes
 * that scaling slows. */
static void test_shrink_of_families(void **state) {
    (void)state;
    const char *const names[] = {"bloom-176b", "bloom-560m", "mistral-7b", "llama-2-70b", "llama-3-405b"};
    struct plan_request s[5];
    for (int i = 0; i < 5; i++) {
        const struct model_config c = config_json_accepted(config_json_preset(names[i]));
        const struct plan_request q = rig_request(&c, KERNEL_F32, 64, 4, 2);
        struct plan plan;
        s[i] = gate_shrink(&q);
        assert_int_equal(plan_make(&plan, &s[i], NULL), BASE_OK);
        assert_ptr_equal(s[i].config.family, c.family);
        assert_int_equal(s[i].config.heads / s[i].config.kv_heads, c.heads / c.kv_heads);
        assert_int_equal(s[i].config.kv_heads > 1, c.kv_heads > 1);
        assert_int_equal(s[i].config.tied, c.tied);
        assert_int_equal(s[i].config.parameters, model_params_count(&s[i].config));
        assert_true(plan.memory_bytes < 256 << 20);
    }
    assert_int_equal(s[0].config.heads, 6); /* 112 */
    assert_int_equal(s[1].config.heads, 4); /* 16 */
    assert_in_range(s[2].config.window, 2, s[2].seq / 2);
    struct model_config linear = config_json_accepted(config_json_preset("llama-3-8b"));
    linear.rotary.factor = 4;
    const struct plan_request q = rig_request(&linear, KERNEL_F32, 64, 4, 2);
    const struct model_rotary kept = gate_shrink(&q).config.rotary;
    assert_true(kept.factor == 4 && kept.high == 0 && kept.theta == 5e5);
    const struct model_rotary *r = &s[4].config.rotary;
    assert_true(r->factor == 8 && r->low == 1 && r->high == 4);
    /* of a head's eight planes the first rotates more than `high` times over `original`, the last less than once */
    assert_true((double)r->original / (2 * M_PI) > r->high);
    assert_true((double)r->original / (2 * M_PI) * pow(r->theta, -14.0 / 16) < r->low);
}

/* Whatever layout suits a model suits its shrunken one, where ranks share key/value heads if they do in the model. */
static void test_shrink_of_layouts(void **state) {
    (void)state;
    const char *const names[] = {"gpt2-124m", "bloom-176b", "mistral-7b", "llama-3-8b", "llama-3-405b"};
    int suited = 0;
    for (int i = 0; i < 5; i++) {
        const struct model_config c = config_json_accepted(config_json_preset(names[i]));
        for (int tp = 1; tp <= 128; tp++) {
            struct plan_request q = rig_request(&c, KERNEL_F32, 128 * tp, 1, 1);
            struct plan plan;
            struct base_error e = {0};
            if (q.seq > c.positions) q.seq = c.positions / tp * tp;
            q.layout.tp = tp, q.layout.sequence_parallel = tp > 1;
            const struct plan_batch batch = {q.seq, q.global_batch};
            if (plan_layout_check_model(&q.layout, &batch, &c, NULL)) continue;
            const struct plan_request s = gate_shrink(&q);
            if (plan_make(&plan, &s, &e)) fail_msg("%s, tp %d: %s", names[i], tp, e.text);
            assert_int_equal(s.config.kv_heads < tp, c.kv_heads < tp);
            suited++;
        }
    }
    assert_true(suited > 20);
}

/* The same of layouts whose sums have leaves. What the gate computes serially does not grow with the leaves. */
static void test_shrink_of_leaves(void **state) {
    (void)state;
    const struct model_config c = config_json_accepted(config_json_preset("llama-3-8b"));
    int suited = 0;
    for (int leaves = 1; leaves <= 8; leaves *= 2)
        for (int i = 0; i < 4 * 4 * 3 * 2 * 4; i++) {
            struct plan_request q = rig_request(&c, KERNEL_F32, 128, 1, 64);
            struct plan plan;
            struct base_error e = {0};
            q.layout.reproducible = leaves;
            q.layout.tp = 1 << i % 4, q.layout.dp = 1 << i / 4 % 4, q.layout.pp = 1 + i / 16 % 3;
            q.layout.vp = 1 + i / 48 % 2, q.layout.zero = i / 96;
            if (q.layout.zero > 1) q.layout.micro_batch = q.global_batch / q.layout.dp;
            if (plan_make(&plan, &q, NULL)) continue;
            const struct plan_request s = gate_shrink(&q);
            if (plan_make(&plan, &s, &e))
                fail_msg("R %d, tp %d, dp %d, pp %d x %d, zero %d: %s", leaves, q.layout.tp, q.layout.dp, q.layout.pp,
                         q.layout.vp, q.layout.zero, e.text);
            assert_true((s.layout.reproducible > 1) == (leaves > 1));
            assert_true(s.layout.reproducible <= 8 && s.global_batch * s.config.layers <= 512);
            suited++;
        }
    assert_true(suited > 100);
}

/* NaN does not pass. The worst residual is kept with its place. */
static void test_notes(void **state) {
    (void)state;
    struct gate gate;
    gate_clear(&gate);
    assert_true(gate_passed(&gate));
    gate_note(&gate, CHECK_LOSS, 2, "a");
    gate_note(&gate, CHECK_LOSS, 3, "b");
    gate_note(&gate, CHECK_LOSS, 1, "c");
    assert_true(gate.residual[CHECK_LOSS] == 3 && gate_passed(&gate));
    assert_string_equal(gate.where[CHECK_LOSS], "b");
    gate_note(&gate, CHECK_LOSS_FULL, CHECK_THRESHOLD, "");
    assert_true(gate_passed(&gate));
    gate_note(&gate, CHECK_GRADIENTS, NAN, "d");
    assert_false(gate_passed(&gate));
    gate_note(&gate, CHECK_GRADIENTS, 1, "e");
    assert_true(isinf(gate.residual[CHECK_GRADIENTS]));
    assert_string_equal(gate.where[CHECK_GRADIENTS], "d");
}

static void test_finite(void **state) {
    (void)state;
    const double good[] = {3, 2, 1}, bad[] = {3, NAN, 1}, infinite[] = {3, 2, INFINITY};
    struct gate gate;
    gate_clear(&gate);
    gate_finite(&gate, good, good, 3);
    assert_true(gate.residual[CHECK_FINITE] == 0 && gate_passed(&gate));
    gate_finite(&gate, bad, good, 3);
    assert_false(gate_passed(&gate));
    assert_non_null(strstr(gate.where[CHECK_FINITE], "step 1"));
    gate_clear(&gate);
    gate_finite(&gate, good, infinite, 2);
    assert_true(gate_passed(&gate)); /* only the first n count */
    gate_finite(&gate, good, infinite, 3);
    assert_false(gate_passed(&gate));
}

/* A difference of rounding passes, a hundred times as much does not, and BF16 may differ more. */
static void test_history(void **state) {
    (void)state;
    const double earlier[] = {5.5, 5.25, 5};
    const double unit[KERNEL_DTYPE_COUNT] = {0x1p-24, 0x1p-8};
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        struct gate gate;
        double loss[3];
        for (int i = 0; i < 3; i++) loss[i] = earlier[i] * (1 + unit[dtype]);
        gate_clear(&gate);
        gate_history(&gate, (enum kernel_dtype)dtype, loss, earlier, 0, 3, 0, "old.jsonl");
        assert_true(gate.residual[CHECK_HISTORY] > 0 && gate.residual[CHECK_HISTORY] < CHECK_THRESHOLD);
        loss[1] = earlier[1] * (1 - 2000 * unit[dtype]);
        gate_history(&gate, (enum kernel_dtype)dtype, loss, earlier, 0, 3, 0, "old.jsonl");
        assert_true(gate.residual[CHECK_HISTORY] > FAULTY);
        assert_non_null(strstr(gate.where[CHECK_HISTORY], "step 1 of old.jsonl"));
        gate_clear(&gate);
        gate_history(&gate, (enum kernel_dtype)dtype, loss, earlier, GATE_COMPARED - 1, 3, 0, "old.jsonl");
        assert_true(gate.residual[CHECK_HISTORY] < CHECK_THRESHOLD); /* the second is beyond what is compared */
        gate_history(&gate, (enum kernel_dtype)dtype, loss, earlier, 107, 3, 100, "old.jsonl");
        assert_non_null(strstr(gate.where[CHECK_HISTORY], "step 108 of old.jsonl"));
        loss[1] = NAN;
        gate_history(&gate, (enum kernel_dtype)dtype, loss, earlier, 0, 3, 0, "old.jsonl");
        assert_true(isinf(gate.residual[CHECK_HISTORY]));
    }
}

/* The same of a curve's base, whose gradient norms count too, where there are any. */
static void test_base(void **state) {
    (void)state;
    const double loss[] = {5.5, 5.25, 5}, norm[] = {2, 1.5, 3};
    const struct gate_steps base = {loss, norm}, losses = {loss, NULL};
    const double unit[KERNEL_DTYPE_COUNT] = {0x1p-24, 0x1p-8};
    for (int dtype = 0; dtype < KERNEL_DTYPE_COUNT; dtype++) {
        struct gate gate;
        double other[3];
        for (int i = 0; i < 3; i++) other[i] = norm[i] * (1 + unit[dtype]);
        gate_clear(&gate);
        gate_base(&gate, (enum kernel_dtype)dtype, &(struct gate_steps){loss, other}, &base, 3, "the base");
        assert_true(gate.residual[CHECK_BASE] > 0 && gate.residual[CHECK_BASE] < CHECK_THRESHOLD / 4);
        other[2] = norm[2] * (1 + 10000 * unit[dtype]);
        gate_base(&gate, (enum kernel_dtype)dtype, &(struct gate_steps){loss, other}, &losses, 3, "it");
        assert_true(gate.residual[CHECK_BASE] < CHECK_THRESHOLD / 4);
        gate_base(&gate, (enum kernel_dtype)dtype, &(struct gate_steps){loss, other}, &base, 3, "the base");
        assert_true(gate.residual[CHECK_BASE] > FAULTY);
        assert_string_equal(gate.where[CHECK_BASE], "step 2 of the base, gradient norm");
        gate_clear(&gate);
        gate_base(&gate, (enum kernel_dtype)dtype, &(struct gate_steps){norm, norm}, &base, 1, "the base");
        assert_string_equal(gate.where[CHECK_BASE], "step 0 of the base");
        assert_false(gate_passed(&gate));
        assert_true(isnan(gate.residual[CHECK_HISTORY]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_model_healthy),
        cmocka_unit_test(test_small_model_faults),
        cmocka_unit_test(test_full_size_healthy),
        cmocka_unit_test(test_full_size_faults),
        cmocka_unit_test(test_wide_shared_experts),
        cmocka_unit_test(test_shrink),
        cmocka_unit_test(test_shrink_of_families),
        cmocka_unit_test(test_shrink_of_layouts),
        cmocka_unit_test(test_shrink_of_leaves),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_finite),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
