/* SPDX-License-Identifier: Apache-2.0
 * check: ranks 1 3
 *
 * Each rank plays a node with its own tree: joules add up, and one node without a figure leaves none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "energy/energy.h"
#include "mpi/support/leaks.h"
#include "records/get.h"
#include "unit/support/tree.h"

static struct comm world;

/* Two windows of 0.15 s on nodes whose meters show these watts; 0: none. Rank 0 gets the record. */
static json_t *run(double watts) {
    char microwatts[64];
    double start[2], seconds[2];
    struct energy *g;
    struct base_error e;
    tree_put("proc/stat", "cpu  1 0 1 5 0 0 0 0 0 0\n");
    snprintf(microwatts, sizeof microwatts, "%.0f\n", 1e6 * watts);
    if (watts > 0) tree_put("sys/class/hwmon/hwmon0/name", "power_meter\n");
    if (watts > 0) tree_put("sys/class/hwmon/hwmon0/power1_average", microwatts);
    const struct energy_options o = {.root = tree};
    assert_int_equal(energy_open(&g, &o, &world, &e), 0);
    for (int i = 0; i < 2; i++) {
        start[i] = base_clock_now() + (i ? 0 : 1);
        while (base_clock_now() < start[i] + 0.15) continue;
        seconds[i] = 0.15;
    }
    const struct energy_windows windows = {start, seconds, 2, 10, "token"};
    json_t *record = energy_finish(g, &windows, &world);
    energy_close(g);
    assert_true((record != NULL) == (world.rank == 0));
    return record;
}

static void nodes_add_up(void **state) {
    (void)state;
    json_t *r = run(100 * (world.rank + 1));
    if (!r) return;
    double watts = 0;
    for (int i = 0; i < world.size; i++) watts += 100 * (i + 1);
    assert_string_equal(record_text(r, "status"), "measured");
    assert_string_equal(record_text(r, "source"), "hwmon");
    assert_true(fabs(record_real(r, "joules") - watts * 0.3) < 1e-6);
    assert_true(fabs(record_real(r, "joules_per_token") - watts * 0.3 / 20) < 1e-6);
    assert_true(fabs(record_real(r, "watts") - watts) < 1e-6);
    assert_int_equal(json_array_size(record_at(r, "nodes")), world.size);
    for (int i = 0; i < world.size; i++)
        assert_true(fabs(record_real(json_array_get(record_at(r, "nodes"), (size_t)i), "joules") - 30 * (i + 1)) <
                    1e-6);
    json_decref(r);
}

static void one_node_without_a_meter_leaves_no_figure(void **state) {
    (void)state;
    json_t *r = run(world.rank == world.size - 1 ? 0 : 100);
    if (!r) return;
    assert_string_equal(record_text(r, "status"), "unmeasured");
    assert_null(record_at(r, "joules"));
    json_decref(r);
}

static void a_source_asked_for_must_be_on_every_node(void **state) {
    (void)state;
    struct energy *g;
    struct base_error e;
    tree_put("sys/class/hwmon/hwmon0/name", "power_meter\n");
    if (world.rank < world.size - 1) tree_put("sys/class/hwmon/hwmon0/power1_average", "100000000\n");
    const struct energy_options o = {.root = tree, .choice = "hwmon"};
    assert_int_equal(energy_open(&g, &o, &world, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--energy hwmon: absent"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_make, tree_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(nodes_add_up),
        test(one_node_without_a_meter_leaves_no_figure),
        test(a_source_asked_for_must_be_on_every_node),
    };
    if (comm_open(&world, NULL)) return 1;
    world.node = world.rank, world.nodes = world.size;
    world.local_rank = 0, world.local_size = 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    comm_close(&world);
    return failed;
}
