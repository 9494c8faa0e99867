/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines from elsewhere: Calculon's systems, and records of toise. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/support/folder.h"
#include "unit/support/machine_json.h"

/* As github.com/calculon-ai/calculon has them, with a third network. */
static const char calculon[] =
    "{\"matrix\":{\"tflops\":312,\"gflops_efficiency\":{\"float16\":[[128,0.95],[16,0.9],[1,0.6],[0,0.1]]}},"
    "\"vector\":{\"tflops\":78,\"gflops_efficiency\":{\"float16\":[[16,0.95],[0,0.1]],\"float32\":[[0,0.5]]}},"
    "\"mem1\":{\"GiB\":80,\"GBps\":2048,\"MB_efficiency\":[[100,0.9],[10,0.75],[0,0.3]]},"
    "\"mem2\":{\"GiB\":512,\"GBps\":32,\"MB_efficiency\":[[100,0.95],[0,0.3]]},\"processing_mode\":\"no_overlap\","
    "\"networks\":[{\"bandwidth\":300,\"efficiency\":0.6,\"size\":8,\"latency\":1e-6,\"ops\":{\"p2p\":1.0}},"
    "{\"bandwidth\":25,\"efficiency\":0.9,\"size\":256,\"latency\":2e-6},"
    "{\"bandwidth\":12.5,\"efficiency\":0.9,\"size\":65536,\"latency\":2e-6}]}";

static int read_as(const char *name, const char *text, struct project_machine *m, struct base_error *e) {
    folder_write(name, text, strlen(text));
    return project_machine_read(folder_path, m, e);
}

static void calculon_is_read(void **state) {
    (void)state;
    struct project_machine m;
    struct base_error e = {0};
    if (read_as("a100_80g.json", calculon, &m, &e)) fail_msg("%s", e.text);
    const struct project_accelerator *a = &m.accelerator;
    assert_string_equal(m.name, "a100_80g");
    assert_true(m.hypothetical);
    assert_null(m.country);
    assert_true(m.nodes.value == 8192 && m.node.accelerators.value == 8 && m.accelerators.value == 65536);
    assert_int_equal(m.nodes.status, PROJECT_ASSUMED);
    assert_true(a->peak_flop_per_s[PROJECT_FP16].value == 312e12 && a->peak_flop_per_s[PROJECT_BF16].value == 312e12);
    assert_true(a->peak_flop_per_s[PROJECT_FP32].value == 78e12); /* the vector engine's, which alone has it */
    assert_false(project_fact_known(&a->peak_flop_per_s[PROJECT_FP8]));
    assert_int_equal(a->matmul_share[PROJECT_BF16].count, 4);
    assert_true(a->matmul_share[PROJECT_BF16].row[1].from == 16e9 && a->matmul_share[PROJECT_BF16].row[1].share == 0.9);
    assert_true(a->memory_bytes.value == 85899345920.0 && a->memory_bytes_per_s.value == 2048e9);
    assert_int_equal(a->memory_share.count, 3);
    assert_true(a->memory_share.row[0].from == 100e6);
    assert_true(a->scale_up_bytes_per_s.value == 300e9 && m.node.scale_up_share.value == 0.6);
    assert_true(a->host_bytes_per_s.value == 32e9 && m.node.memory_bytes.value == 8 * 512 * 1073741824.0);
    assert_true(m.node.rails.value == 8 && m.node.rail_bytes_per_s.value == 25e9 && m.network.share.value == 0.9);
    assert_true(m.network.latency_s.value == 2e-6);
    assert_int_equal(m.network.level_count, 2);
    assert_true(m.network.levels[0].nodes.value == 32 && m.network.levels[0].oversubscription.value == 1);
    assert_true(m.network.levels[1].nodes.value == 8192 && m.network.levels[1].oversubscription.value == 2);
    assert_non_null(strstr(a->memory_bytes.source, "a100_80g.json"));
    assert_int_equal(project_machine_set(&m, "accelerators", "4096", &e), BASE_OK);
    assert_true(m.nodes.value == 512);
    project_machine_close(&m);
    char *one = machine_json_changed(calculon, "networks", "[{\"bandwidth\":300,\"efficiency\":0.6,\"size\":8}]");
    if (read_as("one.json", one, &m, &e)) fail_msg("%s", e.text);
    assert_true(m.nodes.value == 1);
    assert_false(project_fact_known(&m.node.rails));
    project_machine_close(&m);
    free(one);
}

