/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of published runs as jobs: how many there are and why others are not; runs against literals; refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fit/published.h"
#include "plan/ledger.h"
#include "unit/support/published_jobs.h"

#define TABLE "harness/catalog/runs/published.csv"
#define HEAD "id,accelerator,n_accelerators,layers,hidden,heads,seq_len,global_batch,tp,pp,dp,kv_heads,iteration_s"

static const struct fit_run *find(const struct fit_runs *runs, const char *id) {
    for (int i = 0; i < runs->count; i++)
        if (!strcmp(runs->run[i].id, id)) return &runs->run[i];
    fail_msg("%s is not in the table", id);
    return NULL;
}

static void test_counts(void **state) {
    (void)state;
    struct fit_runs runs;
    struct base_error e = {0};
    int used[COST_KINDS] = {0}, unused = 0;
    if (fit_runs_read(TABLE, &runs, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < runs.count; i++) {
        const struct fit_run *run = &runs.run[i];
        if (!fit_run_due(run)) continue;
        if (run->why)
            unused++;
        else
            used[cost_job_kind(&run->job)]++;
    }
    assert_int_equal(runs.count, 1446);
    assert_int_equal(used[COST_DENSE_16], 637);
    assert_int_equal(used[COST_EXPERTS_16], 28);
    assert_int_equal(used[COST_DENSE_8], 158);
    assert_int_equal(used[COST_EXPERTS_8], 75);
    assert_int_equal(used[COST_4], 26);
    assert_int_equal(unused, 31); /* 16 have state-space layers */
    fit_runs_free(&runs);
}

/* Rows become the jobs that another reader made of them: their price tells. */
static void test_jobs(void **state) {
    (void)state;
    struct fit_runs runs;
    struct base_error e = {0};
    struct cost_parameters p;
    struct cost_step s;
    published_parameters_fill(&p);
    if (fit_runs_read(TABLE, &runs, &e)) fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof published_jobs / sizeof *published_jobs; i++) {
        const struct published_job *row = &published_jobs[i];
        const struct fit_run *run = find(&runs, row->id);
        assert_null(run->why);
        cost_step(&run->job, &p, &(struct cost_ablation){0}, &s);
        if (s.total > row->expected[0] * (1 + 1e-5) || s.total < row->expected[0] * (1 - 1e-5))
            fail_msg("%s: %g s, not %g", row->id, s.total, row->expected[0]);
    }
    assert_true(find(&runs, "kort-005")->measured_s == 49.05);
    assert_non_null(strstr(find(&runs, "bs-104b-012")->why, "doubts"));
    assert_non_null(strstr(find(&runs, "cpu-001")->why, "data sheet"));
    fit_runs_free(&runs);
}

/* GFLOP a token that Megatron-Bridge's tables divide by, as their tokens/s and TFLOP/s show. */
static void test_flop(void **state) {
    (void)state;
    static const struct {
        const char *id;
        double gigaflop;
    } rows[] = {{"mb-253", 51.49},  {"mb-074", 449.21}, {"mb-083", 2524.34},
                {"mb-105", 147.99}, {"mb-097", 23.01},  {"mb-088", 259.96}};
    struct fit_runs runs;
    struct base_error e = {0};
    if (fit_runs_read(TABLE, &runs, &e)) fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct cost_job *job = &find(&runs, rows[i].id)->job;
        const double tokens = (double)(job->batch.seq * job->batch.global_batch);
        const double one = plan_flop_count(&job->model, &job->batch, PLAN_RECOMPUTE_NONE).model / tokens / 1e9;
        if (fabs(one / rows[i].gigaflop - 1) > 0.004) fail_msg("%s: %g, not %g", rows[i].id, one, rows[i].gigaflop);
    }
    fit_runs_free(&runs);
}

/* A run that stands in the table twice counts as the newer row; a patch is of its release. */
static void test_releases(void **state) {
    (void)state;
    struct fit_runs runs;
    struct base_error e = {0};
    if (fit_runs_read(TABLE, &runs, &e)) fail_msg("%s", e.text);
    assert_non_null(strstr(find(&runs, "mbridge-001")->why, "the same run as mb-033"));
    assert_false(fit_run_due(find(&runs, "mbridge-001")));
    assert_string_equal(find(&runs, "mb-083")->cluster, find(&runs, "mb-129")->cluster); /* 26.04.01 and 26.04 */
    assert_string_not_equal(find(&runs, "mb-083")->cluster, find(&runs, "mb-173")->cluster);
    assert_string_equal(find(&runs, "mb-083")->accelerator, "gb300");
    assert_true(find(&runs, "mb-083")->job.platform.domain == 64);                      /* NVL72 */
    assert_true(find(&runs, "mlperf5-014")->job.platform.node_bytes_per_s == 8 * 50e9); /* not its storage's */
    fit_runs_free(&runs);
}

