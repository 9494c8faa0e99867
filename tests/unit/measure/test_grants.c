/* SPDX-License-Identifier: Apache-2.0
 *
 * CPU grants of the environment and of cgroups, and checks of OpenMP's placement variables. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cgroup.h"
#include "base/places.h"
#include "base/threads.h"
#include "measure/grants.h"

static const char *const variables[] = {"SLURM_CPUS_ON_NODE", "SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS",
                                        "OMP_THREAD_LIMIT",   "OMP_PROC_BIND",       "OMP_PLACES",
                                        "GOMP_CPU_AFFINITY"};

static int clear(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) unsetenv(variables[i]);
    return 0;
}

static void variables_are_read(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        double cpus; /* 0: not set; -1: refused */
    } rows[] = {
        {"OMP_NUM_THREADS", "1", 1},        {"OMP_NUM_THREADS", "12", 12},
        {"OMP_NUM_THREADS", " 4 ", 4},      {"OMP_NUM_THREADS", "4,2", 4},
        {"OMP_NUM_THREADS", "4 , 2,1", 4},  {"OMP_NUM_THREADS", "99999999999999999999999", 0x1p63}, /* limits nothing */
        {"OMP_NUM_THREADS", "", 0},         {"OMP_NUM_THREADS", "abc", -1},
        {"OMP_NUM_THREADS", "0", -1},       {"OMP_NUM_THREADS", "-1", -1},
        {"OMP_NUM_THREADS", "2x", -1},      {"OMP_NUM_THREADS", "1.5", -1},
        {"OMP_NUM_THREADS", "2,", -1},      {"OMP_NUM_THREADS", ",2", -1},
        {"OMP_NUM_THREADS", "2,x", -1},     {"OMP_NUM_THREADS", " ", -1},
        {"OMP_THREAD_LIMIT", "3", 3},       {"OMP_THREAD_LIMIT", "3,2", -1},
        {"SLURM_CPUS_PER_TASK", "8", 8},    {"SLURM_CPUS_PER_TASK", "junk", -1},
        {"SLURM_CPUS_ON_NODE", "128", 128}, {"SLURM_CPUS_ON_NODE", "2(x3)", -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct measure_grants g;
        struct base_error e = {0};
        int which = MEASURE_GRANT_NODE;
        while (strcmp(measure_grant_name((enum measure_grant)which), rows[i].name) != 0) which++;
        clear(NULL);
        setenv(rows[i].name, rows[i].text, 1);
        const int code = measure_grants_read(&g, "/nowhere", "/nowhere", &e);
        assert_int_equal(code, rows[i].cpus < 0 ? BASE_USAGE : BASE_OK);
        if (code) assert_non_null(strstr(e.text, rows[i].name));
        for (int k = 0; k < MEASURE_GRANTS; k++)
            assert_true(g.cpus[k] == (k == which && rows[i].cpus > 0 ? rows[i].cpus : 0));
    }
    clear(NULL);
}

/* One invalid variable does not hide the others: --threads replaces it. */
static void others_are_read_beside_nonsense(void **state) {
    (void)state;
    struct measure_grants g;
    setenv("SLURM_CPUS_ON_NODE", "junk", 1);
    setenv("OMP_THREAD_LIMIT", "6", 1);
    assert_int_equal(measure_grants_read(&g, "/nowhere", "/nowhere", NULL), BASE_USAGE);
    assert_true(g.cpus[MEASURE_GRANT_LIMIT] == 6 && g.cpus[MEASURE_GRANT_NODE] == 0);
    clear(NULL);
}

