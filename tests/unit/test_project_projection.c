/* SPDX-License-Identifier: Apache-2.0
 *
 * Projections of the catalogue's models on its machines: against published runs, against the search's own rules, and
 * forwards against backwards. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/catalog.h"
#include "project/budget.h"
#include "project/published.h"
#include "project/stages.h"
#include "unit/support/machine_json.h"

static struct project_fitted fitted;
static struct model_config bloom;

static void read_model(const char *name, struct model_config *c) {
    char path[BASE_CATALOG_PATH];
    struct base_error e = {0};
    json_t *json = NULL;
    if (base_catalog_load("models", "--model", name, &json, path, &e)) fail_msg("%s", e.text);
    if (model_config_parse(c, name, json, path, &e)) fail_msg("%s", e.text);
    json_decref(json);
}

static int set_up(void **state) {
    (void)state;
    struct base_error e = {0};
    machine_json_need_catalog();
    if (project_fitted_read(NULL, &fitted, &e)) fail_msg("%s", e.text);
    read_model("bloom-176b", &bloom);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    project_fitted_free(&fitted);
    return 0;
}

static struct project_machine machine_of(const char *name) {
    struct project_machine m;
    struct base_error e = {0};
    if (project_machine_read(name, &m, &e)) fail_msg("%s", e.text);
    return m;
}

/* As BLOOM ran. */
static struct project_question bloom_question(void) {
    struct project_question q;
    project_question_default(&bloom, &q);
    q.era = PROJECT_MEGATRON;
    q.blocking = q.slots = true;
    q.accelerators = 384;
    q.seq = 2048, q.global_batch = 2048;
    q.choice = (struct project_choice){4, 12, 1, 1, 1, 0, PLAN_RECOMPUTE_FULL, PLAN_1F1B, 2};
    return q;
}

static struct project_projection project(const struct project_machine *m, const struct project_question *q) {
    struct project_projection p;
    struct project_search s;
    struct base_error e = {0};
    if (project_projection_make(m, q, &fitted, 1, &p, &s, &e)) fail_msg("%s", e.text);
    project_search_free(&s);
    return p;
}

static struct project_bill bill_of(const struct project_projection *p, const struct project_terms *t) {
    struct project_bill b;
    struct base_error e = {0};
    if (project_bill_fill(p, &fitted.parameters, t, &b, &e)) fail_msg("%s", e.text);
    return b;
}

static const struct project_run *run_of(const struct project_runs *runs, const char *id) {
    for (int i = 0; i < runs->count; i++)
        if (!strcmp(runs->run[i].id, id)) return &runs->run[i];
    fail_msg("no run %s", id);
    return NULL;
}

/* BLOOM by the command's words is BLOOM by the table's: the same job but for what the machine's file and the data sheet
 * say otherwise. Published: 105.2 s a step, and 59 GB an accelerator in the layout's tune-up. */
static void bloom_as_published(void **state) {
    (void)state;
    char path[BASE_CATALOG_PATH];
    struct project_runs runs;
    struct base_error e = {0};
    struct project_machine m = machine_of("jean-zay-a100");
    const struct project_question q = bloom_question();
    const struct project_projection p = project(&m, &q);
    if (base_catalog_path("runs/published.csv", path, &e) || project_runs_read(path, &runs, &e)) fail_msg("%s", e.text);
    const struct project_run *run = run_of(&runs, "bloom-001");
    struct project_step step;
    const struct project_ablation whole = {0};
    project_step(&run->job, &fitted.parameters, &whole, &step);
    assert_true(fabs(p.step.total / step.total - 1) < 0.01);
    assert_true(p.low_s < run->measured_s && run->measured_s < p.high_s);
    assert_int_equal(p.label, PROJECT_INTERPOLATED);
    assert_true(p.fits && fabs(p.memory_needed / 59e9 - 1) < 0.15); /* 53 */
    project_runs_free(&runs);
    project_machine_close(&m);
}

