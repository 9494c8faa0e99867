/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources found and read in made trees of /sys, one a kind and fault. */
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

#include "energy/source.h"
#include "unit/support/tree.h"

static struct energy_source source;

static const struct energy_source *find_by(enum energy_kind kind, const char *command) {
    const struct energy_options o = {.root = tree, .command = command};
    assert_int_equal(energy_source_open(&source, kind, &o, NULL), 0);
    return &source;
}

static const struct energy_source *find(enum energy_kind kind) {
    return find_by(kind, NULL);
}

/* The kind is `state` for a reason with these words. */
static void is(enum energy_kind kind, enum energy_state state, const char *words) {
    const struct energy_source *s = find(kind);
    if (s->state != state || !strstr(s->why, words)) fail_msg("%s (%s)", energy_state_name(s->state), s->why);
    energy_source_close(&source);
}

static void counts(const char *names) {
    char text[256] = "";
    for (int i = 0; i < source.count; i++) {
        if (!source.channel[i].counted) continue;
        if (text[0]) strcat(text, ", ");
        strcat(text, source.channel[i].name);
    }
    assert_string_equal(text, names);
}

static void read_again(void) {
    usleep(1000);
    energy_source_read(&source);
}

static void none_is_there(void **state) {
    (void)state;
    for (int k = 0; k < ENERGY_KINDS; k++)
        if (k != ENERGY_SLURM) is((enum energy_kind)k, ENERGY_ABSENT, k == ENERGY_COMMAND ? "--power-cmd" : "/sys/");
    unsetenv("SLURM_JOB_ID");
    is(ENERGY_SLURM, ENERGY_ABSENT, "no Slurm job");
}

/* RAPL */

static void put_zone(const char *zone, const char *name, const char *energy, const char *range) {
    char path[128], text[64];
    snprintf(path, sizeof path, "sys/class/powercap/%s/name", zone);
    snprintf(text, sizeof text, "%s\n", name);
    tree_put(path, text);
    snprintf(path, sizeof path, "sys/class/powercap/%s/energy_uj", zone);
    tree_put(path, energy);
    snprintf(path, sizeof path, "sys/class/powercap/%s/max_energy_range_uj", zone);
    if (range) tree_put(path, range);
}

static void rapl_does_not_count_twice(void **state) {
    (void)state;
    tree_put("sys/class/powercap/intel-rapl/enabled", "1\n");
    put_zone("intel-rapl:0", "package-0", "1000000\n", "262143328850\n");
    put_zone("intel-rapl:0:0", "core", "1\n", "262143328850\n");
    put_zone("intel-rapl:0:1", "dram", "5\n", "65712999613\n");
    put_zone("intel-rapl:1", "package-1", "2\n", "262143328850\n");
    put_zone("intel-rapl:1:0", "dram", "5\n", "65712999613\n");
    put_zone("intel-rapl:2", "psys", "5\n", "262143328850\n");
    put_zone("intel-rapl-mmio:0", "package-0", "1000000\n", "262143328850\n");
    assert_int_equal(find(ENERGY_RAPL)->state, ENERGY_MEASURED);
    counts("package-0, dram, package-1, dram");
    assert_string_equal(source.scope, "sockets");
    assert_int_equal(source.count, 6); /* core and psys are shown */
    assert_true(fabs(source.channel[0].meter.range - 262143.328850) < 1e-6);
    read_again();
    put_zone("intel-rapl:0", "package-0", "1000010\n", NULL);
    read_again();
    put_zone("intel-rapl:0", "package-0", "1000030\n", NULL);
    read_again();
    assert_true(fabs(source.channel[0].meter.total - 20e-6) < 1e-12);
    energy_source_close(&source);
}

