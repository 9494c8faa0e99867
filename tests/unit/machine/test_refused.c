/* SPDX-License-Identifier: Apache-2.0
 *
 * What the reader of machines refuses: every row of harness/catalog/README.md's table, with the file, the field and the
 * mistake or its cure named. */
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

/* A change, the field that the message must name, and a word of the cause or cure. */
struct refusal {
    const char *path, *value, *field, *fix;
};

static void refuse_all(const struct refusal *rows, size_t count, bool of_machine) {
    const char *text = of_machine ? machine_json_good : machine_json_accelerator;
    for (size_t i = 0; i < count; i++) {
        char *changed = machine_json_changed(text, rows[i].path, rows[i].value);
        machine_json_refused(of_machine ? changed : machine_json_good, of_machine ? machine_json_accelerator : changed,
                             of_machine ? "/m.json: " : "/a.json: ", rows[i].field, rows[i].fix);
        free(changed);
    }
}

#define REFUSE(rows, of_machine) refuse_all(rows, sizeof(rows) / sizeof *(rows), of_machine)

static void half_facts(void **state) {
    (void)state;
    static const struct refusal rows[] = {
        {"nodes.status", NULL, "nodes", "missing"},
        {"nodes.status", "\"guessed\"", "nodes", "guessed"},
        {"nodes.status", "7", "nodes", "known: measured"},
        {"nodes.source", "\"u\"", "nodes", "\"u\""},
        {"nodes.source", "[\"s\", 7]", "nodes", "a key of"},
        {"nodes.source", NULL, "nodes", "has no \"source\""},
        {"accelerators.how", NULL, "accelerators", "\"how\""},
        {"accelerators.how", "\"\"", "accelerators", "text"},
        {"node.rail_bytes_per_s.how", NULL, "node.rail_bytes_per_s", "\"how\""},
        {"nodes.vaule", "5", "nodes", "vaule"},
        {"nodes.value", NULL, "nodes", "either"},
        {"nodes.low", "3", "nodes", "either"},
        {"node.rail_bytes_per_s.low", NULL, "node.rail_bytes_per_s", "either"},
        {"nodes", "4", "nodes", "a fact"},
        {"nodes", "null", "nodes", "a fact"},
        {"nodes.value", "\"4\"", "nodes", "without quotes"},
        {"nodes.value", "true", "nodes", "a number"},
        {"node.achieved.0.status", NULL, "node.achieved[0]", "missing"},
        {"node.achieved.0.source", NULL, "node.achieved[0]", "has no \"source\""},
        {"network.achieved.0.source", "\"v\"", "network.achieved[0]", "\"v\""},
        {"cost.0.status", "\"derived\"", "cost[0]", "how"},
        {"sources", "[]", "sources", "object"},
    };
    REFUSE(rows, true);
}

static void absent_fields(void **state) {
    (void)state;
    static const struct refusal machine[] = {
        {"schema", NULL, "schema", "machine/1"},
        {"schema", "\"machine/2\"", "machine/2", "machine/1"},
        {"name", NULL, "name", "\"m\""},
        {"name", "\"n\"", "name", "\"m\""},
        {"title", NULL, "title", "add it"},
        {"year", NULL, "year", "hypothetical"},
        {"country", NULL, "country", "facility"},
        {"node.accelerator", NULL, "node.accelerator", "missing"},
        {"node.accelerators", NULL, "node.accelerators", "missing"},
        {"node.topology", NULL, "node.topology", "missing"},
        {"node.rails", NULL, "node.rails", "missing"},
        {"node.rail_bytes_per_s", NULL, "node.rail_bytes_per_s", "missing"},
        {"network.topology", NULL, "network.topology", "missing"},
        {"network.levels.0.nodes", NULL, "network.levels[0].nodes", "last level"},
        {"network.achieved.0.bytes", NULL, "network.achieved[0].bytes", "missing"},
        {"network.achieved.0.op", NULL, "network.achieved[0].op", "missing"},
        {"cost.0.eur", NULL, "cost[0]", "usd"},
        {"cost.0.covers", NULL, "cost[0].covers", "missing"},
        {"queues.0.wall_s", NULL, "queues[0].wall_s", "missing"},
    };
    static const struct refusal accelerator[] = {
        {"title", NULL, "title", "add it"},
        {"vendor", NULL, "vendor", "add it"},
        {"kind", NULL, "kind", "add it"},
        {"kind", "\"fpga\"", "fpga", "gpu, apu, tpu, accelerator, cpu"},
        {"peak_flop_per_s", NULL, "peak_flop_per_s", "bf16"},
        {"memory_bytes", NULL, "memory_bytes", "CPU"},
        {"memory_bytes_per_s", NULL, "memory_bytes_per_s", "missing"},
    };
    REFUSE(machine, true);
    REFUSE(accelerator, false);
}