/* What a search finds: legal, fits, in order; and asked for by itself, the best has the same price. */
static void search_rules(void **state) {
    (void)state;
    struct base_error e = {0};
    struct project_machine m = machine_of("jean-zay-a100");
    struct project_question q = bloom_question();
    struct project_projection p;
    struct project_search s;
    q.choice = (struct project_choice){-1, -1, -1, -1, -1, -1, -1, -1, -1};
    if (project_projection_make(&m, &q, &fitted, 10, &p, &s, &e)) fail_msg("%s", e.text);
    assert_int_equal(s.count, 10);
    assert_true(s.legal > 1000);
    for (int i = 0; i < s.count; i++) {
        const struct project_layout_price *x = &s.best[i];
        const struct plan_batch b = {q.seq, x->micro_batch, q.global_batch};
        assert_int_equal(plan_layout_world(&x->layout), 384);
        if (plan_layout_check(&x->layout, &b, &bloom, &e)) fail_msg("%s", e.text);
        assert_true(project_memory_needed(&x->memory) <= p.job.platform.memory_bytes);
        assert_true(i == 0 || x->step_s >= s.best[i - 1].step_s);
    }
    const struct plan_layout *l = &s.best[0].layout;
    q.choice = (struct project_choice){l->tp,
                                       l->pp,
                                       l->cp,
                                       l->vp,
                                       l->zero,
                                       l->sequence_parallel,
                                       (int)l->recompute,
                                       (int)l->schedule,
                                       s.best[0].micro_batch};
    const struct project_projection one = project(&m, &q);
    assert_float_equal(one.step.total, p.step.total, 1e-9);
    q = bloom_question(); /* and is no slower than what BLOOM took */
    assert_true(p.step.total <= project(&m, &q).step.total);
    project_search_free(&s);
    project_machine_close(&m);
}

/* The event simulation and the closed form agree on what a pipeline takes. */
static void simulated(void **state) {
    (void)state;
    static const struct {
        int pp, vp, schedule;
        int64_t micro_batch;
    } rows[] = {{12, 1, PLAN_1F1B, 2}, {12, 1, PLAN_ZERO_BUBBLE, 2}, {12, 1, PLAN_GPIPE, 2},
                {6, 1, PLAN_1F1B, 1},  {3, 1, PLAN_1F1B, 1},         {24, 1, PLAN_1F1B, 4}};
    struct project_machine m = machine_of("jean-zay-a100");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct base_error e = {0};
        struct project_pipeline pipeline;
        struct project_stage *stages;
        struct project_timeline t;
        struct project_question q = bloom_question();
        q.slots = rows[i].pp == 12;
        q.choice.pp = rows[i].pp, q.choice.vp = rows[i].vp, q.choice.schedule = rows[i].schedule;
        q.choice.micro_batch = rows[i].micro_batch;
        const struct project_projection p = project(&m, &q);
        const double closed = p.step.work + p.step.imbalance + p.step.bubble + p.step.p2p + p.step.data_parallel;
        if (project_stages_fill(&p.job, &p.step, &pipeline, &stages, &e)) fail_msg("%s", e.text);
        if (project_pipeline_run(&pipeline, &t, NULL, &e)) fail_msg("%s", e.text);
        if (fabs(t.span / closed - 1) > 0.03)
            fail_msg("PP %d, %s: %g s simulated, %g s by the formula", rows[i].pp,
                     plan_schedule_name((enum plan_schedule)rows[i].schedule), t.span, closed);
        free(stages);
    }
    project_machine_close(&m);
}