static void rapl_of_amd_and_of_psys_alone(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0", "7\n", "65532610987\n"); /* AMD: no DRAM, and a core that is a part */
    put_zone("intel-rapl:0:0", "core", "7\n", "65532610987\n");
    find(ENERGY_RAPL);
    counts("package-0");
    energy_source_close(&source);
    put_zone("intel-rapl:0", "psys", "7\n", "65532610987\n");
    find(ENERGY_RAPL);
    counts("psys");
    assert_string_equal(source.scope, "platform");
    energy_source_close(&source);
    put_zone("intel-rapl:0", "uncore", "7\n", "65532610987\n");
    is(ENERGY_RAPL, ENERGY_ABSENT, "nothing to count");
}

static void rapl_faults(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0", "7\n", NULL);
    assert_int_equal(find(ENERGY_RAPL)->state, ENERGY_MEASURED);
    assert_true(source.channel[0].meter.range <= 0); /* unknown: no wrap is guessed */
    energy_source_close(&source);
    put_zone("intel-rapl:0", "package-0", "lots\n", "1000\n");
    is(ENERGY_RAPL, ENERGY_FAULT, "energy_uj: not a number: \"lots\"");
    put_zone("intel-rapl:0", "package-0", "-7\n", "1000\n");
    is(ENERGY_RAPL, ENERGY_FAULT, "below 0");
    put_zone("intel-rapl:0", "package-0", "", "1000\n");
    is(ENERGY_RAPL, ENERGY_FAULT, "empty");
    put_zone("intel-rapl:0", "package-0", "7\n", "1000\n");
    put_zone("intel-rapl:0:0", "core", "rubbish\n", "1000\n"); /* not counted: left out */
    assert_int_equal(find(ENERGY_RAPL)->state, ENERGY_MEASURED);
    assert_int_equal(source.count, 1);
    energy_source_close(&source);
    tree_lock("sys/class/powercap/intel-rapl:0/energy_uj");
    is(ENERGY_RAPL, ENERGY_PERMISSION, "/sys/class/powercap/intel-rapl:0/energy_uj");
}

static void garbage_while_reading_is_a_failed_reading(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0", "1000000\n", "262143328850\n");
    find(ENERGY_RAPL);
    read_again();
    put_zone("intel-rapl:0", "package-0", "0x77\n", NULL);
    read_again();
    put_zone("intel-rapl:0", "package-0", "nan\n", NULL);
    read_again();
    put_zone("intel-rapl:0", "package-0", "", NULL);
    read_again();
    assert_true(source.channel[0].meter.failed == 3 && source.channel[0].meter.readings == 1);
    energy_source_close(&source);
}

/* Cray */

static void put_cray(const char *energy, const char *cpu, const char *freshness) {
    tree_put("sys/cray/pm_counters/energy", energy);
    tree_put("sys/cray/pm_counters/cpu_energy", cpu);
    tree_put("sys/cray/pm_counters/accel0_energy", "5 J 1600000000000000 us\n");
    tree_put("sys/cray/pm_counters/power", "300 W 1600000000000000 us\n");
    tree_put("sys/cray/pm_counters/generation", "3\n");
    tree_put("sys/cray/pm_counters/startup", "1600000000000000\n");
    tree_put("sys/cray/pm_counters/freshness", freshness);
}

static void cray_counts_the_node(void **state) {
    (void)state;
    put_cray("1000 J 1600000000100000 us\n", "400 J 1600000000100000 us\n", "7\n");
    assert_int_equal(find(ENERGY_CRAY)->state, ENERGY_MEASURED);
    counts("energy");
    assert_true(source.count == 3 && !strcmp(source.scope, "node"));
    struct energy_meter *m = NULL;
    for (int i = 0; i < source.count; i++)
        if (source.channel[i].counted) m = &source.channel[i].meter;
    read_again();
    put_cray("1030 J 1600000000200000 us\n", "410 J 1600000000200000 us\n", "8\n");
    read_again();
    put_cray("1060 J 1600000000300000 us\n", "420 J 1600000000300000 us\n", "9\n");
    usleep(20000);
    read_again();
    assert_true(m->total == 30 && m->count == 2);
    /* no refresh: a value that changed nevertheless is not believed */
    put_cray("1090 J 1600000000300000 us\n", "420 J 1600000000300000 us\n", "9\n");
    read_again();
    assert_true(m->total == 30 && m->repeats == 2);
    tree_put("sys/cray/pm_counters/startup", "1700000000000000\n");
    put_cray("2000 J 1600000000300000 us\n", "420 J 1600000000300000 us\n", "10\n");
    tree_put("sys/cray/pm_counters/startup", "1700000000000000\n");
    read_again();
    assert_true(m->resets == 1 && m->total == 30);
    energy_source_close(&source);
}