static void calculon_is_refused(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"matrix", NULL, "\"matrix\" is missing"},
        {"vector", NULL, "\"vector\" is missing"},
        {"matrix.gflops_efficiency", NULL, "matrix.gflops_efficiency"},
        {"matrix.tflops", NULL, "matrix.tflops"},
        {"matrix.tflops", "\"312\"", "matrix.tflops"},
        {"matrix.tflops", "0", "matrix.tflops"},
        {"matrix.tflops", "312e12", "FLOP/s"},
        {"matrix.gflops_efficiency.float16", "[]", "float16"},
        {"matrix.gflops_efficiency.float16", "[[0, 1.5]]", "float16[0]"},
        {"matrix.gflops_efficiency.float16", "[[128, 0.9], [16, 0.5]]", "size 0"},
        {"matrix.gflops_efficiency.float16", "[[0, 0.9], [16, 0.5]]", "largest down"},
        {"mem1", NULL, "mem1.GiB"},
        {"mem1.GiB", "80e9", "mem1.GiB"},
        {"mem1.GBps", NULL, "mem1.GBps"},
        {"mem1.MB_efficiency", NULL, "mem1.MB_efficiency"},
        {"mem2.GBps", NULL, "mem2.GBps"},
        {"networks", NULL, "networks"},
        {"networks", "[]", "networks"},
        {"networks.0.size", NULL, "networks[0].size"},
        {"networks.1.size", "100", "multiple"},
        {"networks.1.bandwidth", "200", "eight times"},
        {"networks.1.efficiency", "90", "share"},
        {"networks.1.latency", NULL, "networks[1].latency"},
        {"networks.2.bandwidth", "50", "full bisection"},
        {"networks.2.size", "128", "inside out"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *text = machine_json_changed(calculon, rows[i][0], rows[i][1]);
        struct project_machine m;
        struct base_error e = {0};
        const int code = read_as("c.json", text, &m, &e);
        if (code != BASE_USAGE) fail_msg("%s: code %d", rows[i][0], code);
        if (!strstr(e.text, "/c.json: ") || !strstr(e.text, rows[i][2]))
            fail_msg("%s: \"%s\" lacks %s", rows[i][0], e.text, rows[i][2]);
        free(text);
    }
}

#define MACHINE "\"machine\":{\"cpu\":\"C\",\"sockets\":2,\"cores\":64,\"memory_bytes\":274877906944}"
#define HEAD(kind, status, nodes)                                                                                      \
    "{\"schema\":\"toise/1\",\"kind\":\"" kind "\",\"status\":\"" status                                               \
    "\",\"time\":\"2026-01-31T12:00:00Z\"," MACHINE ",\"layout\":{\"world\":1,\"nodes\":" nodes ",\"threads\":64},"
#define TRAIN(status, precision, nodes, peak)                                                                          \
    HEAD("train", status, nodes)                                                                                       \
    "\"config\":{\"precision\":\"" precision "\"},\"result\":{\"peak_flop_per_s\":" peak "}}\n"
#define KERNEL(result) HEAD("kernel", "PASSED", "1") "\"result\":{" result "}}\n"
#define GEMM(threads, rate)                                                                                            \
    KERNEL("\"op\":\"gemm\",\"m\":1024,\"n\":2304,\"k\":768,\"dtype\":\"bf16\",\"threads\":" threads                   \
           ",\"flop_per_s\":" rate ",\"peak_flop_per_s\":8e12,\"bandwidth_byte_per_s\":250e9")

