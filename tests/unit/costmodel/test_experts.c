/* SPDX-License-Identifier: Apache-2.0
 *
 * Mixtures of experts, checked against figures worked out by hand: parameters, all-to-all, terms, memory and gradients
 * by expert parallel ranks. One expert must cost the same as a dense model. Also what the search tries and what is
 * refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/params.h"
#include "costmodel/device.h"
#include "costmodel/network.h"
#include "costmodel/stages.h"
#include "projection/cost.h"
#include "unit/support/config_json.h"
#include "unit/support/projections.h"

static const struct cost_ablation whole;
static struct model_config mixtral;
static struct machine jean_zay;

static int open_all(void **state) {
    const int code = projections_open(state);
    projections_model("mixtral-8x7b", &mixtral);
    jean_zay = projections_machine("jean-zay-h100");
    return code;
}

static int close_all(void **state) {
    machine_close(&jean_zay);
    return projections_close(state);
}

static void near(double x, double wanted) {
    if (!(fabs(x - wanted) <= 1e-9 * fabs(wanted))) fail_msg("%.12g, not %.12g", x, wanted);
}

/* Mixtral on 128 H100 of Jean Zay, four in a node. */
static struct projection_question question(int ep) {
    struct projection_question q;
    projection_question_default(&mixtral, &q);
    q.accelerators = 128, q.seq = 4096, q.global_batch = 256;
    q.choice = projections_layout(1, 4, 1);
    q.choice.recompute = PLAN_RECOMPUTE_NONE, q.choice.ep = ep;
    return q;
}

static struct projection project(int ep) {
    const struct projection_question q = question(ep);
    return projections_make(&jean_zay, &q);
}

static struct cost_step price(const struct cost_job *job) {
    struct cost_step s;
    cost_step(job, &projections_fitted.parameters, &whole, &s);
    return s;
}

/* Jiang et al. 2024: 47B parameters, 13B active. The released weights have 46,702,792,704. */
static void parameters(void **state) {
    (void)state;
    const struct cost_job job = project(8).job;
    const double tables = 2 * 32000.0 * 4096, norms = 65 * 4096;
    assert_int_equal(mixtral.parameters, 46702792704);
    assert_true(fabs((double)model_params_active(&mixtral) / 12.9e9 - 1) < 0.005);
    const double layer = cost_job_layer_parameters(&job), expert = cost_job_expert_parameters(&job);
    near(expert, 3.0 * 4096 * 14336); /* one of eight in a layer */
    near(layer, 4096.0 * (6144 + 4096 + 8) + expert);
    near(32 * (layer + 7 * expert) + tables + norms, (double)mixtral.parameters);
    near(32 * (layer + expert) + tables + norms, (double)model_params_active(&mixtral));
}

/* 6 FLOP for each token and active parameter, plus the causal half of attention. */
static void flop(void **state) {
    (void)state;
    const struct projection p = project(8);
    const double tokens = 256.0 * 4096, active = 32 * 4096.0 * (6144 + 4096 + 8 + 2 * 3 * 14336) + 32000.0 * 4096;
    near(p.flop.model, tokens * 6 * (active + 32 * 4096.0 * 4096));
    near(p.flop.hardware, p.flop.model);
    near(project(1).flop.model, p.flop.model);
}

/* 32 MB of tokens a rank, each for two experts. Eight ranks in a domain send 7/8 of 64 MB at 100 GB/s, with latency
 * 7 x 5 us. Four ranks in each of two domains send 3/8 inside, 0.24 ms. They send half outside, where eight ranks share
 * 200 GB/s: 1.28 ms. Latency is then 3 x 5 us + 4 x 10 us. */
