/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines changed one fact at a time: what follows follows, what no longer holds is forgotten, what is wrong is
 * refused and leaves the machine as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/classes.h"
#include "unit/support/folder.h"
#include "unit/support/machine_json.h"

static struct machine machine;

static int open_machine(void **state) {
    (void)state;
    return machine_json_read(machine_json_good, machine_json_accelerator, &machine, NULL);
}

static int close_machine(void **state) {
    (void)state;
    machine_close(&machine);
    return 0;
}

static void set(const char *key, const char *value) {
    struct base_error e = {0};
    if (machine_set(&machine, key, value, &e)) fail_msg("%s", e.text);
}

static void counts_follow(void **state) {
    (void)state;
    set("nodes", "64");
    assert_true(machine.nodes.value == 64 && machine.accelerators.value == 512);
    assert_int_equal(machine.nodes.status, MACHINE_ASSUMED);
    assert_string_equal(machine.nodes.how, "--set nodes=64");
    assert_null(machine.nodes.source);
    assert_true(machine.hypothetical);
    set("accelerators", "1024");
    assert_true(machine.nodes.value == 128 && machine.accelerators.value == 1024);
    set("node.accelerators", "4");
    assert_true(machine.nodes.value == 128 && machine.accelerators.value == 512);
    set("nodes", "4..32");
    assert_true(machine.nodes.low == 4 && machine.nodes.high == 32 && machine.nodes.value == 11);
    assert_true(machine.accelerators.low == 16 && machine.accelerators.high == 128);
}

static void what_no_longer_holds(void **state) {
    (void)state;
    set("network.latency_s", "2e-6"); /* touches nothing else */
    assert_true(machine_fact_known(&machine.power_w) && machine.cost_count == 1);
    assert_int_equal(machine.node.achieved.count + machine.network.achieved.count, 2);
    set("nodes", "8");
    assert_false(machine_fact_known(&machine.power_w));
    assert_int_equal(machine.cost_count, 0);
    assert_true(machine_fact_known(&machine.node.power_w)); /* a node's draw is the same */
    assert_int_equal(machine.network.achieved.count, 1);
    set("accelerator.power_w", "500");
    assert_false(machine_fact_known(&machine.node.power_w));
    set("node.power_w", "7e3");
    assert_true(machine.node.power_w.value == 7e3);
    set("network.levels.machine.oversubscription", "4");
    assert_int_equal(machine.network.achieved.count, 0);
    set("accelerator.scale_up.bytes_per_s", "900e9");
    assert_false(machine_fact_known(&machine.accelerator.links));
    assert_int_equal(machine.accelerator.scale_up_achieved.count + machine.node.achieved.count, 0);
}

static void any_fact(void **state) {
    (void)state;
    set("accelerator.peak_flop_per_s.bf16", "1e15"); /* beyond its units, which no longer count */
    assert_true(machine.accelerator.peak_flop_per_s[MACHINE_BF16].value == 1e15);
    assert_false(machine_fact_known(&machine.accelerator.achieved_flop_per_s[MACHINE_BF16]));
    set("accelerator.power_w", "700");
    set("node.topology", "direct");
    assert_true(machine.node.topology.value == MACHINE_DIRECT);
    set("network.topology", "dragonfly+");
    assert_true(machine.network.topology.value == MACHINE_DRAGONFLY_PLUS);
    set("network.levels.machine.oversubscription", "7");
    assert_true(machine.network.levels[1].oversubscription.value == 7);
    set("network.levels.unit.nodes", "3");
    set("facility.pue", "1.1..1.3");
    assert_true(machine.facility.pue.low == 1.1 && machine.facility.pue.high == 1.3);
    set("accelerator.peak_flop_per_s.fp8", "1.5e15");
    struct machine_fact peak;
    assert_int_equal(machine_peak(&machine, MACHINE_FP8, &peak, NULL), BASE_OK);
}

static void another_accelerator(void **state) {
    (void)state;
    machine_json_need_catalog();
    set("node.accelerator", "h200-sxm");
    assert_string_equal(machine.accelerator.name, "h200-sxm");
    assert_true(machine.accelerator.peak_flop_per_s[MACHINE_FP8].value > 1.9e15);
    assert_int_equal(machine.accelerator.scale_up_achieved.count, 0);
    assert_false(machine_fact_known(&machine.node.power_w));
    assert_true(machine.accelerators.value == 32);
}