static void figures(void **state) {
    (void)state;
    static const struct refusal machine[] = {
        {"nodes.value", "0", "nodes", "not above 0"},
        {"nodes.value", "-4", "nodes", "not above 0"},
        {"nodes.value", "3.5", "nodes", "whole"},
        {"node.rail_bytes_per_s.low", "0", "node.rail_bytes_per_s", "not above 0"},
        {"node.rail_bytes_per_s.low", "25e9", "node.rail_bytes_per_s", "below"},
        {"node.rail_bytes_per_s.low", "30e9", "node.rail_bytes_per_s", "below"},
        {"node.rail_bytes_per_s.high", "200e9", "node.rail_bytes_per_s", "eight times"}, /* Gbit/s taken for bytes */
        {"node.rail_bytes_per_s.low", "12.5", "node.rail_bytes_per_s", "eight times"},
        {"node.power_w.value", "6.5", "node.power_w", "watts"},
        {"year.value", "24", "year", "a year"},
        {"network.latency_s.high", "4", "network.latency_s", "seconds"},
        {"network.levels.1.oversubscription.value", "0.5", "network.levels[1].oversubscription", "full bisection"},
        {"network.levels.0.nodes.value", "0", "network.levels[0].nodes", "not above 0"},
        {"node.achieved.0.bytes", "0", "node.achieved[0].bytes", "not above 0"},
        {"node.achieved.0.busbw_bytes_per_s", "200", "node.achieved[0].busbw_bytes_per_s", "bytes/s"},
        {"queues.0.accelerators", "1.5", "queues[0].accelerators", "whole"},
        {"cost.0.eur", "\"2e6\"", "cost[0].eur", "a number"},
    };
    static const struct refusal accelerator[] = {
        {"memory_bytes.value", "80", "memory_bytes", "give bytes"},
        {"memory_bytes.value", "80e12", "memory_bytes", "give bytes"},
        {"power_w.value", "0.4", "power_w", "watts"},
        {"power_w.value", "4000", "power_w", "watts"},
        {"clock_hz.value", "1410", "clock_hz", "Hz"},
        {"peak_flop_per_s.fp32.value", "19.5", "peak_flop_per_s.fp32", "FLOP/s"},
        {"launch_s.high", "20", "launch_s", "seconds"},
        {"gemm_tiles.value", "[]", "gemm_tiles", "[m, n]"},
        {"gemm_tiles.value", "[[256]]", "gemm_tiles", "[m, n]"},
        {"gemm_tiles.value", "[[256, 0]]", "gemm_tiles", "[m, n]"},
        {"gemm_tiles.how", NULL, "gemm_tiles", "how"},
        {"devices", "0", "devices", "whole"},
        {"devices", "\"2\"", "devices", "whole"},
        {"released.value", "2020", "released", "text"},
    };
    REFUSE(machine, true);
    REFUSE(accelerator, false);
}

static void disagreements(void **state) {
    (void)state;
    static const struct refusal machine[] = {
        {"accelerators.value", "64", "accelerators", "dies instead of modules"},
        {"nodes.value", "5", "nodes", "stale"},
        {"network.achieved.0.busbw_bytes_per_s", "101e9", "network.achieved[0]", "not bits"},
        {"node.achieved.0.busbw_bytes_per_s", "301e9", "node.achieved[0]", "both ways"},
        {"node.pair_bytes_per_s", "{\"value\":600e9,\"status\":\"recalled\"}", "node.pair_bytes_per_s", "both ways"},
        {"network.levels.1.nodes", "{\"value\":2,\"status\":\"recalled\"}", "network.levels[1].nodes",
         "innermost level first"},
    };
    static const struct refusal accelerator[] = {
        {"peak_flop_per_s.bf16.value", "624e12", "peak_flop_per_s.bf16", "sparse"}, /* by FP16's units */
        {"peak_flop_per_s.tf32.value", "400e12", "peak_flop_per_s.tf32", "sparse"},
        {"peak_flop_per_s.fp8", "{\"value\":1250e12,\"status\":\"recalled\"}", "peak_flop_per_s.fp8", "sparse"},
        {"achieved_matmul_flop_per_s.bf16.value", "313e12", "achieved_matmul_flop_per_s.bf16", "above the peak"},
        {"achieved_matmul_flop_per_s.fp8", "{\"value\":300e12,\"status\":\"recalled\"}",
         "achieved_matmul_flop_per_s.fp8", "no \"peak_flop_per_s\""},
        {"scale_up.bytes_per_s.value", "600e9", "scale_up.bytes_per_s", "both ways"},
        {"scale_up.bytes_per_s.value", "290e9", "scale_up.bytes_per_s", "links"},
        {"scale_up.achieved.0.busbw_bytes_per_s", "400e9", "scale_up.achieved[0]", "both ways"},
    };
    REFUSE(machine, true);
    REFUSE(accelerator, false);
}