static void plain_dispatch(void **state) {
    (void)state;
    struct cost_links l = {
        .domain = 8, .inside = 100e9, .far = 200e9, .plain = 1, .alpha = 10e-6, .alpha_inside = 5e-6};
    const struct cost_group one = {8, 1, 1, 1}, two = {4, 2, 2, 1}, alone = {1, 1, 8, 1};
    const struct cost_group shared = {4, 1, 2, 1.0 / 3};
    near(cost_dispatch_s(&l, &one, COST_DISPATCH_PLAIN, 2, 32e6), 0.56e-3 + 35e-6);
    near(cost_dispatch_s(&l, &two, COST_DISPATCH_PLAIN, 2, 32e6), 1.28e-3 + 55e-6);
    near(cost_dispatch_s(&l, &shared, COST_DISPATCH_PLAIN, 2, 32e6), 1.44e-3 + 15e-6); /* a third of links is usable */
    assert_true(cost_dispatch_s(&l, &alone, COST_DISPATCH_PLAIN, 2, 32e6) == 0);
    l.inside = 1e9; /* now the links inside are slower */
    near(cost_dispatch_s(&l, &two, COST_DISPATCH_PLAIN, 2, 32e6), 24e-3 + 55e-6);
}

/* Two of eight experts, one on each rank: a token goes to 8 (1 - (7/8)^2) = 1.875 ranks, 7/8 of them others, and to
 * 2 (1 - (1/2)^2) = 1.5 of two nodes, half of them the other. */
static void single_copies(void **state) {
    (void)state;
    struct cost_links l = {
        .domain = 8, .inside = 100e9, .far = 200e9, .dispatch = 0.5, .alpha = 10e-6, .alpha_inside = 5e-6};
    const struct cost_group two = {4, 2, 2, 1};
    near(cost_dispatch_s(&l, &two, COST_DISPATCH_ONCE, 2, 32e6), 1.05e-3 + 15e-6);
    l.far = 100e9;
    near(cost_dispatch_s(&l, &two, COST_DISPATCH_FUSED, 2, 32e6), 1.92e-3 + 15e-6);
}

/* What the machine suits: a node of four and EP 8; one domain of 64. */
static void dispatchers(void **state) {
    (void)state;
    struct cost_job job = project(8).job;
    assert_int_equal(cost_job_dispatcher(&job), COST_DISPATCH_ONCE);
    job.layout.ep = 4;
    assert_int_equal(cost_job_dispatcher(&job), COST_DISPATCH_PLAIN);
    job.platform.domain = 64;
    assert_int_equal(cost_job_dispatcher(&job), COST_DISPATCH_FUSED);
    job.traits.dispatcher = COST_DISPATCH_PLAIN;
    assert_int_equal(cost_job_dispatcher(&job), COST_DISPATCH_PLAIN);
}

/* Experts that are not sliced: 32 ranks of TP 2 x DP 16 share 8 of them four times, and each sends its own tokens. */
static void whole_experts(void **state) {
    (void)state;
    struct cost_job job = project(8).job;
    const struct cost_links l = {.domain = 8};
    job.layout.tp = 2, job.layout.pp = 1, job.layout.dp = 16, job.layout.sequence_parallel = true, job.layout.etp = 1;
    assert_int_equal(plan_layout_expert_replicas(&job.layout), 4);
    near(cost_job_expert_parameters(&job), 3.0 * 4096 * 14336);
    near(cost_job_routed_tokens(&job), 2048);
    near(cost_job_expert_rows(&job), 4096); /* 8 ranks' 2,048 tokens x 2 of 8 experts */
    const struct cost_group g = cost_group_expert(&job, &l);
    assert_true(g.ranks == 8 && g.nodes == 1);
    job.layout.etp = 2; /* halves of experts see all tokens of both */
    near(cost_job_expert_rows(&job), 8192);
}

/* Groups of neighbouring data parallel ranks: TP 2 in domains of 8, EP 8 of DP 16. */
static void groups(void **state) {
    (void)state;
    const struct cost_links l = {.domain = 8};
    struct cost_job job = {.layout = {.tp = 2, .pp = 1, .cp = 1, .dp = 16, .vp = 1, .ep = 8}};
    const struct cost_group expert = cost_group_expert(&job, &l), data = cost_group_expert_data(&job, &l);
    assert_true(expert.ranks == 4 && expert.nodes == 2 && expert.sharing == 2 && expert.share == 1);
    assert_true(data.ranks == 1 && data.nodes == 2 && data.sharing == 8);
    job.traits.zero_group = 8; /* half of the ranks shard the weights: one rank per expert */
    const struct cost_group zero = cost_group_expert_zero3(&job, &l);
    assert_true(zero.ranks == 1 && zero.nodes == 1);
}