static void records_are_read(void **state) {
    (void)state;
    static const char text[] = TRAIN("PASSED", "fp32", "4", "16e12") TRAIN("FAILED", "fp32", "9", "99e12")
        TRAIN("PASSED", "fp32", "1", "3.9e12") GEMM("64", "5e12") GEMM("64", "6e12") GEMM("64", "4e12")
            GEMM("1", "0.1e12") HEAD("openblas", "PASSED", "1") "\"result\":{}}\n" KERNEL(
                "\"op\":\"triad\",\"n\":9,\"dtype\":\"f32\",\"threads\":64,\"byte_per_s\":200e9,"
                "\"bandwidth_byte_per_s\":260e9");
    struct project_machine m;
    struct base_error e = {0};
    if (read_as("node.jsonl", text, &m, &e)) fail_msg("%s", e.text);
    const struct project_accelerator *a = &m.accelerator;
    assert_string_equal(m.name, "node");
    assert_string_equal(m.title, "C, measured by toise");
    assert_false(m.hypothetical);
    assert_true(m.year.value == 2026 && m.nodes.value == 4 && m.accelerators.value == 4);
    assert_int_equal(a->kind, PROJECT_CPU);
    assert_true(a->peak_flop_per_s[PROJECT_FP32].value == 4e12); /* a node's */
    assert_true(a->peak_flop_per_s[PROJECT_BF16].value == 8e12);
    assert_int_equal(a->peak_flop_per_s[PROJECT_BF16].status, PROJECT_MEASURED);
    assert_true(a->achieved_flop_per_s[PROJECT_BF16].value == 6e12);
    assert_true(a->memory_bytes_per_s.value == 200e9);
    assert_false(project_fact_known(&a->memory_bytes)); /* a CPU's memory is its node's */
    assert_true(m.node.memory_bytes.value == 274877906944.0 && m.node.sockets.value == 2 && m.node.cores.value == 64);
    assert_false(project_fact_known(&m.node.rails));
    assert_int_equal(m.point_count, 2);
    assert_true(m.points[0].m == 1024 && m.points[0].n == 2304 && m.points[0].k == 768);
    assert_true(m.points[0].threads == 64 && m.points[0].flop_per_s == 6e12 && m.points[0].share == 0.75);
    assert_true(m.points[0].dtype == PROJECT_BF16 && m.points[1].threads == 1);
    project_machine_close(&m);
    if (read_as("gemm.jsonl", GEMM("64", "5e12"), &m, &e)) fail_msg("%s", e.text);
    assert_true(m.accelerator.memory_bytes_per_s.value == 250e9); /* no pass alone was timed: the roof */
    project_machine_close(&m);
}

static void records_are_refused(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"", "no record"},
        {TRAIN("FAILED", "fp32", "1", "4e12"), "toise kernels"},
        {"{\"schema\":\"toise/2\",\"kind\":\"train\"}\n", "toise/2"},
        {"{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"PASSED\"}\n", "machine"},
        {TRAIN("PASSED", "fp32", "1", "4e12") "{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"PASSED\","
                                              "\"machine\":{\"cpu\":\"D\",\"sockets\":2,\"cores\":64}}\n",
         "machine.cpu"},
        {"{}\n{}\n", "schema"},
        {"not a record\n", "line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct project_machine m;
        struct base_error e = {0};
        const int code = read_as("r.jsonl", rows[i][0], &m, &e);
        if (code != BASE_USAGE) fail_msg("row %zu: code %d", i, code);
        if (!strstr(e.text, "/r.jsonl") || !strstr(e.text, rows[i][1]))
            fail_msg("row %zu: \"%s\" lacks %s", i, e.text, rows[i][1]);
    }
}

/* Those that are kept in the repository. */
static void reference_results(void **state) {
    (void)state;
    struct project_machine m;
    struct base_error e = {0};
    if (project_machine_read("results/amd-epyc-zen5-2-cores.jsonl", &m, &e)) fail_msg("%s", e.text);
    assert_true(m.accelerator.peak_flop_per_s[PROJECT_FP32].value > 1e11);
    assert_true(m.accelerator.peak_flop_per_s[PROJECT_BF16].value > m.accelerator.peak_flop_per_s[PROJECT_FP32].value);
    project_machine_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calculon_is_read),  cmocka_unit_test(calculon_is_refused),
        cmocka_unit_test(records_are_read),  cmocka_unit_test(records_are_refused),
        cmocka_unit_test(reference_results),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