static void words(void **state) {
    (void)state;
    static const struct refusal machine[] = {
        {"node.topology.value", "\"mesh\"", "node.topology", "nvswitch, direct, pcie, none"},
        {"node.topology.value", "3", "node.topology", "must be text"},
        {"network.topology.value", "\"Fat-tree\"", "network.topology", "fat-tree, clos"},
        {"node.achieved.0.op", "\"allreduce\"", "allreduce", "all_reduce, all_gather"},
        {"state", "\"planned\"", "planned", "announced"},
        {"hypothetical", "1", "hypothetical", "true or false"},
        {"node.rail_byte_per_s", "{}", "node.rail_byte_per_s", "spelling"},
        {"nodez", "4", "nodez", "spelling"},
        {"network.levels.0.node", "4", "network.levels[0]", "unknown key"},
        {"queues.0.wall", "4", "queues[0]", "unknown key"},
        {"node", "7", "node", "an object"},
        {"network.levels", "{}", "network.levels", "a list"},
        {"network.levels.0", "7", "network.levels[0]", "an object"},
        {"cost.0.usd", "7e6", "cost[0]", "two rows"},
        {"country", "7", "country", "text"},
        {"node.accelerator", "\"b.json\"", "b.json", "No such file"},
        {"like", "7", "like", "name of a file"},
        {"like", "\"b.json\"", "b.json", "No such file"},
    };
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++) {
        const bool other = strstr(machine[i].field, "b.json") != NULL;
        char *changed = machine_json_changed(machine_json_good, machine[i].path, machine[i].value);
        machine_json_refused(changed, machine_json_accelerator, other ? "/b.json: " : "/m.json: ", machine[i].field,
                             machine[i].fix);
        free(changed);
    }
}

static void names_without_files(void **state) {
    (void)state;
    machine_json_need_catalog();
    static const struct refusal rows[] = {
        {"node.accelerator", "\"a100-sxm4-81gb\"", "node.accelerator", "a100-sxm4-80gb"},
        {"facility", "\"idriss\"", "facility", "idris"},
        {"like", "\"eoss\"", "like", "eos-mlperf"},
        {"like", "\"eos-mlperf\"", "like", "like another itself"},
        {"node.class", "{\"value\":\"hoper\",\"status\":\"recalled\"}", "node.class", "volta, hopper"},
    };
    static const struct refusal accelerator[] = {
        {"class", "{\"value\":\"hoper\",\"status\":\"recalled\"}", "class", "volta, hopper"},
        {"class", "{\"value\":\"hopper\",\"status\":\"assumed\"}", "class", "how"},
        {"class", "\"hopper\"", "class", "a fact"},
    };
    REFUSE(rows, true);
    REFUSE(accelerator, false);
    struct machine m;
    struct base_error e = {0};
    assert_int_equal(machine_read("jean-zay", &m, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--machine: unknown \"jean-zay\""));
    assert_non_null(strstr(e.text, "jean-zay-a100"));
    assert_non_null(strstr(e.text, "topaze-a100")); /* the whole list */
}

static void not_a_machine(void **state) {
    (void)state;
    machine_json_refused("[]", machine_json_accelerator, "/m.json: ", "object", "machine");
    machine_json_refused("7 8", machine_json_accelerator, "/m.json: ", "not JSON", "line 1");
    machine_json_refused("{}", machine_json_accelerator, "/m.json: ", "schema", "machine/1");
    machine_json_refused(machine_json_good, "{}", "/a.json: ", "schema", "accelerator/1");
    machine_json_refused(machine_json_good, machine_json_good, "/a.json: ", "schema", "accelerator/1");
}

/* Every leaf of both files replaced by what it is not: refused or taken, never a crash, and nothing kept. */
static void damage(const char *text, const json_t *at, const char *prefix, bool of_machine) {
    static const char *const values[] = {"null", "0", "-1", "1e300", "\"x\"", "[]", "{}", "[{}]", "true", NULL};
    const char *key;
    json_t *child;
    json_object_foreach((json_t *)at, key, child) {
        char path[256];
        snprintf(path, sizeof path, "%s%s%s", prefix, *prefix ? "." : "", key);
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            struct machine m;
            struct base_error e = {0};
            char *changed = machine_json_changed(text, path, values[i]);
            const int code = machine_json_read(of_machine ? changed : machine_json_good,
                                               of_machine ? machine_json_accelerator : changed, &m, &e);
            if (!code) machine_close(&m);
            if (code && (code != BASE_USAGE || !e.text[0])) fail_msg("%s: code %d, \"%s\"", path, code, e.text);
            free(changed);
        }
        if (json_is_object(child)) damage(text, child, path, of_machine);
    }
}

static void any_damage(void **state) {
    (void)state;
    json_t *machine = json_loads(machine_json_good, 0, NULL),
           *accelerator = json_loads(machine_json_accelerator, 0, NULL);
    damage(machine_json_good, machine, "", true);
    damage(machine_json_accelerator, accelerator, "", false);
    json_decref(machine);
    json_decref(accelerator);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(half_facts), cmocka_unit_test(absent_fields), cmocka_unit_test(figures),
        cmocka_unit_test(words),      cmocka_unit_test(disagreements), cmocka_unit_test(names_without_files),
        cmocka_unit_test(any_damage), cmocka_unit_test(not_a_machine),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
