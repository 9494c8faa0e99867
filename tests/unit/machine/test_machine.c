/* SPDX-License-Identifier: Apache-2.0
 *
 * Machines: what a file says arrives with its range, status and source; `like`, sites and counts are resolved; facts
 * combine to the weakest status. */
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

/* Reads m.json with one change, NULL: none. */
static struct machine accepted(const char *path, const char *value) {
    char *text = path ? machine_json_changed(machine_json_good, path, value) : strdup(machine_json_good);
    struct machine m;
    struct base_error e = {0};
    if (machine_json_read(text, machine_json_accelerator, &m, &e)) fail_msg("%s", e.text);
    free(text);
    return m;
}

static void assert_fact(const struct machine_fact *f, double value, double low, double high, enum machine_status s) {
    if (f->value != value || f->low != low || f->high != high || f->status != s)
        fail_msg("%g [%g, %g] %s, wanted %g [%g, %g] %s", f->value, f->low, f->high, machine_status_name(f->status),
                 value, low, high, machine_status_name(s));
}

static void facts_combine(void **state) {
    (void)state;
    const struct machine_fact four = machine_fact_make(4, 4, MACHINE_MEASURED, NULL);
    const struct machine_fact near = machine_fact_make(10, 20, MACHINE_RECALLED, "x"); /* a factor of 2: the middle */
    const struct machine_fact wide = machine_fact_make(1e3, 1e5, MACHINE_ANNOUNCED, NULL);
    const struct machine_fact none = machine_fact_unknown();
    assert_fact(&four, 4, 4, 4, MACHINE_MEASURED);
    assert_fact(&near, 15, 10, 20, MACHINE_RECALLED);
    assert_true(fabs(wide.value / 1e4 - 1) < 1e-14);
    assert_false(machine_fact_known(&none));
    assert_true(isnan(none.value) && isnan(none.low) && isnan(none.high));
    struct machine_fact r = machine_fact_product(&four, &near, "how");
    assert_fact(&r, 60, 40, 80, MACHINE_RECALLED);
    assert_string_equal(r.how, "how");
    r = machine_fact_quotient(&near, &four, NULL);
    assert_fact(&r, 3.75, 2.5, 5, MACHINE_RECALLED);
    r = machine_fact_quotient(&four, &four, NULL); /* arithmetic on what was measured is not a measurement */
    assert_fact(&r, 1, 1, 1, MACHINE_DERIVED);
    r = machine_fact_product(&none, &four, NULL);
    assert_false(machine_fact_known(&r));
}

static void statuses_are_ordered(void **state) {
    (void)state;
    static const char *const order[] = {"measured", "published", "derived", "announced", "recalled", "assumed"};
    enum machine_status last = MACHINE_UNKNOWN, s;
    for (int i = 0; i < 6; i++) {
        assert_true(machine_status_find(order[i], &s));
        assert_string_equal(machine_status_name(s), order[i]);
        assert_int_equal(machine_status_weaker(s, last), s);
        assert_int_equal(machine_status_weaker(last, s), s);
        last = s;
    }
    assert_false(machine_status_find("unknown", &s)); /* which no file may say */
    assert_false(machine_status_find("", &s));
}

