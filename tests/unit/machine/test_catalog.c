/* SPDX-License-Identifier: Apache-2.0
 *
 * The catalogue itself: every machine and accelerator is read and passes every check, every file is used by its name,
 * every campaign names what there is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/machine.h"
#include "records/record.h"
#include "unit/support/machine_json.h"

#include "records/catalog.h"

static int machines, listed, accelerators;

static void count(void *context, const char *name, const char *title) {
    (void)context;
    listed++;
    if (!name[0] || !title[0]) fail_msg("machine %s has no title", name);
}

static int read_machine(void *context, const char *name) {
    (void)context;
    struct machine m;
    struct base_error e = {0};
    if (machine_read(name, &m, &e)) fail_msg("%s", e.text);
    assert_string_equal(m.name, name);
    assert_non_null(m.country);
    /* what any projection needs */
    assert_true(machine_fact_known(&m.node.rail_bytes_per_s) && machine_fact_known(&m.network.latency_s));
    assert_true(machine_fact_known(&m.accelerator.memory_bytes_per_s));
    machine_close(&m);
    machines++;
    return 0;
}

static void every_machine(void **state) {
    (void)state;
    machine_json_need_catalog();
    assert_int_equal(record_catalog_names("machines", read_machine, NULL, NULL), 0);
    assert_true(machines >= 40);
    assert_int_equal(record_catalog_titles("machines", count, NULL, NULL), 0);
    assert_int_equal(listed, machines);
}

/* Those that no machine has are read through one that takes any. */
static int read_accelerator(void *context, const char *name) {
    struct machine *m = context;
    struct base_error e = {0};
    if (machine_set(m, "node.accelerator", name, &e)) fail_msg("%s", e.text);
    assert_string_equal(m->accelerator.name, name);
    accelerators++;
    return 0;
}

static void every_accelerator(void **state) {
    (void)state;
    machine_json_need_catalog();
    struct machine m;
    assert_int_equal(machine_read("cluster", &m, NULL), 0);
    assert_true(m.hypothetical);
    assert_int_equal(record_catalog_names("accelerators", read_accelerator, &m, NULL), 0);
    assert_true(accelerators >= 32);
    machine_close(&m);
}

/* The machine that BLOOM was trained on, whose figures other tests of projections rest on. */
static void bloom_s_machine(void **state) {
    (void)state;
    machine_json_need_catalog();
    struct machine m;
    struct machine_fact peak;
    assert_int_equal(machine_read("jean-zay-a100", &m, NULL), 0);
    assert_int_equal(machine_peak(&m, MACHINE_BF16, &peak, NULL), 0);
    assert_true(peak.value == 312e12 && peak.status == MACHINE_PUBLISHED);
    assert_true(m.nodes.value == 52 && m.accelerators.value == 416 && m.node.topology.value == MACHINE_NVSWITCH);
    assert_true(machine_node_bytes_per_s(&m).value == 50e9);
    assert_true(m.network.achieved.row[0].figure.value == 5.06e9);
    assert_true(m.facility.pue.value == 1.2);
    machine_close(&m);
    assert_int_equal(machine_read("jean-zay-v100-32gb", &m, NULL), 0);
    struct base_error e = {0};
    assert_int_equal(machine_peak(&m, MACHINE_BF16, &peak, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "has no bf16"));
    machine_close(&m);
}

/* Every "machine" and "model" below names a file. */
static void check_names(const json_t *json, const char *campaign) {
    const char *key;
    json_t *value;
    size_t i;
    json_array_foreach(json, i, value) check_names(value, campaign);
    json_object_foreach((json_t *)json, key, value) {
        const char *kind = !strcmp(key, "machine") ? "machines" : !strcmp(key, "model") ? "models" : NULL;
        char path[RECORD_CATALOG_PATH];
        struct base_error e = {0};
        json_t *file = NULL;
        if (kind && record_catalog_load(kind, campaign, json_string_value(value), &file, path, &e))
            fail_msg("%s", e.text);
        json_decref(file);
        check_names(value, campaign);
    }
}

static int read_campaign(void *context, const char *name) {
    (void)context;
    char path[RECORD_CATALOG_PATH];
    json_t *json = NULL;
    assert_int_equal(record_catalog_load("campaigns", name, name, &json, path, NULL), 0);
    check_names(json, name);
    json_decref(json);
    return 0;
}

static void campaigns_name_what_there_is(void **state) {
    (void)state;
    machine_json_need_catalog();
    assert_int_equal(record_catalog_names("campaigns", read_campaign, NULL, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_machine),
        cmocka_unit_test(every_accelerator),
        cmocka_unit_test(bloom_s_machine),
        cmocka_unit_test(campaigns_name_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
