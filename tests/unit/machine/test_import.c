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

static int read_as(const char *name, const char *text, struct machine *m, struct base_error *e) {
    folder_write(name, text, strlen(text));
    return machine_read(folder_path, m, e);
}

static void calculon_is_read(void **state) {
    (void)state;
    struct machine m;
    struct base_error e = {0};
    if (read_as("a100_80g.json", calculon, &m, &e)) fail_msg("%s", e.text);
    const struct machine_accelerator *a = &m.accelerator;
    assert_string_equal(m.name, "a100_80g");
    assert_true(m.hypothetical);
    assert_null(m.country);
    assert_true(m.nodes.value == 8192 && m.node.accelerators.value == 8 && m.accelerators.value == 65536);
    assert_int_equal(m.nodes.status, MACHINE_ASSUMED);
    assert_true(a->peak_flop_per_s[MACHINE_FP16].value == 312e12 && a->peak_flop_per_s[MACHINE_BF16].value == 312e12);
    assert_true(a->peak_flop_per_s[MACHINE_FP32].value == 78e12); /* the vector engine's, which alone has it */
    assert_false(machine_fact_known(&a->peak_flop_per_s[MACHINE_FP8]));
    assert_int_equal(a->matmul_share[MACHINE_BF16].count, 4);
    assert_true(a->matmul_share[MACHINE_BF16].row[1].from == 16e9 && a->matmul_share[MACHINE_BF16].row[1].share == 0.9);
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
    assert_int_equal(machine_set(&m, "accelerators", "4096", &e), BASE_OK);
    assert_true(m.nodes.value == 512);
    machine_close(&m);
    char *one = machine_json_changed(calculon, "networks", "[{\"bandwidth\":300,\"efficiency\":0.6,\"size\":8}]");
    if (read_as("one.json", one, &m, &e)) fail_msg("%s", e.text);
    assert_true(m.nodes.value == 1);
    assert_false(machine_fact_known(&m.node.rails));
    machine_close(&m);
    free(one);
}

/* The same system as Calculon has them since 2023, each type with its own peak and shares. */
#define SHARES "\"gflops_efficiency\":[[128,0.95],[16,0.9],[1,0.6],[0,0.1]]"
static const char matrix_by_type[] =
    "{\"float8\":{\"tflops\":2000," SHARES "},\"float16\":{\"tflops\":1000," SHARES "},"
    "\"bfloat16\":{\"tflops\":900,\"gflops_efficiency\":[[0,0.8]]}}";
static const char vector_by_type[] = "{\"float16\":{\"tflops\":120,\"gflops_efficiency\":[[0,0.1]]},"
                                     "\"float32\":{\"tflops\":60,\"gflops_efficiency\":[[16,0.9],[0,0.2]]}}";

static char *by_type(void) {
    char *half = machine_json_changed(calculon, "matrix", matrix_by_type);
    char *whole = machine_json_changed(half, "vector", vector_by_type);
    free(half);
    return whole;
}

static void calculon_by_type_is_read(void **state) {
    (void)state;
    struct machine m;
    struct base_error e = {0};
    char *text = by_type();
    if (read_as("h100_80g_nvl8.json", text, &m, &e)) fail_msg("%s", e.text);
    const struct machine_accelerator *a = &m.accelerator;
    assert_true(a->peak_flop_per_s[MACHINE_FP8].value == 2000e12 && a->peak_flop_per_s[MACHINE_FP16].value == 1000e12);
    assert_true(a->peak_flop_per_s[MACHINE_BF16].value == 900e12 && a->peak_flop_per_s[MACHINE_FP32].value == 60e12);
    assert_int_equal(a->matmul_share[MACHINE_FP16].count, 4);
    assert_int_equal(a->matmul_share[MACHINE_BF16].count, 1);
    assert_true(a->matmul_share[MACHINE_BF16].row[0].share == 0.8);
    assert_true(a->matmul_share[MACHINE_FP32].row[0].from == 16e9 && a->matmul_share[MACHINE_FP32].row[0].share == 0.9);
    assert_null(m.remarks);
    machine_close(&m);
    free(text);
}

/* A path changed to a value; what the remarks must say of it. */
static void remarked(const char *path, const char *value, const char *says, struct machine *m) {
    struct base_error e = {0};
    char *own = by_type(), *text = machine_json_changed(own, path, value);
    if (read_as("c.json", text, m, &e)) fail_msg("%s: %s", path, e.text);
    if (!m->remarks || !strstr(m->remarks, says)) fail_msg("%s: \"%s\" lacks %s", path, m->remarks, says);
    free(own), free(text);
}