static void put(const char *root, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_quota_is_read(void **state) {
    (void)state;
    char root[] = "/tmp/toise-grants-XXXXXX", path[128], command[128];
    struct measure_grants g;
    assert_non_null(mkdtemp(root));
    snprintf(path, sizeof path, "%s/job", root);
    assert_int_equal(mkdir(path, 0700), 0);
    put(root, "membership", "0::/job\n");
    put(root, "job/cpu.max", "150000 100000\n");
    snprintf(path, sizeof path, "%s/membership", root);
    assert_int_equal(measure_grants_read(&g, path, root, NULL), BASE_OK);
    assert_true(g.cpus[MEASURE_GRANT_QUOTA] == 1.5);
    assert_non_null(strstr(g.group, "/job"));
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void the_least_binds(void **state) {
    (void)state;
    static const struct {
        double cpus[MEASURE_GRANTS]; /* mask, quota, node, task, OpenMP, limit */
        int sharers[3];
        int wanted, granted; /* by all, and by those that are shared */
        enum measure_grant bound;
    } rows[] = {
        {{8}, {1, 1, 1}, 8, 8, MEASURE_GRANT_MASK},
        {{8}, {4, 1, 1}, 2, 2, MEASURE_GRANT_MASK},
        {{8, 0.5}, {1, 1, 1}, 1, 1, MEASURE_GRANT_QUOTA},
        {{8, 1.5}, {1, 1, 1}, 1, 1, MEASURE_GRANT_QUOTA},
        {{8, 2.9}, {1, 1, 1}, 2, 2, MEASURE_GRANT_QUOTA},
        {{1, 1.5}, {1, 2, 1}, 1, 1, MEASURE_GRANT_QUOTA}, /* three quarters of a CPU */
        {{8, 6}, {1, 2, 1}, 3, 3, MEASURE_GRANT_QUOTA},
        {{8, 7}, {1, 2, 1}, 3, 3, MEASURE_GRANT_QUOTA},
        {{8, 1.5}, {4, 4, 4}, 1, 1, MEASURE_GRANT_QUOTA},
        {{8, 0, 6}, {1, 1, 3}, 2, 2, MEASURE_GRANT_NODE},
        {{8, 0, 2}, {1, 1, 3}, 1, 1, MEASURE_GRANT_NODE},
        {{8, 0, 400}, {1, 1, 1}, 8, 8, MEASURE_GRANT_MASK},
        {{8, 0, 8, 4}, {2, 2, 2}, 4, 4, MEASURE_GRANT_MASK}, /* each rank's; the first of equals */
        {{8, 0, 8, 3}, {2, 2, 2}, 3, 4, MEASURE_GRANT_TASK},
        {{8, 0, 0, 0, 1}, {1, 1, 1}, 1, 8, MEASURE_GRANT_OMP},
        {{8, 0, 0, 0, 16}, {1, 1, 1}, 8, 8, MEASURE_GRANT_MASK},
        {{8, 0, 0, 0, 6, 5}, {1, 1, 1}, 5, 8, MEASURE_GRANT_LIMIT},
        {{8, 4, 3, 2, 0x1p63, 0}, {1, 1, 1}, 2, 3, MEASURE_GRANT_TASK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct measure_grants g = {0};
        int sharers[MEASURE_GRANTS] = {rows[i].sharers[0], rows[i].sharers[1], rows[i].sharers[2], 1, 1, 1};
        enum measure_grant bound = MEASURE_GRANTS, shared = MEASURE_GRANTS;
        memcpy(g.cpus, rows[i].cpus, sizeof g.cpus);
        assert_int_equal(measure_grants_least(&g, sharers, MEASURE_GRANTS, &bound), rows[i].wanted);
        assert_int_equal(bound, rows[i].bound);
        assert_int_equal(measure_grants_least(&g, sharers, MEASURE_GRANT_TASK, &shared), rows[i].granted);
        assert_true(shared < MEASURE_GRANT_TASK);
    }
}

/* %d and the like stand for CPUs of this machine: the first usable, the last, and a missing one. */
static void affinities_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *format, *beside;
        bool right;
    } rows[] = {
        {"%1$d", NULL, true},
        {"%1$d %1$d,%1$d", NULL, true},
        {" %1$d-%1$d ", NULL, true},
        {"%1$d-%1$d:2", NULL, true},
        {"%1$d %2$d", NULL, true},
        {"%3$d", NULL, false},
        {"%1$d %3$d", NULL, false},
        {"%1$d-%3$d", NULL, false},
        {"%3$d", "OMP_PROC_BIND=false", true},
        {"%3$d", "OMP_PLACES=threads", true}, /* OpenMP then ignores it */
        {"99999999999999999999", NULL, false},
        {"junk", NULL, false},
        {"%1$d-", NULL, false},
        {"%1$dx", NULL, false},
        {"-%1$d", NULL, false},
        {"%1$d-%1$d:0", NULL, false},
        {"", NULL, true},
    };
    struct base_cpus usable, before, after;
    base_cpus_mask(&before);
    base_cpus_usable(&usable);
    base_cpus_mask(&after);
    assert_memory_equal(before.cpu, after.cpu, (size_t)before.count * sizeof before.cpu[0]);
    assert_int_equal(before.count, after.count);
    assert_true(usable.count >= before.count);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[128], setting[64], warning[128] = "";
        struct base_error e = {0};
        clear(NULL);
        snprintf(text, sizeof text, rows[i].format, usable.cpu[0], usable.cpu[usable.count - 1],
                 usable.cpu[usable.count - 1] + 1);
        setenv("GOMP_CPU_AFFINITY", text, 1);
        if (rows[i].beside) {
            snprintf(setting, sizeof setting, "%s", rows[i].beside);
            char *value = strchr(setting, '=');
            *value++ = '\0';
            setenv(setting, value, 1);
        }
        assert_int_equal(base_places_check(warning, sizeof warning, &e), rows[i].right ? BASE_OK : BASE_USAGE);
        if (!rows[i].right) assert_non_null(strstr(e.text, "GOMP_CPU_AFFINITY="));
    }
    clear(NULL);
}

/* This program started without places, so OpenMP ignores settings made now. */
static void places_not_taken_are_told(void **state) {
    (void)state;
    static const char *const rows[][3] = {{"OMP_PLACES", "junk", "OMP_PLACES=junk"},
                                          {"OMP_PROC_BIND", "junk", "OMP_PROC_BIND=junk"},
                                          {"OMP_PROC_BIND", "FALSE", NULL},
                                          {"OMP_PLACES", "", NULL}};
    assert_false(base_places_given());
    for (int i = 0; i < 4; i++) {
        char warning[128] = "";
        clear(NULL);
        setenv(rows[i][0], rows[i][1], 1);
        assert_int_equal(base_places_check(warning, sizeof warning, NULL), BASE_OK);
        assert_int_equal(warning[0] != '\0', rows[i][2] != NULL);
        if (rows[i][2]) assert_non_null(strstr(warning, rows[i][2]));
        assert_true(base_places_given());
    }
    clear(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_read),     cmocka_unit_test(others_are_read_beside_nonsense),
        cmocka_unit_test(a_quota_is_read),        cmocka_unit_test(the_least_binds),
        cmocka_unit_test(affinities_are_checked), cmocka_unit_test(places_not_taken_are_told),
    };
    return cmocka_run_group_tests(tests, clear, NULL);
}