static int read_text(const char *text, struct fit_runs *runs, struct base_error *e) {
    char path[] = "/tmp/test_published_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const int code = fit_runs_read(path, runs, e);
    unlink(path);
    return code;
}

static void refused(const char *text, const char *where, const char *why) {
    struct fit_runs runs;
    struct base_error e = {0};
    assert_int_equal(read_text(text, &runs, &e), BASE_USAGE);
    if (!strstr(e.text, where) || !strstr(e.text, why)) fail_msg("\"%s\" lacks \"%s\" or \"%s\"", e.text, where, why);
}

static void test_refused(void **state) {
    (void)state;
    refused("id,heads,colour\nx,1,red\n", ":1:", "unknown column \"colour\"");
    refused("id,accelerator\nx,A100\n", ":1:", "no column \"n_accelerators\"");
    refused("id,accelerator,n_accelerators,layers,hidden,heads,seq_len,global_batch\n",
            ":1:", "no column \"iteration_s\"");
    refused("id|heads\nx|1\n", ":1:", "one column, \"id|heads\"; separate columns by commas");
}

static const char *why_of(const char *text) {
    static char why[512];
    struct fit_runs runs;
    struct base_error e = {0};
    if (read_text(text, &runs, &e)) fail_msg("%s", e.text);
    snprintf(why, sizeof why, "%s", runs.run[0].why ? runs.run[0].why : "");
    fit_runs_free(&runs);
    return why;
}

#define RUN "x,A100,8,24,2048,16,1024,8,8,1,1,,1.5"

static void unused(const char *text, const char *words) {
    const char *why = why_of(text);
    if (!strstr(why, words) || (!*words && *why)) fail_msg("\"%s\" lacks \"%s\"", why, words);
}

/* A row that cannot be used says why, with column and value, and refuses nothing. */
static void test_why(void **state) {
    (void)state;
    unused(HEAD "\n" RUN "\n", "");
    unused(HEAD "\nx,A100,8,24,many,16,1024,8,8,1,1,,1.5\n", "hidden \"many\" is not a number");
    unused(HEAD "\nx,A100,8,24.5,2048,16,1024,8,8,1,1,,1.5\n", "layers 24.5 is not a whole number");
    unused(HEAD "\nx,A100,8,24,2048,16,1024,8,8,1,1,,0\n", "iteration_s 0 is out of range");
    unused(HEAD "\nx,A100,8,24,2048,16,1024,8,8,1,1,,\"1,512\"\n", "iteration_s \"1,512\" could mean 1512 or 1.512");
    unused(HEAD "\nx,A100,16,24,2048,16,1024,8,8,1,1,,1.5\n", "tp x pp x dp x cp is 8, n_accelerators 16");
    unused(HEAD "\nx,A100,8,24,2048,12,1024,8,8,1,1,,1.5\n", "tp 8 does not divide heads 12");
    unused(HEAD "\nx,A100,8,24,2048,24,1024,8,8,1,1,,1.5\n", "heads 24 does not divide hidden 2048");
    unused(HEAD "\nx,A100,8,24,2048,16,1024,8,8,1,1,32,1.5\n", "kv_heads 32 are more than heads 16");
    unused(HEAD ",tokens_per_s_per_accel\nx,A100,8,24,2048,16,1024,8,8,1,1,,1,2048\n", "leave the wrong one blank");
    unused(HEAD "\nx,A100,8,24,2048,16,1024,4,1,1,8,,1.5\n", "global_batch 4 is less than dp 8");
    unused(HEAD "\nx,A100,8,24,2048,16,1024,8192,8,1,1,,1.5\n", "above the dense peak of 312");
    unused(HEAD ",tflops_per_accel\n" RUN ",624\n", "a sparse peak");
    unused(HEAD ",tflops_per_accel\n" RUN ",100\n", "no convention explains");
    unused(HEAD ",recompute\n" RUN ",fully\n", "take none, selective, full");
    unused(HEAD ",sequence_parallel\n" RUN ",1\n", "take True, False");
    unused(HEAD ",tier\n" RUN ",4\n", "tier \"4\" is unknown");
    unused(HEAD ",complete\n" RUN ",maybe\n", "complete \"maybe\" is unknown");
    unused(HEAD ",framework\n" RUN ",jax\n", "framework \"jax\" is unknown");
    unused(HEAD "\n" RUN ",7\n", "14 fields, but the header has 13");
    unused(HEAD "\nx,A100,8\n", "3 fields, but the header has 13");
    unused(HEAD ",tier\nx,A100,16,24,2048,16,1024,8,8,1,1,,1.5,3\n", "n_accelerators 16");
    unused(HEAD ",tier\nx,A100,16,24,2048,16,1024,8,8,1,1,,1.5,never\n", "");
    unused(HEAD ",precision\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,fp8\n", "");
    unused(HEAD ",precision\nx,A100,8,24,2048,16,1024,8,8,1,1,,1.5,fp8\n", "data sheet has no fp8");
    unused(HEAD ",precision\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,int8\n", "precision \"int8\" is unknown");
    unused(HEAD ",kind\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,moe-bf16\n", "make it dense-bf16");
    unused(HEAD ",attention\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,hybrid\n", "state-space layers");
    unused(HEAD ",experts\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,8\n", "experts_per_token is blank");
    unused(HEAD ",experts,experts_per_token,ep\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,8,2,3\n", "ep 3 does not divide");
    unused(HEAD ",experts,experts_per_token,ep\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,64,2,16\n",
           "ep 16 x etp 1 does not divide the 8 ranks");
    unused(HEAD ",precision\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,half\n", "precision \"half\" is unknown");
    unused(HEAD ",ep\nx,H100,8,24,2048,16,1024,8,8,1,1,,1.5,8\n", "experts");
    unused(HEAD "\nx,H100-PCIe,8,24,2048,16,1024,8,8,1,1,,1.5\n", "PCIe");
    unused(HEAD "\nx,TPU v4,8,24,2048,16,1024,8,8,1,1,,1.5\n",
           "data sheet is not among those fitted: accelerator \"TPU v4\"");
    unused(HEAD "\nx,H100 or A100,8,24,2048,16,1024,8,8,1,1,,1.5\n", "names both A100 and H100");
    unused(HEAD "\nx,H100,8,,2048,16,1024,8,8,1,1,,1.5\n", "a size is unknown: layers");
    unused(HEAD "\nx,H100,8,24,2048,16,1024,8,8,1,1,,\n", "neither");
}