/* Dispatch and combine, forward and backward: 4,096 tokens x 4,096 x 2 bytes, each for two experts. */
static void message_terms(void **state) {
    (void)state;
    struct cost_job job = project(8).job;
    struct cost_links links;
    cost_links_fill(&job, &projections_fitted.parameters, &whole, &links);
    const struct cost_group g = cost_group_expert(&job, &links);
    const double one = cost_dispatch_s(&links, &g, COST_DISPATCH_ONCE, 2, 4096.0 * 4096 * 2), times = 8 * 32 / 4.0;
    struct cost_step s = price(&job);
    near(s.micro_batches, 8);
    near(s.all_to_all, times * 4 * one);
    const double parts = s.linear + s.attention + s.passes + s.launch + s.head + s.experts + s.router + s.all_to_all;
    assert_true(parts <= s.work * (1 + 1e-9) && parts >= 0.98 * s.work);
    job.layout.recompute = PLAN_RECOMPUTE_FULL;
    s = price(&job);
    near(s.all_to_all, times * 6 * one);
    job.layout.ep = 1;
    assert_true(price(&job).all_to_all == 0);
    /* with sequence parallelism a rank sends only its own tokens, and tensor parallel ranks gather k times as many */
    job.layout.tp = 2, job.layout.dp = 16, job.layout.ep = 8, job.layout.sequence_parallel = true;
    near(cost_job_routed_tokens(&job), 2048);
    near(cost_job_expert_rows(&job), 8192);
    job.layout.recompute = PLAN_RECOMPUTE_NONE, job.traits.overlap_tp = false;
    const struct cost_group pair = cost_group_tensor(&job, &links);
    const double sum = cost_collective_s(&links, &pair, COST_ALL_REDUCE, 4096.0 * 4096 * 2, 1);
    const double routed = cost_collective_s(&links, &pair, COST_ALL_REDUCE, 2 * 4096.0 * 4096 * 2, 1);
    s = price(&job);
    near(s.tensor_parallel, s.micro_batches * 32 / 4 * 2 * (sum + routed));
}

/* One expert that takes all tokens is the dense model plus a router: same rows and gradients, and the same matmuls if
 * groups lose nothing. */
static void one_expert(void **state) {
    (void)state;
    struct cost_job job = project(1).job;
    struct cost_parameters p = projections_fitted.parameters;
    struct cost_step dense, one;
    p.value[COST_P_grouped] = 1e-12;
    job.model.experts = 0, job.model.active = 0, job.model.family = model_family_find("mistral");
    cost_step(&job, &p, &whole, &dense);
    job.model.experts = job.model.active = 1, job.model.family = mixtral.family;
    cost_step(&job, &p, &whole, &one);
    assert_true(dense.experts == 0 && dense.router == 0 && dense.all_to_all == 0 && dense.data_parallel_experts == 0);
    near(one.linear + one.experts, dense.linear);
    near(one.passes, dense.passes);
    near(one.work - one.router - one.launch, dense.work - dense.launch);
    assert_true(one.router > 0 && one.router < 0.2 * dense.work);
    assert_true(fabs(one.data_parallel / dense.data_parallel - 1) < 0.03); /* a little more compute hides it */
    const double experts = one.experts; /* 4,096 rows to 28,672 columns and back: a quarter of 4,096 elements lost */
    p.value[COST_P_grouped] = 1024;
    cost_step(&job, &p, &whole, &one);
    const double up = 1024 * (2 / 4096.0 + 1 / 28672.0), down = 1024 * (2 / 4096.0 + 1 / 14336.0);
    assert_true(one.experts / experts - 1 > up && one.experts / experts - 1 < down);
}

/* Two shared experts are an MLP of twice the columns: its matmuls, and activations that layers keep. */
static void shared_experts(void **state) {
    (void)state;
    const struct cost_job plain = project(8).job;
    const struct plan_batch b = {4096, 256};
    const struct cost_numerics n = {.activation_bytes = 2, .fused_attention = true};
    struct cost_job with = plain, dense = plain;
    with.model.shared = 2;
    dense.model.experts = 0, dense.model.family = model_family_find("mistral"), dense.model.ffn *= 2;
    const struct cost_step one = price(&plain), two = price(&with);
    assert_true(two.linear > one.linear && two.passes > one.passes && two.experts == one.experts);
    near(two.linear, price(&dense).linear);
    near(cost_memory_layer(&with.model, &plain.layout, &b, &n) - cost_memory_layer(&plain.model, &plain.layout, &b, &n),
         4096 * 2.0 * 2 * 3 * 14336);
}