/* Placeholders for no limit are read as such, and what is taken or left out is said. */
static void calculon_is_remarked(void **state) {
    (void)state;
    struct machine m;
    remarked("mem1.GiB", "80000000000", "mem1.GiB 8e+10 taken for no limit", &m);
    assert_true(isinf(m.accelerator.memory_bytes.value) && m.accelerator.memory_bytes.low > 0);
    machine_close(&m);
    remarked("mem2.GiB", "9999999", "mem2.GiB 1e+07 taken for no limit", &m);
    assert_true(isinf(m.node.memory_bytes.value) && m.accelerator.memory_bytes.value == 85899345920.0);
    machine_close(&m);
    remarked("mem1.GBps", "1e300", "as 1e+06 GB/s", &m);
    assert_true(m.accelerator.memory_bytes_per_s.value == 1e15);
    machine_close(&m);
    remarked("networks",
             "[{\"bandwidth\":1e9,\"efficiency\":1,\"size\":8},"
             "{\"bandwidth\":1e9,\"efficiency\":1,\"size\":64,\"latency\":1e-6}]",
             "networks[1].bandwidth 1e+09 taken for no limit", &m);
    assert_true(m.node.rail_bytes_per_s.value == 1e15 && m.accelerator.scale_up_bytes_per_s.value == 1e15);
    machine_close(&m);
    remarked("networks.1.latency", "0", "networks[1].latency 0 taken as unknown", &m);
    assert_false(machine_fact_known(&m.network.latency_s));
    machine_close(&m);
    remarked("matrix.bfloat16", NULL, "bfloat16 taken at the rate of matrix.float16", &m);
    assert_true(m.accelerator.peak_flop_per_s[MACHINE_BF16].value == 1000e12);
    machine_close(&m);
    remarked("matrix.int8", "{\"tflops\": 2000, \"gflops_efficiency\": [[0, 0.5]]}", "left out: matrix.int8", &m);
    machine_close(&m);
    remarked("mem1.GIB", "80", "left out: mem1.GIB", &m);
    machine_close(&m);
}

/* Of a path changed to a value in `system`: one line that names the file and says `words`. */
static void refused_at(const char *system, const char *path, const char *value, const char *words) {
    char *text = machine_json_changed(system, path, value);
    struct machine m;
    struct base_error e = {0};
    const int code = read_as("c.json", text, &m, &e);
    if (code != BASE_USAGE) fail_msg("%s: code %d", path, code);
    if (!strstr(e.text, "/c.json: ") || !strstr(e.text, words)) fail_msg("%s: \"%s\" lacks %s", path, e.text, words);
    free(text);
}

static void calculon_by_type_is_refused(void **state) {
    (void)state;
    char *own = by_type();
    refused_at(own, "matrix.float16.tflops", NULL, "field \"matrix.float16.tflops\" is missing");
    refused_at(own, "matrix.float16.tflops", "250e12", "within 0.001 to 1e+06: give TFLOP/s, as 312");
    refused_at(own, "matrix.float16.gflops_efficiency", NULL,
               "field \"matrix.float16.gflops_efficiency\" must be a list");
    refused_at(own, "matrix.float16.gflops_efficiency", "[[128, 0.9]]", "size 0");
    refused_at(own, "matrix.float16", "312", "matrix.float16.tflops");
    refused_at(own, "matrix.tflops", "312", "give it by type");
    refused_at(own, "matrix.gflops_efficiency", "[[0, 0.9]]", "does not state its type");
    refused_at(own, "matrix", "{\"half\": {}}", "none of the types float32");
    refused_at(own, "mem1.GiB", "90000", "within 7.45058 to 931.323: give GiB, as 80");
    free(own);
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
        {"mem1.GiB", "90000", "mem1.GiB"},
        {"mem1.GBps", NULL, "mem1.GBps"},
        {"mem1.MB_efficiency", NULL, "mem1.MB_efficiency"},
        {"mem2.GBps", NULL, "mem2.GBps"},
        {"networks", NULL, "networks"},
        {"networks", "[]", "networks"},
        {"networks.0.size", NULL, "networks[0].size"},
        {"networks.1.size", "100", "multiple"},
        {"networks.1.bandwidth", "200", "not Gbit/s"},
        {"networks.1.efficiency", "90", "share"},
        {"networks.1.latency", NULL, "networks[1].latency"},
        {"networks.2.bandwidth", "50", "full bisection"},
        {"networks.2.size", "128", "innermost level first"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) refused_at(calculon, rows[i][0], rows[i][1], rows[i][2]);
}