static int complete_and_tier(const struct fit_run *run) {
    return run->complete ? run->tier : -1;
}

/* What a mistyped word was meant for is not known: such rows are due, so that they are named. */
static void test_mistyped_rows_are_due(void **state) {
    (void)state;
    struct fit_runs runs;
    struct base_error e = {0};
    if (read_text(HEAD ",tier,complete\n" RUN ",4,\n" RUN ",2,maybe\n" RUN ",3,yes\n" RUN ",,no\n", &runs, &e))
        fail_msg("%s", e.text);
    assert_int_equal(complete_and_tier(&runs.run[0]), 1);
    assert_int_equal(complete_and_tier(&runs.run[1]), 1);
    assert_int_equal(complete_and_tier(&runs.run[2]), 3);
    assert_string_equal(fit_run_why(&runs.run[2]), "tier 3: good for order alone");
    assert_string_equal(fit_run_why(&runs.run[3]), "incomplete");
    assert_int_equal(runs.run[1].line, 3);
    fit_runs_free(&runs);
}

/* A stage more than layers for the embedding, and one for the head, as BLOOM's 72 stages of 70 layers. */
static void test_stages_of_ends(void **state) {
    (void)state;
    static const struct {
        const char *cells, *why;
        bool slots;
    } cases[] = {
        {"192,24,2048,16,1024,8,8,24,1,,1.5,", "", false},
        {"200,24,2048,16,1024,8,8,25,1,,1.5,", "", true},
        {"208,24,2048,16,1024,8,8,26,1,,1.5,", "", true},
        {"208,24,2048,16,1024,8,8,26,1,,1.5,False", "pp 26 is more than layers 24, and pipeline_slots is False", false},
        {"216,24,2048,16,1024,8,8,27,1,,1.5,", "pp 27 is more than layers 24, embedding and head", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct fit_runs runs;
        struct base_error e = {0};
        snprintf(text, sizeof text, HEAD ",pipeline_slots\nx,A100,%s\n", cases[i].cells);
        if (read_text(text, &runs, &e)) fail_msg("%s", e.text);
        const char *why = fit_run_why(&runs.run[0]);
        if (strncmp(why, cases[i].why, strlen(cases[i].why)) || (!*cases[i].why && *why)) fail_msg("%s", why);
        assert_true(runs.run[0].job.traits.slots == cases[i].slots);
        fit_runs_free(&runs);
    }
}

/* The catalogue's files by what tables call them: class, peak, memory's rate, and a usual fabric's bytes/s of a node.
 */
static void test_sheets(void **state) {
    (void)state;
    static const struct {
        const char *name;
        const char *class;
        double peak, memory, node;
        bool like; /* runs on it were fitted */
    } cases[] = {{"A100-SXM4-80GB", "ampere", 312e12, 2.039e12, 200e9, true},
                 {"A100-SXM4-40GB", "ampere", 312e12, 1.555e12, 200e9, true},
                 {"NVIDIA A100 40 GB", "ampere", 312e12, 1.555e12, 200e9, true},
                 {"V100-SXM3-32GB", "volta", 125e12, 0.9e12, 100e9, true},
                 {"h100 96GB HBM2e", "hopper", 989e12, 3.35e12, 400e9, true},
                 {"H200-SXM-141GB", "hopper", 989e12, 4.8e12, 400e9, true},
                 {"H800", "hopper", 989e12, 3.35e12, 400e9, false},
                 {"GH200 120GB (96 GB HBM3)", "hopper", 989e12, 4e12, 200e9, false},
                 {"B200-SXM-180GB", "blackwell", 2250e12, 8e12, 400e9, true},
                 {"GB200 (NVL72)", "blackwell", 2500e12, 8e12, 200e9, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct fit_runs runs;
        struct base_error e = {0};
        snprintf(text, sizeof text, HEAD "\nx,%s,8,24,2048,16,1024,8,8,1,1,,1.5\n", cases[i].name);
        if (read_text(text, &runs, &e)) fail_msg("%s", e.text);
        const struct fit_run *run = &runs.run[0];
        const struct cost_platform *p = &run->job.platform;
        if (run->why || strcmp(p->class->name, cases[i].class) != 0 || p->peak_flop_per_s != cases[i].peak ||
            p->memory_bytes_per_s != cases[i].memory || p->node_bytes_per_s != cases[i].node ||
            !run->unlike != cases[i].like)
            fail_msg("%s: %s, %s, %g, %g, %g, %s", cases[i].name, run->why, p->class->name, p->peak_flop_per_s,
                     p->memory_bytes_per_s, p->node_bytes_per_s, run->unlike);
        fit_runs_free(&runs);
    }
}

/* Excel's French export: semicolons, decimal commas, and its words for true and false. */
static void test_semicolons(void **state) {
    (void)state;
    struct fit_runs runs;
    struct base_error e = {0};
    if (read_text(
            "id;accelerator;n_accelerators;layers;hidden;heads;seq_len;global_batch;iteration_s;sequence_parallel\r\n"
            "x;A100;8;24;2 048;16;1024;8;1,512;VRAI\r\n;;;;;;;;;\r\ny;A100;8;24;2048;16;1024;8;1,5;FALSCH\r\n",
            &runs, &e))
        fail_msg("%s", e.text);
    assert_int_equal(runs.count, 2);
    assert_null(runs.run[0].why);
    assert_true(runs.run[0].measured_s == 1.512 && runs.run[0].job.model.width == 2048);
    assert_true(runs.run[0].job.layout.sequence_parallel && !runs.run[1].job.layout.sequence_parallel);
    assert_null(runs.run[1].why);
    fit_runs_free(&runs);
}

static struct cost_job job_of(const char *columns, const char *cells, double *measured_s) {
    char text[512];
    struct fit_runs runs;
    struct base_error e = {0};
    snprintf(text, sizeof text, HEAD "%s\nx,H100-SXM5,64,24,2048,16,1024,64,8,1,8,,1.5%s\n", columns, cells);
    if (read_text(text, &runs, &e)) fail_msg("%s", e.text);
    const struct cost_job job = runs.run[0].job;
    if (measured_s) *measured_s = runs.run[0].measured_s;
    fit_runs_free(&runs);
    return job;
}

static void fabric(const char *words, enum cost_fabric fabric, double bytes_per_s, double domain) {
    char cells[128];
    snprintf(cells, sizeof cells, ",%s", words);
    const struct cost_platform p = job_of(",interconnect", cells, NULL).platform;
    if (p.fabric != fabric || p.node_bytes_per_s != bytes_per_s || p.domain != domain)
        fail_msg("%s: %d, %g, %g", words, p.fabric, p.node_bytes_per_s, p.domain);
}

static void test_fabrics(void **state) {
    (void)state;
    fabric("InfiniBand NDR 400 Gb/s x4 per node", COST_INFINIBAND, 200e9, 8);
    fabric("RoCE 1600 Gb/s per node", COST_ROCE, 200e9, 8);
    fabric("RoCE 2 Tb/s per host", COST_ROCE, 250e9, 8);
    fabric("400 Gb/s per GPU", COST_INFINIBAND, 400e9, 8);
    fabric("Omni-Path 100 Gb/s x4 per node", COST_OMNIPATH, 50e9, 8);
    fabric("DGX (8x NDR400 per node)", COST_INFINIBAND, 400e9, 8);
    fabric("4x CX-7 NDR400 per node + NVL72", COST_INFINIBAND, 200e9, 64);
    fabric("Slingshot-11 200 Gb/s x4 per node", COST_ROCE, 100e9, 8);
    fabric("not stated", COST_INFINIBAND, 400e9, 8); /* as usual for H100 */
}

/* Columns say more than words. */
static void test_traits(void **state) {
    (void)state;
    struct cost_traits p = job_of(",notes", ",NeMo", NULL).traits;
    assert_int_equal(p.framework, COST_MEGATRON_CORE);
    assert_true(p.overlap_dp && p.flash && p.grad_bytes == 2);
    p = job_of(",notes,framework", ",NeMo,fsdp", NULL).traits;
    assert_int_equal(p.framework, COST_FSDP);
    p = job_of(",notes,launch_blocking,grad_bytes,zero_group,pipeline_slots", ",NeMo,True,4,2,True", NULL).traits;
    assert_true(p.blocking && !p.overlap_dp && p.slots && p.grad_bytes == 4 && p.zero_group == 2);
    p = job_of(",launch_blocking,overlap_dp,async_tp", ",True,True,True", NULL).traits;
    assert_true(p.blocking && p.overlap_dp && p.async_tp);
}

/* 24 layers of 12 x 2048^2 and a table of 51,200 x 2048, 65,536 tokens on 64 GPUs; attention 2 x 24 x 1024 x 2048 a
 * token: 6 x (1,207,959,552 + 104,857,600 + 100,663,296) = 8,480,882,688 FLOP a token, the square of attention counted;
 * with recomputation 2 x 1,207,959,552 + 100,663,296 more. */
static void test_rates(void **state) {
    (void)state;
    static const char head[] =
        "id,accelerator,n_accelerators,layers,hidden,heads,seq_len,global_batch,flops_convention,"
        "tflops_per_accel\nx,H100,64,24,2048,16,1024,64,";
    static const struct {
        const char *cells;
        double seconds;
    } cases[] = {{"model,100\n", 8480882688.0 * 1024 / 100e12},
                 {"hardware,100\n", 8480882688.0 * 1024 / 100e12},
                 {"megatron-full-recompute,100\n", (8480882688.0 + 2516582400.0) * 1024 / 100e12}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[512];
        struct fit_runs runs;
        struct base_error e = {0};
        snprintf(text, sizeof text, "%s%s", head, cases[i].cells);
        if (read_text(text, &runs, &e)) fail_msg("%s", e.text);
        const double off = runs.run[0].measured_s / cases[i].seconds - 1;
        if (off > 1e-12 || off < -1e-12) fail_msg("%s: %g", cases[i].cells, runs.run[0].measured_s);
        fit_runs_free(&runs);
    }
}

static void test_own_table(void **state) {
    (void)state;
    struct fit_runs runs;
    struct base_error e = {0};
    if (read_text(HEAD "\nmine,H100-SXM5,8,24,2048,16,1024,8,8,1,1,,1.5\n", &runs, &e)) fail_msg("%s", e.text);
    assert_int_equal(runs.count, 1);
    assert_int_equal(runs.run[0].tier, 1);
    assert_true(runs.run[0].complete && !runs.run[0].why && runs.run[0].measured_s == 1.5);
    assert_true(runs.run[0].job.model.ffn == 8192 && !runs.run[0].job.model.family->gated);
    assert_int_equal(runs.run[0].job.traits.framework, COST_MEGATRON);
    assert_string_equal(runs.run[0].job.platform.class->name, "hopper");
    fit_runs_free(&runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts),
                                       cmocka_unit_test(test_jobs),
                                       cmocka_unit_test(test_flop),
                                       cmocka_unit_test(test_releases),
                                       cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_own_table),
                                       cmocka_unit_test(test_why),
                                       cmocka_unit_test(test_fabrics),
                                       cmocka_unit_test(test_traits),
                                       cmocka_unit_test(test_rates),
                                       cmocka_unit_test(test_mistyped_rows_are_due),
                                       cmocka_unit_test(test_stages_of_ends),
                                       cmocka_unit_test(test_sheets),
                                       cmocka_unit_test(test_semicolons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