/* At EP 8 a rank has an eighth of the experts. The optimizer, sharded by ZeRO, is the same for every EP. */
static void memory(void **state) {
    (void)state;
    const struct plan_batch b = {4096, 256};
    const struct cost_numerics n = {
        .weight_bytes = 2, .gradient_bytes = 2, .optimizer_bytes = 12, .activation_bytes = 2, .fused_attention = true};
    struct plan_layout l = {
        .tp = 1, .pp = 1, .cp = 1, .dp = 16, .vp = 1, .ep = 1, .zero = 1, .schedule = PLAN_1F1B, .micro_batch = 1};
    const double all = (double)mixtral.parameters, experts = 32 * 8 * 3.0 * 4096 * 14336;
    double before = INFINITY;
    for (l.ep = 1; l.ep <= 8; l.ep *= 2) {
        const struct cost_memory m = cost_memory(&mixtral, &l, &b, &n);
        assert_true(m.total < before);
        before = m.total;
        near(cost_memory_experts(&mixtral, &l, 0), experts / l.ep);
        near(m.weights, 2 * (all - experts + experts / l.ep));
        near(m.gradients, m.weights);
        near(m.optimizer, 12 * all / 16);
    }
    l.ep = 8;
    /* a token: two rows of inputs and of outputs of its two experts, and 8 scores */
    near(cost_memory_layer(&mixtral, &l, &b, &n),
         4096 * (2.0 * (4 * 4096 + 6144 + 4096 + 2 * 3 * 14336 + 4 * 4096 + 8) + 4 * 32));
    l.recompute = PLAN_RECOMPUTE_FULL;
    near(cost_memory_layer(&mixtral, &l, &b, &n), 4096 * 2.0 * 4096);
}

/* Gradients of attention, router and tables are reduced over all 16 ranks. Those of experts are reduced over the two
 * ranks that hold the same ones. */
static void gradients(void **state) {
    (void)state;
    struct cost_job job = project(8).job;
    struct cost_links links;
    job.layout.dp = 16, job.layout.pp = 1, job.layout.zero = 0, job.traits.overlap_dp = false;
    job.accelerators = 16;
    cost_links_fill(&job, &projections_fitted.parameters, &whole, &links);
    const struct cost_group all = cost_group_data(&job, &links), two = cost_group_expert_data(&job, &links);
    assert_true(all.ranks * all.nodes == 16 && two.ranks * two.nodes == 2);
    const double plain = 32 * 4096.0 * (6144 + 4096 + 8) + 32000.0 * 4096, experts = 32 * 3.0 * 4096 * 14336;
    const double of_plain = 2 * cost_collective_s(&links, &all, COST_SCATTER, 2 * plain, 1);
    const double of_experts = 2 * cost_collective_s(&links, &two, COST_SCATTER, 2 * experts, 1);
    const struct cost_step s = price(&job);
    near(s.data_parallel_experts, of_experts);
    near(s.data_parallel, of_plain + of_experts);
    job.layout.ep = 16; /* now no two ranks hold the same expert */
    job.model.experts = 16;
    assert_true(price(&job).data_parallel_experts == 0);
}

/* In the simulation the all-to-all is part of the stages' time. */
static void simulated(void **state) {
    (void)state;
    const struct projection p = project(8);
    struct cost_pipeline pipeline;
    struct cost_stage *stages;
    struct cost_timeline t;
    struct base_error e = {0};
    assert_int_equal(cost_stages_fill(&p.job, &p.step, &pipeline, &stages, &e), BASE_OK);
    assert_int_equal(cost_pipeline_estimate(&pipeline, &t, &e), BASE_OK);
    const double closed = p.step.work + p.step.imbalance + p.step.bubble + p.step.p2p;
    assert_true(fabs((t.span - p.step.data_parallel) / closed - 1) < 0.03);
    assert_true(p.step.all_to_all > 0.05 * p.step.total);
    free(stages);
}