#define MACHINE "\"machine\":{\"cpu\":\"C\",\"sockets\":2,\"cores\":64,\"memory_bytes\":274877906944}"
#define HEAD(kind, status, nodes)                                                                                      \
    "{\"schema\":\"toise/1\",\"kind\":\"" kind "\",\"status\":\"" status                                               \
    "\",\"time\":\"2026-01-31T12:00:00Z\"," MACHINE ",\"layout\":{\"world\":1,\"nodes\":" nodes ",\"threads\":64},"
#define TRAIN(status, precision, nodes, peak)                                                                          \
    HEAD("train", status, nodes)                                                                                       \
    "\"config\":{\"precision\":\"" precision "\"},\"result\":{\"peak_flop_per_s\":" peak "}}\n"
#define KERNEL(result) HEAD("kernel", "PASSED", "1") "\"result\":{" result "}}\n"
#define GEMM_KEYS                                                                                                      \
    "\"op\":\"gemm\",\"m\":1024,\"n\":2304,\"k\":768,\"trans\":\"NT\",\"dtype\":\"bf16\",\"flop\":3623878656,"
#define GEMM(variant, threads, call_s, rate)                                                                           \
    KERNEL(GEMM_KEYS "\"variant\":\"" variant "\",\"threads\":" threads ",\"call_s\":" call_s ",\"flop_per_s\":" rate  \
                     ",\"peak_flop_per_s\":8e12,\"bandwidth_byte_per_s\":250e9")
#define TWO_RANKS(status, result)                                                                                      \
    "{\"schema\":\"toise/1\",\"kind\":\"comm\",\"status\":\"" status "\",\"time\":\"2026-01-31T12:00:00Z\"," MACHINE   \
    ",\"layout\":{\"world\":2,\"nodes\":1,\"threads\":64},\"result\":{" result "}}\n"
#define SUM(bytes, time_s) "\"op\":\"all_reduce\",\"bytes\":" bytes ",\"time_s\":" time_s ",\"wrong\":0"