static void cray_of_an_old_controller(void **state) {
    (void)state;
    tree_put("sys/cray/pm_counters/energy", "1000 J\n"); /* no time, no freshness */
    assert_int_equal(find(ENERGY_CRAY)->state, ENERGY_MEASURED);
    read_again();
    tree_put("sys/cray/pm_counters/energy", "1001 J\n");
    read_again();
    assert_true(source.channel[0].meter.count == 1 && source.channel[0].meter.repeats == 1);
    energy_source_close(&source);
}

static void cray_faults(void **state) {
    (void)state;
    put_cray("1000 kJ 5 us\n", "1 J\n", "7\n");
    is(ENERGY_CRAY, ENERGY_FAULT, "not in J: \"1000 kJ 5 us\"");
    put_cray("J 1000\n", "1 J\n", "7\n");
    is(ENERGY_CRAY, ENERGY_FAULT, "not a number");
    put_cray("1000 J 5 us\n", "1 J\n", "7\n");
    tree_drop("sys/cray/pm_counters/energy"); /* parts alone are not the node */
    is(ENERGY_CRAY, ENERGY_ABSENT, "nothing to count");
    put_cray("1000 J 5 us\n", "1 J\n", "7\n");
    tree_lock("sys/cray/pm_counters/energy");
    is(ENERGY_CRAY, ENERGY_PERMISSION, "/sys/cray/pm_counters/energy");
}

/* hwmon */

static void put_sensor(const char *hwmon, const char *driver, const char *file, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "sys/class/hwmon/%s/name", hwmon);
    tree_put(path, driver);
    snprintf(path, sizeof path, "sys/class/hwmon/%s/%s", hwmon, file);
    tree_put(path, text);
}

static void hwmon_counts_what_covers_the_node(void **state) {
    (void)state;
    put_sensor("hwmon0", "nvme\n", "power1_input", "5000000\n");
    is(ENERGY_HWMON, ENERGY_ABSENT, "1 sensors, none of them known");
    put_sensor("hwmon1", "amd_energy\n", "energy1_input", "77\n");
    put_sensor("hwmon1", "amd_energy\n", "energy1_label", "Ecore000\n");
    put_sensor("hwmon1", "amd_energy\n", "energy2_input", "99\n");
    put_sensor("hwmon1", "amd_energy\n", "energy2_label", "Esocket0\n");
    find(ENERGY_HWMON);
    counts("amd_energy Esocket0");
    assert_string_equal(source.scope, "sockets");
    energy_source_close(&source);
    put_sensor("hwmon2", "power_meter\n", "power1_average", "212500000\n"); /* the whole node: sockets are a part */
    put_sensor("hwmon2", "power_meter\n", "power1_input", "1\n");
    find(ENERGY_HWMON);
    counts("power_meter power1_average");
    assert_string_equal(source.scope, "node");
    read_again();
    read_again();
    for (int i = 0; i < source.count; i++)
        if (source.channel[i].counted) assert_true(fabs(source.channel[i].meter.last - 212.5) < 1e-9);
    energy_source_close(&source);
    put_sensor("hwmon3", "power_meter\n", "power1_average", "100000000\n");
    is(ENERGY_HWMON, ENERGY_FAULT, "2 sensors like");
}