/* Every machine of the catalogue takes a model, or says which fact it lacks. */
static int project_on(void *context, const char *name) {
    struct model_config *c = context;
    struct project_machine m = machine_of(name);
    struct project_question q;
    struct project_projection p;
    struct project_search s;
    struct base_error e = {0};
    project_question_default(c, &q);
    q.seq = 2048, q.global_batch = 2048;
    q.accelerators = 4 * m.node.accelerators.value;
    const int code = project_projection_make(&m, &q, &fitted, 1, &p, &s, &e);
    if (code) {
        assert_int_equal(code, BASE_USAGE);
        if (!strstr(e.text, "give --set")) fail_msg("%s: %s", name, e.text);
    } else {
        const struct project_rates_shown x = project_projection_rates(&p);
        if (!(x.mfu > 0.02 && x.mfu < 0.85)) fail_msg("%s: MFU %g", name, x.mfu);
        assert_true(p.low_s < p.step.total && p.step.total < p.high_s);
        assert_true(p.label != PROJECT_PROMISED || m.announced || m.hypothetical);
    }
    project_search_free(&s);
    project_machine_close(&m);
    return 0;
}

static void every_machine(void **state) {
    (void)state;
    struct model_config c;
    read_model("llama-2-7b", &c);
    assert_int_equal(base_catalog_names("machines", project_on, &c, NULL), 0);
}

/* A ledger by hand: 1,000 steps of 10 s, no failures, no queue, no straggling; checkpoints of 14 bytes x parameters. */
static void bill_by_hand(void **state) {
    (void)state;
    struct project_machine m = machine_of("jean-zay-a100");
    const struct project_question q = bloom_question();
    struct project_projection p = project(&m, &q);
    struct project_terms t;
    struct project_bill b;
    project_terms_default(&t);
    p.step.total = 10, p.low_s = 9, p.high_s = 12;
    t.tokens = 1000.0 * 2048 * 2048;
    t.mtbf_hours = INFINITY, t.straggling = 0, t.wall_s = 0, t.checkpoint_every_s = 1000;
    t.checkpoint_bytes_per_s = 1e12, t.eur_per_mwh = 100, t.eur_per_hour = 2;
    b = bill_of(&p, &t);
    assert_float_equal(b.steps, 1000, 1e-9);
    assert_float_equal(b.steps_s, 10000, 1e-9);
    assert_float_equal(b.failures, 0, 0);
    assert_true(fabs(b.checkpoint_one_s / (14 * 176.2e9 / 1e12) - 1) < 0.01);
    assert_float_equal(b.checkpoint_s, 10 * b.checkpoint_one_s, 1e-9);
    assert_float_equal(b.wall_s, 10000 + b.checkpoint_s, 1e-9);
    assert_float_equal(b.goodput, 10000 / b.wall_s, 1e-12);
    assert_float_equal(b.high_wall_s, 1.2 * b.wall_s, 1e-6);
    assert_float_equal(b.accelerator_hours, 384 * b.wall_s / 3600, 1e-6);
    assert_float_equal(b.accelerator_mwh, b.accelerator_hours * 400 / 1e6, 1e-9);
    assert_float_equal(b.accelerators_eur, 2 * b.accelerator_hours, 1e-9);
    t.mtbf_hours = 384 * 10000.0 / 3600; /* one failure in 10,000 s */
    t.restart_s = 600;
    b = bill_of(&p, &t);
    const double daly = 1e4 * exp(0.06) * expm1((1000 + b.checkpoint_one_s) / 1e4) * 10, all = b.wall_s;
    assert_float_equal(all, daly, 1e-6);
    assert_float_equal(b.failures, daly / 1e4, 1e-9);
    assert_float_equal(all, b.steps_s + b.checkpoint_s + b.lost_s + b.restart_s, 1e-6);
    assert_true(b.lost_s > 500 && b.lost_s < 600 && b.restart_s > 600 && b.restart_s < 700);
    t.wall_s = 6500; /* a job of it does 5,900 s less a checkpoint */
    b = bill_of(&p, &t);
    assert_float_equal(b.jobs, 2, 0);
    assert_float_equal(b.queue_s, 600 + b.checkpoint_one_s, 1e-9);
    assert_true(all > t.wall_s && b.wall_s < 2 * t.wall_s);
    t.wall_s = all;
    assert_float_equal(bill_of(&p, &t).jobs, 1, 0);
    project_machine_close(&m);
}