static void search(void **state) {
    (void)state;
    struct projection_question q = question(PLAN_FREE);
    struct projection p;
    struct cost_search s;
    struct base_error e = {0};
    bool shared = false;
    q.choice.tp = q.choice.pp = q.choice.recompute = PLAN_FREE;
    if (projection_make(&jean_zay, &q, &projections_fitted, 1000, &p, &s, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < s.count; i++) {
        const struct plan_batch b = {q.seq, q.global_batch};
        if (plan_layout_check(&s.best[i].layout, &b, &mixtral, &e)) fail_msg("%s", e.text);
        shared = shared || s.best[i].layout.ep > 1;
    }
    assert_true(shared);
    const long long legal = s.legal;
    cost_search_free(&s);
    q.choice.ep = 1;
    if (projection_make(&jean_zay, &q, &projections_fitted, 1, &p, &s, &e)) fail_msg("%s", e.text);
    assert_true(s.legal < legal);
    cost_search_free(&s);
    assert_int_equal(p.label, COST_INTERPOLATED);
}

/* A checkpoint holds all experts, for every EP. */
static void checkpoint(void **state) {
    (void)state;
    struct projection_assumptions t;
    projection_assumptions_default(&t);
    t.tokens = 1e12, t.checkpoint_bytes_per_s = 1e9;
    for (int ep = 1; ep <= 8; ep *= 8) {
        const struct projection p = project(ep);
        struct projection_cost b;
        struct base_error e = {0};
        if (projection_cost_fill(&p, &projections_fitted.parameters, &t, &b, &e)) fail_msg("%s", e.text);
        assert_true(fabs(b.checkpoint_one_s / (14 * (double)mixtral.parameters / 1e9) - 1) < 0.005);
    }
}

static void layout_refused(const struct model_config *c, int dp, int ep, const char *words) {
    const struct plan_layout l = {
        .tp = 1, .pp = 1, .cp = 1, .dp = dp, .vp = 1, .ep = ep, .schedule = PLAN_1F1B, .micro_batch = 1};
    const struct plan_batch b = {2048, 256};
    struct base_error e = {0};
    assert_int_equal(plan_layout_check(&l, &b, c, &e), BASE_USAGE);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

static void config_refused(const char *field, const char *value, const char *word) {
    json_t *preset = config_json_preset("mixtral-8x7b");
    char *good = json_dumps(preset, 0);
    struct model_config c;
    struct base_error e = {0};
    json_t *json = config_json_changed(good, field, value);
    assert_int_equal(model_config_parse_priced(&c, "m", json, "x.json", &e), BASE_USAGE);
    if (!strstr(e.text, word)) fail_msg("\"%s\" lacks \"%s\"", e.text, word);
    json_decref(json), json_decref(preset);
    free(good);
}

static void refused(void **state) {
    (void)state;
    layout_refused(&mixtral, 16, 3, "--ep 3 does not divide the 8 experts of mixtral-8x7b; take 2");
    layout_refused(&mixtral, 4, 8, "--ep 8 does not divide the 4 data parallel ranks");
    layout_refused(&projections_bloom, 8, 8, "bloom-176b is dense; leave out --ep");
    config_refused("num_experts_per_tok", "9", "num_experts_per_tok");
    config_refused("num_experts_per_tok", "null", "num_experts_per_tok");
    config_refused("num_local_experts", "0", "num_local_experts");
    config_refused("n_routed_experts", "8", "n_routed_experts");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters),     cmocka_unit_test(flop),          cmocka_unit_test(plain_dispatch),
        cmocka_unit_test(single_copies),  cmocka_unit_test(dispatchers),   cmocka_unit_test(whole_experts),
        cmocka_unit_test(groups),         cmocka_unit_test(message_terms), cmocka_unit_test(one_expert),
        cmocka_unit_test(shared_experts), cmocka_unit_test(memory),        cmocka_unit_test(gradients),
        cmocka_unit_test(simulated),      cmocka_unit_test(search),        cmocka_unit_test(checkpoint),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