static void hwmon_of_grace_in_an_old_place(void **state) {
    (void)state;
    static const char *const info[] = {"Module Power Socket 0", "Grace Power Socket 0", "CPU Power Socket 0",
                                       "Module Power Socket 1"};
    for (int i = 0; i < 4; i++) {
        char hwmon[32];
        snprintf(hwmon, sizeof hwmon, "hwmon%d/device", i);
        put_sensor(hwmon, "power_meter\n", "power1_average", "100000000\n");
        put_sensor(hwmon, "power_meter\n", "power1_oem_info", info[i]);
    }
    find(ENERGY_HWMON);
    counts("power_meter Module Power Socket 0, power_meter Module Power Socket 1");
    assert_string_equal(source.scope, "modules");
    assert_int_equal(source.count, 4);
    energy_source_close(&source);
    tree_lock("sys/class/hwmon/hwmon0/device/power1_average");
    is(ENERGY_HWMON, ENERGY_PERMISSION, "hwmon0/device/power1_average");
}

/* Commands */

static void a_power_command(void **state) {
    (void)state;
    static const struct {
        const char *command, *why;
    } bad[] = {{"exit 3", "exit code 3"},
               {"no-such-tool-here", "exit code 127"},
               {"echo oops >&2; exit 1", "exit code 1: oops"},
               {":", "printed nothing"},
               {"echo watts", "printed \"watts\", not watts"},
               {"echo -12", "below 0"},
               {"echo 12 kW", "one number, with W or J"},
               {"echo 12 W 13 W", "one number, with W or J"},
               {"echo nan", "not watts"},
               {"echo inf", "not watts"},
               {"echo 1e999", "not watts"},
               {"echo 0x10", "not watts"},
               {"head -c 1000 /dev/zero | tr '\\0' 1", "printed over"},
               {"kill -9 $$", "exit code 137"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct energy_source *s = find_by(ENERGY_COMMAND, bad[i].command);
        if (s->state != ENERGY_FAULT || !strstr(s->why, bad[i].why)) fail_msg("%s: %s", bad[i].command, s->why);
        energy_source_close(&source);
    }
    assert_int_equal(find_by(ENERGY_COMMAND, "echo ' 212.5 W '")->state, ENERGY_MEASURED);
    assert_true(source.channel[0].meter.unit == ENERGY_WATTS);
    read_again();
    read_again();
    assert_true(source.channel[0].meter.last == 212.5 && source.channel[0].meter.count == 2);
    energy_source_close(&source);
    assert_int_equal(find_by(ENERGY_COMMAND, "echo 7 # \xff\xe9")->state, ENERGY_MEASURED);
    assert_string_equal(source.channel[0].path, "echo 7 # ??"); /* records are UTF-8 */
    energy_source_close(&source);
    find_by(ENERGY_COMMAND, "echo 1234 J");
    assert_true(source.channel[0].meter.unit == ENERGY_JOULES);
    energy_source_close(&source);
}

static void a_power_command_that_turns_bad(void **state) {
    (void)state;
    char command[512];
    tree_put("says", "100\n");
    snprintf(command, sizeof command, "cat %s/says", tree);
    find_by(ENERGY_COMMAND, command);
    static const char *const says[] = {"100\n", "-3\n", "oh\n", "5 J\n", "", "120\n"};
    for (int i = 0; i < 6; i++) {
        tree_put("says", says[i]);
        read_again();
    }
    assert_true(source.channel[0].meter.failed == 4 && source.channel[0].meter.readings == 2);
    energy_source_close(&source);
}

static void a_command_that_hangs_is_killed(void **state) {
    (void)state;
    char text[64], why[160];
    assert_false(energy_child("sleep 1000", 0.2, text, sizeof text, why));
    assert_string_equal(why, "took more than 0.2 s");
    assert_true(energy_child("echo 5", 60, text, sizeof text, why));
    assert_string_equal(text, "5\n");
}

/* Slurm: what its commands print, of several versions */
static void slurm(void **state) {
    (void)state;
    static const char nodes[] = "CurrentWatts=210\nCurrentWatts=190\n";
    enum energy_unit unit;
    char why[160];
    double x;
    assert_true(energy_slurm_parse(nodes, &x, &unit, why) && x == 400 && unit == ENERGY_WATTS);
    assert_true(
        energy_slurm_parse("   CapWatts=n/a\n   CurrentWatts=210 LowestJoules=5 ConsumedJoules=77\n", &x, &unit, why));
    assert_true(x == 210);
    assert_true(energy_slurm_parse("12345\n", &x, &unit, why) && x == 12345 && unit == ENERGY_JOULES);
    assert_false(energy_slurm_parse("0\n", &x, &unit, why));
    assert_non_null(strstr(why, "AcctGatherEnergyType"));
    assert_false(energy_slurm_parse("CurrentWatts=210\nCurrentWatts=n/a\n", &x, &unit, why));
    assert_non_null(strstr(why, "CurrentWatts=n/a"));
    assert_false(energy_slurm_parse("CurrentWatts=0\n", &x, &unit, why));
    assert_false(energy_slurm_parse("", &x, &unit, why));
    assert_false(energy_slurm_parse("sstat: error: no steps\n", &x, &unit, why));
}

static void slurm_asks_for_its_job(void **state) {
    (void)state;
    char path[1024];
    tree_put("sstat", "#!/bin/sh\necho \"$@\" >\"$0.asked\"\necho 4242\n");
    snprintf(path, sizeof path, "chmod +x %s/sstat", tree);
    assert_int_equal(system(path), 0);
    const char *before = getenv("PATH");
    snprintf(path, sizeof path, "%s:%.700s", tree, before);
    setenv("PATH", path, 1);
    setenv("SLURM_JOB_ID", "77", 1);
    setenv("SLURM_STEP_ID", "0", 1);
    assert_int_equal(find(ENERGY_SLURM)->state, ENERGY_MEASURED);
    assert_string_equal(source.scope, "job");
    assert_non_null(strstr(source.words, "--jobs=77.0"));
    read_again();
    assert_true(source.channel[0].meter.last == 4242);
    energy_source_close(&source);
    setenv("SLURM_JOB_ID", "77; rm -rf /", 1);
    is(ENERGY_SLURM, ENERGY_ABSENT, "no Slurm job");
    setenv("SLURM_JOB_ID", "77", 1);
    unsetenv("SLURM_STEP_ID");
    setenv("SLURM_JOB_NODELIST", "a[1-2]'; touch x'", 1);
    is(ENERGY_SLURM, ENERGY_ABSENT, "SLURM_JOB_NODELIST");
    setenv("SLURM_JOB_NODELIST", "a[1-2]", 1);
    is(ENERGY_SLURM, ENERGY_FAULT, "scontrol show node 'a[1-2]'");
    unsetenv("SLURM_JOB_ID"), unsetenv("SLURM_JOB_NODELIST");
}

#define test(name) cmocka_unit_test_setup_teardown(name, tree_make, tree_remove)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(none_is_there),
        test(rapl_does_not_count_twice),
        test(rapl_of_amd_and_of_psys_alone),
        test(rapl_faults),
        test(garbage_while_reading_is_a_failed_reading),
        test(cray_counts_the_node),
        test(cray_of_an_old_controller),
        test(cray_faults),
        test(hwmon_counts_what_covers_the_node),
        test(hwmon_of_grace_in_an_old_place),
        test(a_power_command),
        test(a_power_command_that_turns_bad),
        test(a_command_that_hangs_is_killed),
        test(slurm),
        test(slurm_asks_for_its_job),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