/* Smaller batches cost: BLOOM's ramp from 192 adds time, and none where the batch does not grow. */
static void ramp(void **state) {
    (void)state;
    struct project_machine m = machine_of("jean-zay-a100");
    const struct project_question q = bloom_question();
    const struct project_projection p = project(&m, &q);
    struct project_terms t;
    struct project_bill b;
    project_terms_default(&t);
    t.tokens = 366e9, t.ramp_batch = 192, t.ramp_tokens = 20e9;
    b = bill_of(&p, &t);
    assert_true(b.ramp_s > 0.005 * b.steps_s && b.ramp_s < 0.05 * b.steps_s);
    t.ramp_batch = 2048;
    b = bill_of(&p, &t);
    assert_float_equal(b.ramp_s, 0, 1e-6);
    project_machine_close(&m);
}

static void never_ends(const struct project_projection *p, const struct project_terms *t, const char *words) {
    struct project_bill b;
    struct base_error e = {0};
    assert_int_equal(project_bill_fill(p, &fitted.parameters, t, &b, &e), BASE_USAGE);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
}

/* More failures and longer restarts never shorten a training; where nothing is left for steps it has no bill. */
static void bill_without_end(void **state) {
    (void)state;
    struct project_machine m = machine_of("jean-zay-a100");
    const struct project_question q = bloom_question();
    const struct project_projection p = project(&m, &q);
    struct project_terms t;
    double before = 0;
    project_terms_default(&t);
    t.tokens = 366e9;
    for (double hours = 1e7; hours > 200; hours /= 2) {
        t.mtbf_hours = hours;
        const struct project_bill b = bill_of(&p, &t);
        const double sum = b.steps_s + b.ramp_s + b.straggling_s + b.checkpoint_s + b.lost_s + b.restart_s + b.queue_s;
        assert_float_equal(b.wall_s / sum, 1, 1e-12);
        assert_true(b.wall_s > before && b.lost_s >= 0 && b.restart_s >= 0 && b.goodput < 1);
        before = b.wall_s;
    }
    t.mtbf_hours = 1;
    never_ends(&p, &t, "a failure every 9.375 s, restarts of 1800 s");
    t.mtbf_hours = 50000, t.wall_s = 1800;
    never_ends(&p, &t, "jobs of 1800 s begin with 1800 s of restart");
    project_machine_close(&m);
}

/* Backwards is forwards turned round. */
static void budgets(void **state) {
    (void)state;
    struct base_error e = {0};
    struct project_machine m = machine_of("jean-zay-h100");
    struct project_question q;
    struct project_projection p;
    struct project_search s;
    struct project_terms t;
    struct project_bill b;
    struct model_config c;
    bool met;
    read_model("llama-2-7b", &c);
    project_question_default(&c, &q);
    project_terms_default(&t);
    q.accelerators = 64;
    p = project(&m, &q);
    t.tokens = project_budget_tokens(&p, &fitted.parameters, &t, 100000, INFINITY);
    b = bill_of(&p, &t);
    assert_true(fabs(b.accelerator_hours / 100000 - 1) < 1e-3);
    t.tokens = project_budget_tokens(&p, &fitted.parameters, &t, 1e9, 10);
    b = bill_of(&p, &t);
    assert_true(b.wall_s <= 864000 && b.wall_s > 864000 - t.restart_s - b.checkpoint_one_s - 1); /* or one more job */
    t.tokens *= 1.01;
    assert_true(bill_of(&p, &t).wall_s > 864000);
    t.ramp_batch = 16, t.ramp_tokens = 1e16; /* never off the ramp */
    t.tokens = project_budget_tokens(&p, &fitted.parameters, &t, 1e9, 10);
    b = bill_of(&p, &t);
    assert_true(t.tokens > 1e9 && fabs(b.wall_s / 864000 - 1) < 5e-3);
    t.ramp_tokens = 0;
    q.accelerators = 0;
    t.tokens = 1e12;
    if (project_budget_deadline(&m, &q, &fitted, &t, 30, 1, &p, &s, &met, &e)) fail_msg("%s", e.text);
    b = bill_of(&p, &t);
    assert_true(met && b.wall_s <= 30 * 86400.0);
    project_search_free(&s);
    q.accelerators = p.accelerators / 2; /* half of them are too few */
    const struct project_projection half = project(&m, &q);
    b = bill_of(&half, &t);
    assert_true(b.wall_s > 30 * 86400.0);
    q.accelerators = 0;
    if (project_budget_deadline(&m, &q, &fitted, &t, 0.01, 1, &p, &s, &met, &e)) fail_msg("%s", e.text);
    assert_false(met);
    project_search_free(&s);
    project_machine_close(&m);
}

