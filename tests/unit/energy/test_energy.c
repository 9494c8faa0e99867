/* SPDX-License-Identifier: Apache-2.0
 *
 * From a made tree to the record: figures with intervals, coverage, several sources, and the reasons for none. A
 * script's place is taken by this test: it moves the counters between the readings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "energy/judge.h"
#include "records/get.h"
#include "unit/support/tree.h"

static struct comm world;

static int setup(void **state) {
    comm_serial(&world);
    return tree_make(state);
}

static struct energy_options options(const char *choice, const char *command) {
    return (struct energy_options){.root = tree, .choice = choice, .command = command};
}

static void put_number(const char *path, const char *format, double x) {
    char text[64];
    snprintf(text, sizeof text, format, x);
    tree_put(path, text);
}

static void put_rapl(double joules) {
    tree_put("sys/class/powercap/intel-rapl:0/name", "package-0\n");
    tree_put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
    put_number("sys/class/powercap/intel-rapl:0/energy_uj", "%.0f\n", 1e6 * joules);
}

static void put_cray(double joules) {
    put_number("sys/cray/pm_counters/energy", "%.0f J 5 us\n", joules);
}

/* Moves the counters for half a second, then while two windows of 0.2 s are "timed". */
static json_t *run(const struct energy_options *o, double cray_watts, double rapl_watts) {
    double start[2], seconds[2];
    struct energy *g;
    const double began = base_clock_now();
    assert_int_equal(energy_open(&g, o, &world, NULL), 0);
    for (int w = -1; w < 2; w++) {
        const double from = base_clock_now();
        double now;
        while ((now = base_clock_now()) < from + (w < 0 ? 0.5 : 0.2)) {
            if (cray_watts > 0) put_cray(1000 + cray_watts * (now - began));
            if (rapl_watts > 0) put_rapl(1000 + rapl_watts * (now - began));
            usleep(5000);
        }
        if (w >= 0) start[w] = from, seconds[w] = now - from;
    }
    if (cray_watts > 0) put_cray(1000 + cray_watts * (base_clock_now() - began));
    if (rapl_watts > 0) put_rapl(1000 + rapl_watts * (base_clock_now() - began));
    const struct energy_windows windows = {start, seconds, 2, 100, "token"};
    json_t *record = energy_finish(g, &windows, &world);
    energy_close(g);
    return record;
}

static const json_t *source_in(const json_t *record, const char *name) {
    const json_t *s;
    size_t i;
    json_array_foreach(record_at(record, "sources"), i, s) if (!strcmp(record_text(s, "source"), name)) return s;
    fail_msg("no source %s", name);
    return NULL;
}

/* A loaded machine may delay the readings or the script, so figures are only roughly checked here: test_judge has them.
 */
static void two_sources_that_disagree(void **state) {
    (void)state;
    put_cray(1000), put_rapl(1000);
    tree_put("proc/stat", "cpu  100 0 100 1000 0 0 0 0 0 0\n");
    const struct energy_options o = options("auto", NULL);
    json_t *r = run(&o, 5000, 2000);
    assert_string_equal(record_text(r, "status"), "measured");
    assert_string_equal(record_text(r, "source"), "cray");
    assert_string_equal(record_text(r, "scope"), "node");
    assert_string_equal(record_text(r, "root"), tree);
    assert_true(record_real(r, "coverage") >= 0.95);
    const double joules = record_real(r, "joules"), per_token = record_real(r, "joules_per_token");
    assert_true(joules > 1000 && fabs(joules / 200 / per_token - 1) < 1e-9);
    assert_true(record_real(r, "low") < per_token && per_token < record_real(r, "high"));
    assert_true(record_real(r, "watts") > 2500 && record_real(r, "watts") < 10000);
    assert_int_equal(json_array_size(record_at(r, "disagree")), 1);
    const json_t *other = json_array_get(record_at(r, "disagree"), 0);
    assert_string_equal(record_text(other, "source"), "rapl");
    assert_true(record_real(other, "ratio") > 0.2 && record_real(other, "ratio") < 0.7);
    assert_true(record_real(source_in(r, "rapl"), "joules") > 0);
    assert_true(record_real(source_in(r, "cray"), "reader_cpu_s") >= 0);
    assert_string_equal(record_text(source_in(r, "hwmon"), "status"), "absent");
    assert_int_equal(json_array_size(record_at(r, "nodes")), 1);
    json_decref(r);
}