static void a_file_is_read(void **state) {
    (void)state;
    struct machine m = accepted(NULL, NULL);
    assert_string_equal(m.name, "m");
    assert_string_equal(m.title, "A machine");
    assert_string_equal(m.country, "FR");
    assert_false(m.hypothetical || m.announced);
    assert_fact(&m.nodes, 4, 4, 4, MACHINE_PUBLISHED);
    assert_string_equal(m.nodes.source, "a paper; a talk");
    assert_string_equal(m.nodes.note, "in 2024");
    assert_null(m.nodes.how);
    assert_string_equal(m.accelerators.how, "4 x 8");
    assert_fact(&m.node.rail_bytes_per_s, 18.75e9, 12.5e9, 25e9, MACHINE_ASSUMED);
    assert_fact(&m.node.topology, MACHINE_NVSWITCH, MACHINE_NVSWITCH, MACHINE_NVSWITCH, MACHINE_RECALLED);
    assert_fact(&m.node.scale_up_nodes, 1, 1, 1, MACHINE_RECALLED);
    assert_false(machine_fact_known(&m.node.pair_bytes_per_s));
    assert_true(isnan(m.node.pair_bytes_per_s.value));
    assert_fact(&m.network.topology, MACHINE_FAT_TREE, MACHINE_FAT_TREE, MACHINE_FAT_TREE, MACHINE_RECALLED);
    assert_true(fabs(m.network.latency_s.value / 2e-6 - 1) < 1e-14); /* four times as much: the geometric mean */
    assert_int_equal(m.network.level_count, 2);
    assert_string_equal(m.network.levels[0].name, "unit");
    assert_fact(&m.network.levels[0].nodes, 2, 2, 2, MACHINE_RECALLED);
    assert_false(machine_fact_known(&m.network.levels[0].oversubscription));
    assert_false(machine_fact_known(&m.network.levels[1].nodes));
    assert_fact(&m.network.levels[1].oversubscription, 2, 2, 2, MACHINE_RECALLED);
    assert_int_equal(m.node.achieved.count, 1);
    assert_true(isnan(m.node.achieved.row[0].nodes));
    assert_int_equal(m.network.achieved.count, 1);
    const struct machine_row *r = &m.network.achieved.row[0];
    assert_string_equal(r->op, "all_reduce");
    assert_true(r->nodes == 2 && r->accelerators == 16 && r->bytes == 4e9);
    assert_fact(&r->figure, 30e9, 30e9, 30e9, MACHINE_MEASURED);
    assert_string_equal(r->figure.source, "a talk");
    assert_int_equal(m.cost_count, 1);
    assert_string_equal(m.costs[0].currency, "eur");
    assert_string_equal(m.costs[0].covers, "all");
    assert_true(m.costs[0].amount.value == 2e6);
    assert_int_equal(m.queue_count, 1);
    assert_true(m.queues[0].wall_s.value == 72000 && m.queues[0].accelerators == 16);
    machine_close(&m);
}

static void its_accelerator_is_read(void **state) {
    (void)state;
    struct machine m = accepted(NULL, NULL);
    const struct machine_accelerator *a = &m.accelerator;
    assert_string_equal(a->name, "a");
    assert_string_equal(a->unit, "SM");
    assert_int_equal(a->kind, MACHINE_GPU);
    assert_int_equal(a->devices, 1);
    assert_fact(&a->memory_bytes, 85899345920.0, 85899345920.0, 85899345920.0, MACHINE_RECALLED);
    assert_fact(&a->achieved_flop_per_s[MACHINE_BF16], 271e12, 271e12, 271e12, MACHINE_MEASURED);
    assert_int_equal(a->tile_count, 2);
    assert_true(a->tiles[0].m == 256 && a->tiles[0].n == 128 && a->tiles[1].m == 64 && a->tiles[1].n == 64);
    assert_fact(&a->gemm_tiles, 32768, 32768, 32768, MACHINE_ASSUMED);
    assert_int_equal(a->scale_up_achieved.count, 1);
    assert_int_equal(a->matmul_share[MACHINE_BF16].count, 0);
    struct machine_fact f = machine_node_bytes_per_s(&m);
    assert_fact(&f, 75e9, 50e9, 100e9, MACHINE_ASSUMED);
    f = machine_scale_up(&m);
    assert_fact(&f, 300e9, 300e9, 300e9, MACHINE_RECALLED);
    struct base_error e = {0};
    assert_int_equal(machine_peak(&m, MACHINE_BF16, &f, &e), BASE_OK);
    assert_true(f.value == 312e12);
    assert_int_equal(machine_peak(&m, MACHINE_FP16, &f, &e), BASE_USAGE); /* not in BF16's name */
    assert_non_null(strstr(e.text, "has no fp16; it has fp32, tf32, bf16"));
    assert_true(f.value == 312e12);
    machine_close(&m);
    m = accepted("node.scale_up_bytes_per_s", "{\"value\":250e9,\"status\":\"recalled\"}");
    f = machine_scale_up(&m);
    assert_true(f.value == 250e9);
    machine_close(&m);
}

static void counts_follow(void **state) {
    (void)state;
    struct machine m = accepted("nodes", NULL);
    assert_fact(&m.nodes, 4, 4, 4, MACHINE_RECALLED);
    machine_close(&m);
    m = accepted("accelerators", NULL);
    assert_fact(&m.accelerators, 32, 32, 32, MACHINE_RECALLED);
    machine_close(&m);
    m = accepted("hypothetical", "true");
    assert_true(m.hypothetical);
    machine_close(&m);
    m = accepted("state", "\"announced\"");
    assert_true(m.announced);
    machine_close(&m);
    m = accepted("accelerators", "{\"low\":24,\"high\":40,\"status\":\"recalled\"}"); /* 32 lies within */
    assert_true(m.accelerators.low == 24);
    machine_close(&m);
}