static void records_are_read(void **state) {
    (void)state;
    static const char trained[] = TRAIN("PASSED", "fp32", "4", "16e12") TRAIN("FAILED", "fp32", "9", "99e12")
        TRAIN("PASSED", "fp32", "1", "3.9e12") GEMM("a", "64", "7.247757312e-4", "5e12")
            GEMM("b", "64", "5.17696950857e-4", "7e12") GEMM("b", "64", "6.03979776e-4", "6e12")
                GEMM("openblas", "64", "5.17696950857e-4", "7e12") GEMM("a+packed", "64", "5.17696950857e-4", "7e12")
                    GEMM("a", "1", "3.623878656e-2", "0.1e12");
    static const char passed[] = HEAD("openblas", "PASSED", "1") "\"result\":{}}\n" KERNEL(
        "\"op\":\"triad\",\"n\":9,\"dtype\":\"f32\",\"threads\":64,\"call_s\":2e-3,"
        "\"byte_per_s\":200e9,\"bandwidth_byte_per_s\":260e9")
        TWO_RANKS("PASSED", SUM("1024", "1e-5") ",\"time_s_low\":0.9e-5,\"time_s_high\":1.2e-5")
            TWO_RANKS("PASSED", SUM("4096", "1e-5"))
                TWO_RANKS("PASSED", SUM("4096", "3e-5") ",\"hidden\":null,\"cost_s\":1.5e-5")
                    TWO_RANKS("FAILED", "\"op\":\"all_reduce\",\"bytes\":1024,\"wrong\":7")
                        TWO_RANKS("PASSED", "\"op\":\"share\",\"matmul\":0.9,\"pass\":0.5")
                            TWO_RANKS("PASSED", SUM("4096", "9") ",\"group\":\"intra\"") /* no step has these */
        TWO_RANKS("PASSED", "\"op\":\"all_gather\",\"bytes\":4096,\"time_s\":9,\"wrong\":0")
            TWO_RANKS("PASSED", "\"op\":\"fit\",\"of\":\"all_reduce\",\"ranges\":[]");
    char text[8192];
    snprintf(text, sizeof text, "%s%s", trained, passed);
    struct machine m;
    struct base_error e = {0};
    if (read_as("node.jsonl", text, &m, &e)) fail_msg("%s", e.text);
    const struct machine_accelerator *a = &m.accelerator;
    assert_string_equal(m.name, "node");
    assert_string_equal(m.title, "C, measured by toise");
    assert_false(m.hypothetical);
    assert_true(m.year.value == 2026 && m.nodes.value == 4 && m.accelerators.value == 4);
    assert_int_equal(a->kind, MACHINE_CPU);
    assert_true(a->peak_flop_per_s[MACHINE_FP32].value == 4e12); /* a node's */
    assert_true(a->peak_flop_per_s[MACHINE_BF16].value == 8e12);
    assert_int_equal(a->peak_flop_per_s[MACHINE_BF16].status, MACHINE_MEASURED);
    assert_true(a->achieved_flop_per_s[MACHINE_BF16].value == 7e12);
    assert_true(a->memory_bytes_per_s.value == 200e9);
    assert_false(machine_fact_known(&a->memory_bytes)); /* a CPU's memory is its node's */
    assert_true(m.node.memory_bytes.value == 274877906944.0 && m.node.sockets.value == 2 && m.node.cores.value == 64);
    assert_false(machine_fact_known(&m.node.rails));
    /* of a variant timed twice the median, of variants the faster; not OpenBLAS, not a B that was packed ahead */
    assert_int_equal(m.point_count, 3);
    const struct machine_point *p = &m.points[0];
    assert_string_equal(p->op, "gemm");
    assert_string_equal(p->trans, "NT");
    assert_string_equal(p->variant, "b");
    assert_true(p->sizes[0] == 1024 && p->sizes[1] == 2304 && p->sizes[2] == 768 && p->sizes[3] == 1);
    assert_true(p->threads == 64 && fabs(p->call_s - 5.608383634e-4) < 1e-12);
    assert_true(p->repeat_count == 2 && p->repeats[1] == 6.03979776e-4);
    assert_true(fabs(p->spread - 2 * log(7 / 6.0) / sqrt(2)) < 1e-6); /* of two logarithms */
    assert_true(fabs(p->flop_per_s / (3623878656 / p->call_s) - 1) < 1e-9 &&
                fabs(p->share - p->flop_per_s / 8e12) < 1e-9);
    assert_true(p->dtype == MACHINE_BF16 && m.points[1].threads == 1);
    assert_true(m.points[2].sizes[0] == 9 && m.points[2].call_s == 2e-3 && isnan(m.points[2].share));
    assert_int_equal(m.message_count, 2);
    assert_true(m.messages[0].ranks == 2 && m.messages[0].threads == 64 && m.messages[0].bytes == 1024);
    assert_true(fabs(m.messages[0].spread - 0.15) < 1e-12 && isnan(m.messages[0].hidden));
    assert_true(fabs(m.messages[1].time_s - 2e-5) < 1e-12 && m.messages[1].repeat_count == 2 &&
                m.messages[1].hidden == 0.5);
    assert_int_equal(m.contention_count, 1);
    assert_true(m.contentions[0].ranks == 2 && m.contentions[0].matmul == 0.9 && m.contentions[0].pass == 0.5);
    machine_close(&m);
    if (read_as("gemm.jsonl", GEMM("a", "64", "7.247757312e-4", "5e12"), &m, &e)) fail_msg("%s", e.text);
    assert_true(m.accelerator.memory_bytes_per_s.value == 250e9); /* no pass alone was timed: the roof */
    machine_close(&m);
}

#define GOOD GEMM("a", "64", "7.247757312e-4", "5e12")