static void unmeasured(const struct energy_options *o, double cray, double rapl, const char *why) {
    json_t *r = run(o, cray, rapl);
    if (strcmp(record_text(r, "status"), "unmeasured") || !strstr(record_text(r, "why"), why))
        fail_msg("%s: %s", record_text(r, "status"), record_text(r, "why"));
    assert_null(record_at(r, "joules"));
    assert_null(record_at(r, "joules_per_token"));
    json_decref(r);
}

static void why_there_is_no_figure(void **state) {
    (void)state;
    struct energy_options o = options("off", NULL);
    unmeasured(&o, 0, 0, "off (--energy off)");
    o.choice = "auto";
    unmeasured(&o, 0, 0, "absent");
    put_cray(1000);
    unmeasured(&o, 0, 0, "pm_counters/energy: frozen: ");
    tree_drop("sys/cray/pm_counters/energy");
    put_rapl(1000);
    tree_lock("sys/class/powercap/intel-rapl:0/energy_uj");
    unmeasured(&o, 0, 0, "permission (");
    struct base_error e;
    struct energy *g;
    o.choice = "rapl";
    assert_int_equal(energy_open(&g, &o, &world, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--energy rapl: permission"));
    o.choice = "hwmon";
    assert_int_equal(energy_open(&g, &o, &world, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--energy hwmon: absent"));
    o = options("auto", "exit 7");
    assert_int_equal(energy_open(&g, &o, &world, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--power-cmd: \"exit 7\" exit code 7"));
}

static void nothing_was_timed(void **state) {
    (void)state;
    put_cray(1000);
    const struct energy_options o = options("auto", NULL);
    const struct energy_windows none = {NULL, NULL, 0, 100, "token"};
    struct energy *g;
    assert_int_equal(energy_open(&g, &o, &world, NULL), 0);
    json_t *r = energy_finish(g, &none, &world);
    assert_string_equal(record_text(r, "why"), "there is no valid timed step");
    json_decref(r);
    energy_close(g);
}

static void a_constant_command_says_so(void **state) {
    (void)state;
    const struct energy_options o = options("command", "echo 300");
    json_t *r = run(&o, 0, 0);
    assert_string_equal(record_text(r, "status"), "measured");
    assert_string_equal(record_text(r, "source"), "command");
    assert_true(fabs(record_real(r, "watts") - 300) < 1e-6);
    assert_true(record_true(source_in(r, "command"), "constant"));
    assert_int_equal(json_array_size(record_at(r, "sources")), 1);
    json_decref(r);
}

static void bad_choices(void **state) {
    (void)state;
    static const struct {
        const char *choice, *command, *why;
    } bad[] = {{"rapi", NULL, "unknown source \"rapi\""},
               {"rapl,", "", "--power-cmd is empty"},
               {"off", "echo 5", "cannot be combined"},
               {"command", NULL, "needs --power-cmd"},
               {",", NULL, "pass auto"},
               {"rapl,auto", NULL, "unknown source \"auto\""},
               {"rapl,rapl,rapl,rapl,rapl,rapl", NULL, "at most"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct energy_options o = options(bad[i].choice, bad[i].command);
        struct base_error e;
        assert_int_equal(energy_check(&o, &e), BASE_USAGE);
        if (!strstr(e.text, bad[i].why)) fail_msg("%s", e.text);
    }
    const struct energy_options good = options("rapl, cray", NULL);
    assert_int_equal(energy_check(&good, NULL), 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, tree_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(two_sources_that_disagree),
        test(why_there_is_no_figure),
        test(nothing_was_timed),
        test(a_constant_command_says_so),
        test(bad_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
