/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of published runs as jobs: how many there are and why others are not; runs against literals; refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "project/published.h"
#include "unit/support/published_jobs.h"

#define TABLE "harness/catalog/runs/published.csv"
#define HEAD "id,accelerator,n_accelerators,layers,hidden,heads,seq_len,global_batch,tp,pp,dp,kv_heads,iteration_s"

static const struct project_run *find(const struct project_runs *runs, const char *id) {
    for (int i = 0; i < runs->count; i++)
        if (!strcmp(runs->run[i].id, id)) return &runs->run[i];
    fail_msg("%s is not in the table", id);
    return NULL;
}

static void test_counts(void **state) {
    (void)state;
    struct project_runs runs;
    struct base_error e = {0};
    int used[3] = {0}, unused = 0;
    if (project_runs_read(TABLE, &runs, &e)) fail_msg("%s", e.text);
    for (int i = 0; i < runs.count; i++) {
        const struct project_run *run = &runs.run[i];
        if (!run->complete || run->tier < 1 || run->tier > 2) continue;
        if (run->why)
            unused++;
        else
            used[run->tier]++;
    }
    assert_int_equal(runs.count, 1092);
    assert_int_equal(used[1], 187);
    assert_int_equal(used[2], 447);
    assert_int_equal(unused, 12);
    project_runs_free(&runs);
}

/* Rows become the jobs that another reader made of them: their price tells. */
static void test_jobs(void **state) {
    (void)state;
    struct project_runs runs;
    struct base_error e = {0};
    struct project_parameters p;
    struct project_step s;
    project_parameters_prior(&p);
    for (int k = 0; k < PROJECT_PARAMETERS; k++) p.value[k] = published_parameters[k];
    if (project_runs_read(TABLE, &runs, &e)) fail_msg("%s", e.text);
    for (size_t i = 0; i < sizeof published_jobs / sizeof *published_jobs; i++) {
        const struct published_job *row = &published_jobs[i];
        const struct project_run *run = find(&runs, row->id);
        assert_null(run->why);
        project_step(&run->job, &p, &(struct project_ablation){0}, &s);
        if (s.total > row->expected[0] * (1 + 1e-5) || s.total < row->expected[0] * (1 - 1e-5))
            fail_msg("%s: %g s, not %g", row->id, s.total, row->expected[0]);
    }
    assert_true(find(&runs, "kort-005")->measured_s == 49.05);
    assert_non_null(strstr(find(&runs, "bs-104b-012")->why, "doubts"));
    assert_non_null(strstr(find(&runs, "cpu-001")->why, "data sheet"));
    project_runs_free(&runs);
}

static int read_text(const char *text, struct project_runs *runs, struct base_error *e) {
    char path[] = "/tmp/test_published_XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    const int code = project_runs_read(path, runs, e);
    unlink(path);
    return code;
}

static void refused(const char *text, const char *where, const char *why) {
    struct project_runs runs;
    struct base_error e = {0};
    assert_int_equal(read_text(text, &runs, &e), BASE_USAGE);
    if (!strstr(e.text, where) || !strstr(e.text, why)) fail_msg("\"%s\" lacks \"%s\" or \"%s\"", e.text, where, why);
}

static void test_refused(void **state) {
    (void)state;
    refused("id,heads,colour\nx,1,red\n", ":1:", "unknown column \"colour\"");
    refused("id,accelerator\nx,A100\n", ":1:", "no column \"n_accelerators\"");
    refused(HEAD "\nx,A100,8,24,many,16,1024,8,8,1,1,,1.5\n", ":2:", "hidden \"many\" is not a number");
    refused(HEAD "\nx,A100,8,24,2048,16,1024,8,8,1,1,,0\n", ":2:", "iteration_s 0 is out of range");
    refused(HEAD "\nx,A100,16,24,2048,16,1024,8,8,1,1,,1.5\n", ":2:", "tp x pp x dp x cp is 8, n_accelerators 16");
    refused(HEAD "\nx,A100,8,24,2048,12,1024,8,8,1,1,,1.5\n", ":2:", "tp 8 does not divide heads 12");
    refused(HEAD "\nx,A100,8,24,2048,16,1024,8,8,1,1,32,1.5\n", ":2:", "kv_heads 32 are more than heads 16");
    refused(HEAD "\nx,A100,32,24,2048,16,1024,8,1,32,1,,1.5\n", ":2:", "pp 32 is more than layers 24");
    refused(HEAD ",tokens_per_s_per_accel\nx,A100,8,24,2048,16,1024,8,8,1,1,,1,2048\n",
            ":2:", "leave the wrong one blank");
}

static void test_own_table(void **state) {
    (void)state;
    struct project_runs runs;
    struct base_error e = {0};
    if (read_text(HEAD "\nmine,H100-SXM5,8,24,2048,16,1024,8,8,1,1,,1.5\n", &runs, &e)) fail_msg("%s", e.text);
    assert_int_equal(runs.count, 1);
    assert_int_equal(runs.run[0].tier, 1);
    assert_true(runs.run[0].complete && !runs.run[0].why && runs.run[0].measured_s == 1.5);
    assert_true(runs.run[0].job.shape.ffn == 8192 && !runs.run[0].job.shape.gated);
    assert_int_equal(runs.run[0].job.practice.era, PROJECT_MEGATRON);
    assert_int_equal(runs.run[0].job.platform.device, PROJECT_H100);
    project_runs_free(&runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_counts), cmocka_unit_test(test_jobs),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_own_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