/* Two launches of the same shape, one in which others took CPU time in half of the samples: the other one counts. */
static void busy_launches_give_way(void **state) {
    (void)state;
#define MARKED(marks, call_s, rate)                                                                                    \
    HEAD("kernel", "PASSED", "1")                                                                                      \
    "\"samples\":{\"marks\":" marks "},\"result\":{" GEMM_KEYS "\"variant\":\"a\",\"threads\":1,\"call_s\":" call_s    \
    ",\"flop_per_s\":" rate ",\"peak_flop_per_s\":8e12}}\n"
    static const char calm[] = MARKED("[[],[\"faults\"]]", "7.247757312e-4", "5e12");
    static const char busy[] = MARKED("[[],[\"load\",\"steal\"]]", "3.623878656e-3", "1e12");
    const char *const orders[][2] = {{calm, busy}, {busy, calm}};
    for (int i = 0; i < 2; i++) {
        struct machine m;
        struct base_error e = {0};
        char text[4096];
        snprintf(text, sizeof text, "%s%s", orders[i][0], orders[i][1]);
        if (read_as("r.jsonl", text, &m, &e)) fail_msg("%s", e.text);
        assert_int_equal(m.point_count, 1);
        assert_true(m.points[0].call_s == 7.247757312e-4 && m.points[0].repeat_count == 1 && !m.points[0].busy);
        machine_close(&m);
    }
    struct machine m;
    struct base_error e = {0};
    if (read_as("r.jsonl", busy, &m, &e)) fail_msg("%s", e.text);
    assert_true(m.points[0].busy && m.points[0].call_s == 3.623878656e-3);
    machine_close(&m);
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
        {TRAIN("PASSED", "fp32", "1", "4e12") "{\"schema\":\"toise/1\",\"kind\":\"train\",\"status\":\"PASSED\","
                                              "\"machine\":{\"cpu\":\"C\",\"sockets\":2,\"cores\":64,"
                                              "\"cpu_quota\":{\"cpus\":0.5,\"period_s\":0.1}}}\n",
         "\"machine.cpu_quota.cpus\" differs between records (0, 0.5"},
        {"{}\n{}\n", "schema"},
        {"not a record\n", "line 1"},
        {GOOD KERNEL("\"dtype\":\"f32\",\"threads\":1,\"n\":9,\"call_s\":1"), "line 2: field \"result.op\""},
        {GOOD KERNEL(GEMM_KEYS "\"call_s\":1"), "line 2: field \"result.threads\""},
        {GOOD KERNEL(GEMM_KEYS "\"threads\":1"), "line 2: field \"result.call_s\""},
        {GOOD KERNEL(GEMM_KEYS "\"threads\":1,\"call_s\":-1"), "line 2: field \"result.call_s\""},
        {GEMM("a", "1", "1", "5e12"), "line 1: field \"result.flop_per_s\" is not flop over call_s"},
        {GOOD KERNEL("\"op\":\"gemm\",\"trans\":\"XY\",\"dtype\":\"f32\",\"threads\":1"), "\"result.trans\""},
        {GOOD KERNEL("\"op\":\"zero\",\"dtype\":\"f64\",\"threads\":1"), "\"result.dtype\""},
        {GOOD KERNEL("\"op\":\"zero\",\"dtype\":\"f32\",\"threads\":1,\"call_s\":1"), "\"result.n\""},
        {GOOD KERNEL("\"op\":\"gelu_forward\",\"rows\":4,\"dtype\":\"f32\",\"threads\":1,\"call_s\":1"),
         "\"result.cols\""},
        {GOOD TWO_RANKS("PASSED", "\"bytes\":4"), "line 2: field \"result.op\""},
        {GOOD TWO_RANKS("PASSED", "\"op\":\"all_scatter\""), "line 2: field \"result.op\""},
        {GOOD TWO_RANKS("PASSED", SUM("0", "1")), "line 2: field \"result.bytes\""},
        {GOOD TWO_RANKS("PASSED", SUM("4", "0")), "\"result.time_s\""},
        {GOOD TWO_RANKS("PASSED", "\"op\":\"all_reduce\",\"bytes\":4,\"time_s\":1,\"wrong\":3"), "\"result.wrong\""},
        {GOOD TWO_RANKS("PASSED", "\"op\":\"share\",\"matmul\":90,\"pass\":0.5"), "\"result.matmul\""},
        {GOOD HEAD("comm", "PASSED", "1") "\"result\":{" SUM("4", "1") "}}\n", "\"layout.world\""},
        {TWO_RANKS("PASSED", SUM("4", "1")), "no record"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct machine m;
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
    struct machine m;
    struct base_error e = {0};
    if (machine_read("results/reference/amd-epyc-zen5-2-cores.jsonl", &m, &e)) fail_msg("%s", e.text);
    assert_true(m.accelerator.peak_flop_per_s[MACHINE_FP32].value > 1e11);
    assert_true(m.accelerator.peak_flop_per_s[MACHINE_BF16].value > m.accelerator.peak_flop_per_s[MACHINE_FP32].value);
    machine_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calculon_is_read),     cmocka_unit_test(calculon_by_type_is_read),
        cmocka_unit_test(calculon_is_remarked), cmocka_unit_test(calculon_by_type_is_refused),
        cmocka_unit_test(calculon_is_refused),  cmocka_unit_test(records_are_read),
        cmocka_unit_test(records_are_refused),  cmocka_unit_test(busy_launches_give_way),
        cmocka_unit_test(reference_results),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