/* n.json is like m.json, but for what it states again. */
static void likeness(void **state) {
    (void)state;
    static const char child[] = "{\"schema\":\"machine/1\",\"name\":\"n\",\"like\":\"m.json\",\"title\":\"Another\","
                                "\"nodes\":{\"value\":8,\"status\":\"published\",\"source\":\"u\"},"
                                "\"accelerators\":{\"value\":64,\"status\":\"published\",\"source\":\"s\"},"
                                "\"sources\":{\"u\":\"a poster\"}}";
    struct machine m = accepted(NULL, NULL);
    struct base_error e = {0};
    machine_close(&m);
    folder_write("n.json", child, sizeof child - 1);
    if (machine_read(folder_path, &m, &e)) fail_msg("%s", e.text);
    assert_string_equal(m.title, "Another");
    assert_string_equal(m.nodes.source, "a poster");
    assert_string_equal(m.accelerators.source, "a paper"); /* sources are joined */
    assert_true(m.nodes.value == 8 && m.node.rails.value == 4);
    assert_null(m.nodes.note); /* whole keys are replaced */
    machine_close(&m);

    char *wrong = machine_json_changed(child, "sources.s", "\"another paper\"");
    folder_write("n.json", wrong, strlen(wrong));
    assert_int_equal(machine_read(folder_path, &m, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "source \"s\" differs from that in"));
    free(wrong);
    wrong = machine_json_changed(machine_json_good, "node.rails.value", "0");
    folder_write("m.json", wrong, strlen(wrong)); /* the fault is the other file's, and it is named */
    folder_write("n.json", child, sizeof child - 1);
    assert_int_equal(machine_read(folder_path, &m, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "/m.json: field \"node.rails\""));
    free(wrong);
    assert_int_equal(machine_read(folder_name("absent.json"), &m, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "absent.json: cannot read: No such file"));
}

static void sites(void **state) {
    (void)state;
    machine_json_need_catalog();
    struct machine m = accepted("facility", "\"idris\"");
    assert_string_equal(m.facility.name, "idris");
    assert_string_equal(m.facility.title, "IDRIS, Orsay");
    assert_true(m.facility.pue.value == 1.2 && m.facility.storage_write_bytes_per_s.value == 300e9);
    assert_int_equal(m.facility.storage_achieved.count, 7);
    assert_true(m.facility.storage_achieved.row[0].figure.value == 17.961);
    assert_string_equal(m.facility.storage_achieved.row[0].op, "checkpoint_save");
    assert_non_null(strstr(m.facility.storage_achieved.row[0].figure.source, "bigscience"));
    machine_close(&m);
    m = accepted(NULL, NULL);
    assert_null(m.facility.name);
    assert_false(machine_fact_known(&m.facility.pue));
    machine_close(&m);
}

struct visited {
    int facts, words, dishonest;
    bool rails, cost, level;
};

static void visit(void *context, const char *key, const struct machine_fact *fact, const char *word) {
    struct visited *v = context;
    v->facts++;
    v->words += word != NULL;
    v->dishonest += !machine_fact_known(fact);
    v->rails = v->rails || (!strcmp(key, "node.rails") && fact->value == 4);
    v->cost = v->cost || !strcmp(key, "cost, eur: all");
    v->level = v->level || !strcmp(key, "network.levels.machine.oversubscription");
    if (!strcmp(key, "network.topology")) assert_string_equal(word, "fat-tree");
}

static void every_fact_is_visited(void **state) {
    (void)state;
    struct machine m = accepted(NULL, NULL);
    struct visited v = {0};
    machine_each(&m, visit, &v);
    assert_true(v.rails && v.cost && v.level);
    assert_int_equal(v.words, 2);
    assert_int_equal(v.dishonest, 0);
    /* of the machine 11 and one that follows, 2 of levels, 2 rows, a cost and a queue; of the accelerator 15 and a row
     */
    assert_int_equal(v.facts, 12 + 2 + 2 + 2 + 15 + 1);
    machine_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_combine),         cmocka_unit_test(statuses_are_ordered),
        cmocka_unit_test(a_file_is_read),        cmocka_unit_test(its_accelerator_is_read),
        cmocka_unit_test(counts_follow),         cmocka_unit_test(likeness),
        cmocka_unit_test(every_fact_is_visited), cmocka_unit_test(sites),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
