/* SPDX-License-Identifier: Apache-2.0
 *
 * The price of a step against another implementation. The published runs cover every framework, device, fabric,
 * recompute mode and ZeRO stage. FLOPs are checked against counts by hand. Each ablation must change the price. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/ledger.h"
#include "plan/plan.h"
#include "unit/support/published_jobs.h"

enum { JOBS = sizeof published_jobs / sizeof *published_jobs };

static const struct cost_ablation whole;

static struct cost_step price(int i, const struct cost_ablation *ablation) {
    const struct cost_job job = published_job(&published_jobs[i]);
    struct cost_parameters p;
    struct cost_step s;
    published_parameters_fill(&p);
    cost_step(&job, &p, ablation, &s);
    return s;
}

static void test_terms(void **state) {
    (void)state;
    for (int i = 0; i < JOBS; i++) {
        const struct cost_step s = price(i, &whole);
        const double terms[PUBLISHED_TERMS] = {s.total, s.work,          s.imbalance, s.bubble,
                                               s.p2p,   s.data_parallel, s.embedding, s.optimizer};
        const double *expected = published_jobs[i].expected;
        for (int k = 0; k < PUBLISHED_TERMS; k++) {
            if (fabs(terms[k] - expected[k]) <= 1e-5 * expected[0]) continue;
            fail_msg("%s: term %d is %.6g s, not %.6g", published_jobs[i].id, k, terms[k], expected[k]);
        }
    }
}

/* The terms add up to the work, except for the embedding and the ring of context parallelism. */
static void test_parts(void **state) {
    (void)state;
    for (int i = 0; i < JOBS; i++) {
        const struct cost_step s = price(i, &whole);
        const double parts = s.linear + s.attention + s.passes + s.launch + s.tensor_parallel + s.zero3 + s.head;
        assert_true(parts <= s.work * (1 + 1e-9));
        if (published_jobs[i].job.layout.cp == 1) assert_true(parts >= 0.97 * s.work);
    }
}

static struct plan_flop flop_of(const struct cost_job *job) {
    return plan_flop_count(&job->model, &job->batch, job->layout.recompute);
}

/* GPT-2 124M on one device, 4 sequences of 1,024. A layer's matmuls have 12 x 768^2 parameters, the head 50,257 x 768.
 * That is 6 x 4096 x (84,934,656 + 38,597,376) = 3.0359e12. Causal attention adds 6 x 4096 x 12 x 1024 x 768 =
 * 0.2319e12. */
static void test_flop(void **state) {
    (void)state;
    struct cost_job job = published_job(&published_jobs[0]);
    struct cost_parameters p;
    struct cost_step s;
    job.model = (struct model_config){.family = model_family_find("gpt2"),
                                      .layers = 12,
                                      .width = 768,
                                      .ffn = 3072,
                                      .heads = 12,
                                      .kv_heads = 12,
                                      .head_dim = 64,
                                      .vocab = 50257};
    job.layout = plan_layout_data_parallel(1, 4);
    job.batch = (struct plan_batch){1024, 4};
    job.accelerators = 1;
    cost_traits_default(&job, COST_MEGATRON, &job.traits);
    assert_int_equal(cost_parameters_prior(&p, NULL), BASE_OK);
    cost_step(&job, &p, &whole, &s);
    struct plan_flop flop = flop_of(&job);
    assert_true(fabs(flop.model / 3.26784e12 - 1) < 1e-5);
    assert_true(fabs(flop.model_square / 3.49976e12 - 1) < 1e-5);
    assert_true(flop.hardware == flop.model);
    assert_true(s.data_parallel == 0 && s.p2p == 0 && s.bubble == 0 && s.tensor_parallel == 0);
    job.layout.recompute = PLAN_RECOMPUTE_FULL; /* adds a forward: a third of the layers' FLOPs */
    flop = flop_of(&job);
    assert_true(fabs((flop.hardware - flop.model) / (2 * 4096 * 84934656.0 + 0.231928e12 / 3) - 1) < 1e-5);
}