/* A class is set by name; another accelerator brings its own. */
static void device_class(void **state) {
    (void)state;
    machine_json_need_catalog();
    struct base_error e = {0};
    const struct machine_class *class;
    assert_int_equal(machine_class_of(machine_class(&machine), &class, &e), BASE_OK);
    assert_string_equal(class->name, "other");
    set("accelerator.class", "volta");
    set("node.class", "hopper"); /* comes before the accelerator's */
    assert_int_equal(machine_class_of(machine_class(&machine), &class, &e), BASE_OK);
    assert_string_equal(class->name, "hopper");
    assert_int_equal(machine_class(&machine)->status, MACHINE_ASSUMED);
    set("node.accelerator", "a100-sxm4-40gb");
    assert_int_equal(machine_class_of(machine_class(&machine), &class, &e), BASE_OK);
    assert_string_equal(class->name, "ampere");
    assert_int_equal(machine_class(&machine)->status, MACHINE_MEASURED);
    set("node.accelerator", "gh200-96gb"); /* like an H100, whose runs were fitted */
    assert_string_equal(machine_class(&machine)->how, "of the accelerator that it is like");
    assert_int_equal(machine_class(&machine)->status, MACHINE_ASSUMED);
    assert_int_equal(machine_set(&machine, "accelerator.class", "hoper", &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "known: ampere, volta, hopper, blackwell, cdna3, cdna4, other"));
}

static void wrong_changes(void **state) {
    (void)state;
    static const char *const rows[][3] = {
        {"node", "64", "unknown fact"},
        {"nodez", "64", "unknown fact"},
        {"", "64", "unknown fact"},
        {"network.levels", "64", "unknown fact"},
        {"network.levels.", "64", "unknown fact"},
        {"network.levels.nodes", "64", "unknown fact"},
        {"network.levels.rack.nodes", "64", "unknown fact"},
        {"network.levels.unit.node", "64", "unknown fact"},
        {"accelerator.released", "2021", "unknown fact"},
        {"nodes", "", "a number"},
        {"nodes", "many", "a number"},
        {"nodes", "64x", "a number"},
        {"nodes", "4..", "a number"},
        {"nodes", "32..4", "low end"},
        {"nodes", "0", "not above 0"},
        {"nodes", "-1", "not above 0"},
        {"nodes", "nan", "finite"},
        {"nodes", "inf", "finite"},
        {"nodes", "1.5", "whole"},
        {"accelerators", "33", "take a multiple, as 32"},
        {"node.rail_bytes_per_s", "400e9", "eight times"},
        {"node.topology", "mesh", "nvswitch, direct"},
        {"network.levels.unit.nodes", "0", "not above 0"},
        {"network.levels.machine.nodes", "2", "innermost level first"},
        {"accelerator.peak_flop_per_s.tf32", "900e12", "sparse"},
        {"accelerator.scale_up.link_bytes_per_s", "50e9", "both ways"},
        {"node.pair_bytes_per_s", "400e9", "both ways"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct machine before = machine;
        struct base_error e = {0};
        const int code = machine_set(&machine, rows[i][0], rows[i][1], &e);
        if (code != BASE_USAGE) fail_msg("%s=%s: code %d", rows[i][0], rows[i][1], code);
        if (!strstr(e.text, rows[i][2]) || strncmp(e.text, "--set ", 6))
            fail_msg("%s=%s: \"%s\" lacks %s", rows[i][0], rows[i][1], e.text, rows[i][2]);
        assert_memory_equal(&machine, &before, sizeof before);
    }
}

/* And its texts are freed with the other's. */
static void a_copy_changes_alone(void **state) {
    (void)state;
    struct machine copy = machine;
    assert_int_equal(machine_set(&machine, "nodes", "16", NULL), BASE_OK);
    assert_int_equal(machine_set(&copy, "node.rails", "8", NULL), BASE_OK);
    assert_true(copy.nodes.value == 4 && machine.nodes.value == 16);
    assert_true(copy.node.rails.value == 8 && machine.node.rails.value == 4);
    assert_string_equal(copy.nodes.source, "a paper; a talk");
    assert_string_equal(copy.node.rails.how, "--set node.rails=8");
    assert_string_equal(machine.nodes.how, "--set nodes=16");
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, open_machine, close_machine)

int main(void) {
    const struct CMUnitTest tests[] = {
        EACH(counts_follow), EACH(what_no_longer_holds), EACH(any_fact), EACH(another_accelerator), EACH(device_class),
        EACH(wrong_changes), EACH(a_copy_changes_alone),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