static void refuse(const struct project_machine *m, const struct project_question *q, const char *words) {
    struct project_projection p;
    struct project_search s;
    struct base_error e = {0};
    assert_int_equal(project_projection_make(m, q, &fitted, 1, &p, &s, &e), BASE_USAGE);
    if (!strstr(e.text, words)) fail_msg("\"%s\" lacks \"%s\"", e.text, words);
    project_search_free(&s);
}

static void refusals(void **state) {
    (void)state;
    struct project_machine m = machine_of("jean-zay-a100"), v = machine_of("jean-zay-v100-32gb");
    struct project_question q = bloom_question();
    q.accelerators = 1000;
    refuse(&m, &q, "jean-zay-a100 has 416");
    q.accelerators = 383;
    refuse(&m, &q, "nodes of jean-zay-a100 have 8 each; take 376 or 384");
    q.accelerators = 384, q.choice.tp = 5, q.choice.pp = PROJECT_FREE;
    refuse(&m, &q, "do not divide into --tp 5");
    q.choice.tp = 3;
    refuse(&m, &q, "--tp 3 does not divide the 112 heads");
    q.choice.tp = 4, q.choice.micro_batch = 3;
    refuse(&m, &q, "--gbs 2048 does not divide");
    q = bloom_question();
    q.choice.tp = 1, q.choice.sequence_parallel = 1;
    refuse(&m, &q, "give --tp 2 or more");
    q.choice.tp = 4, q.seq = 2047;
    refuse(&m, &q, "with --sp, over --tp");
    q = bloom_question();
    q.choice.vp = 2, q.choice.pp = 1;
    refuse(&m, &q, "--vp 2 interleaves chunks");
    q = bloom_question();
    q.dtype = PROJECT_BF16;
    refuse(&v, &q, "bf16");
    project_machine_close(&m);
    project_machine_close(&v);
}

/* A rate above the peak is an error, not a result; so is a step that takes no number of seconds. */
static void above_the_peak(void **state) {
    (void)state;
    struct project_machine m = machine_of("jean-zay-h100");
    struct project_question q;
    const struct project_parameters kept = fitted.parameters;
    project_question_default(&bloom, &q);
    q.accelerators = 64;
    fitted.parameters.value[PROJECT_P_g_h100] = 100;
    refuse(&m, &q, "which no machine has");
    fitted.parameters.value[PROJECT_P_g_h100] = NAN;
    refuse(&m, &q, "which no machine has");
    fitted.parameters = kept;
    project_machine_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bloom_as_published),
        cmocka_unit_test(search_rules),
        cmocka_unit_test(simulated),
        cmocka_unit_test(every_machine),
        cmocka_unit_test(bill_by_hand),
        cmocka_unit_test(bill_without_end),
        cmocka_unit_test(ramp),
        cmocka_unit_test(budgets),
        cmocka_unit_test(refusals),
        cmocka_unit_test(above_the_peak),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