/* An attention window has as many pairs as the ledger counts, up to half a position for each query. It speeds up fused
 * attention, but not the unfused square. A window of the whole sequence has no effect. */
static void test_window(void **state) {
    (void)state;
    struct cost_job job = published_job(&published_jobs[0]);
    struct cost_parameters p;
    struct cost_step all, some;
    assert_int_equal(cost_parameters_prior(&p, NULL), BASE_OK);
    for (int flash = 0; flash <= 1; flash++)
        for (int64_t w = 64; w <= 4096; w *= 4) {
            job.batch.seq = 4096, job.traits.flash = flash;
            job.model.window = 0;
            cost_step(&job, &p, &whole, &all);
            const struct plan_flop of_all = flop_of(&job);
            job.model.window = w;
            cost_step(&job, &p, &whole, &some);
            const struct plan_flop of_some = flop_of(&job);
            const double pairs = plan_attention_flop(1, 1, 4096, w, 64, false) / (4 * 64);
            assert_true(fabs(cost_job_attended(&job) * 4096 * 4096 - pairs) <= 4096);
            const double gain = some.attention / all.attention;
            assert_true(fabs(gain - (flash ? 2 * cost_job_attended(&job) : 1)) < 1e-9);
            assert_true(w == 4096 ? of_some.model == of_all.model : of_some.model < of_all.model);
            assert_true(of_some.model_square == of_all.model_square);
        }
}

/* Heads of half the usual width halve attention's parameters and time. */
static void test_head_dim(void **state) {
    (void)state;
    struct cost_job job = published_job(&published_jobs[0]);
    struct cost_parameters p;
    struct cost_step usual, half;
    assert_int_equal(cost_parameters_prior(&p, NULL), BASE_OK);
    job.traits.flash = true;
    const double hidden = (double)job.model.width, tp = job.layout.tp, dense = tp * cost_job_layer_parameters(&job);
    cost_step(&job, &p, &whole, &usual);
    job.model.head_dim /= 2;
    cost_step(&job, &p, &whole, &half);
    assert_true(fabs(half.attention / usual.attention - 0.5) < 1e-9);
    assert_true(fabs(dense - tp * cost_job_layer_parameters(&job) - 2 * hidden * hidden) < 1);
}

/* The largest relative change of the step, over all jobs, from an ablation. */
static double worth(const struct cost_ablation *ablation) {
    double most = 0;
    for (int i = 0; i < JOBS; i++) {
        const double with = price(i, &whole).total, without = price(i, ablation).total;
        if (fabs(without / with - 1) > fabs(most)) most = without / with - 1;
    }
    return most;
}

static void test_ablation(void **state) {
    (void)state;
    assert_true(worth(&(struct cost_ablation){.quantisation = true}) < -0.01);
    assert_true(worth(&(struct cost_ablation){.alignment = true}) < -0.05);
    assert_true(worth(&(struct cost_ablation){.achieved = true}) < -0.3);
    assert_true(worth(&(struct cost_ablation){.schedule = true}) < -0.05);
    assert_true(worth(&(struct cost_ablation){.overlap = true}) > 0.02);
    assert_true(worth(&(struct cost_ablation){.interference = true}) < -0.02);
    assert_true(worth(&(struct cost_ablation){.blocking = true}) < -0.05);
    assert_true(worth(&(struct cost_ablation){.passes = true}) < -0.05);
}

static void test_names(void **state) {
    (void)state;
    for (int i = 0; i < COST_FRAMEWORKS; i++) {
        enum cost_framework framework = COST_FRAMEWORKS;
        assert_true(cost_framework_find(cost_framework_name((enum cost_framework)i), &framework));
        assert_int_equal(framework, i);
    }
    enum cost_framework untouched = COST_XLA;
    assert_false(cost_framework_find("torch", &untouched));
    assert_int_equal(untouched, COST_XLA);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_terms),  cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_flop),   cmocka_unit_test(test_ablation),
                                       cmocka_unit_test(test_window), cmocka_unit_test(test_head_dim),
                                       cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
