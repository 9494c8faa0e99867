/* SPDX-License-Identifier: Apache-2.0
 *
 * Limits of control groups are found in both versions and at every level above a process. */
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

/* A made-up tree of control groups, a new one for each test */
static char root[64], membership[128];

static const char *in_root(const char *path) {
    static char full[256];
    snprintf(full, sizeof full, "%s/%s", root, path);
    return full;
}

static void folder(const char *path) {
    assert_int_equal(mkdir(in_root(path), 0700), 0);
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(in_root(path), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make(void **state) {
    (void)state;
    strcpy(root, "/tmp/toise-cgroup-XXXXXX");
    if (mkdtemp(root) == NULL) return 1;
    snprintf(membership, sizeof membership, "%s/membership", root);
    return 0;
}

static int drop(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void memory_room(void **state) {
    (void)state;
    static const char *const folders[] = {"job", "job/step", "memory", "memory/box"};
    for (int i = 0; i < 4; i++) folder(folders[i]);
    put("membership", "0::/job/step\n");
    assert_true(base_cgroup_memory_room(membership, root) == -1); /* no files, no limit */
    put("job/step/memory.max", "max\n");
    put("job/step/memory.current", "900\n");
    assert_true(base_cgroup_memory_room(membership, root) == -1);
    put("job/memory.max", "5000\n");
    put("job/memory.current", "3000\n");
    assert_true(base_cgroup_memory_room(membership, root) == 2000);
    put("job/memory.stat", "anon 1\nactive_file 64\ninactive_file 500\n");
    assert_true(base_cgroup_memory_room(membership, root) == 2500);
    put("job/step/memory.max", "1000\n");
    assert_true(base_cgroup_memory_room(membership, root) == 100);
    put("job/step/memory.current", "1100\n");
    assert_true(base_cgroup_memory_room(membership, root) == 0);

    put("membership", "0::/not/seen/here\n");
    put("memory.max", "4000\n"); /* what a container sees as its own */
    put("memory.current", "1000\n");
    assert_true(base_cgroup_memory_room(membership, root) == 3000);

    put("membership", "9:name=systemd:/\n4:memory:/box\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/memory.usage_in_bytes", "5\n");
    assert_true(base_cgroup_memory_room(membership, root) == -1);
    put("memory/box/memory.limit_in_bytes", "600\n");
    put("memory/box/memory.usage_in_bytes", "400\n");
    put("memory/box/memory.stat", "inactive_file 999\ntotal_inactive_file 50\n");
    assert_true(base_cgroup_memory_room(membership, root) == 250);
    assert_true(base_cgroup_memory_room(in_root("absent"), root) == -1);
}

/* The current quota, with the folder that sets it */
static void expect(double cpus, double period_s, const char *group) {
    struct base_cgroup_quota quota = {.cpus = -1, .group = "stale"};
    base_cgroup_quota(membership, root, &quota);
    assert_float_equal(quota.cpus, cpus, 1e-12);
    assert_float_equal(quota.period_s, period_s, 1e-12);
    assert_string_equal(quota.group, cpus > 0 ? in_root(group) : "");
}

static void quota_of_v2(void **state) {
    (void)state;
    folder("job"), folder("job/step");
    expect(0, 0, ""); /* no membership */
    put("membership", "0::/job/step\n");
    expect(0, 0, ""); /* no files: the controller is not on */
    put("job/step/cpu.max", "max 100000\n");
    expect(0, 0, "");
    put("job/cpu.max", "150000 100000\n");
    expect(1.5, 0.1, "job"); /* above the group */
    put("job/step/cpu.max", "10000 20000\n");
    expect(0.5, 0.02, "job/step");
    put("job/cpu.max", "25000 100000\n");
    expect(0.25, 0.1, "job");
    put("job/cpu.max", "nonsense\n");
    expect(0.5, 0.02, "job/step");
}

/* In a container the mount is the container's own group, whether named / or by a path that is invisible here. */
static void quota_at_the_mount(void **state) {
    (void)state;
    put("cpu.max", "200000 100000\n");
    for (int i = 0; i < 2; i++) {
        put("membership", i == 0 ? "0::/\n" : "0::/kubepods/pod1/box\n");
        struct base_cgroup_quota quota;
        base_cgroup_quota(membership, root, &quota);
        assert_float_equal(quota.cpus, 2.0, 1e-12);
        assert_string_equal(quota.group, root);
    }
}

static void quota_of_v1(void **state) {
    (void)state;
    static const struct {
        const char *mount, *line;
    } cases[] = {{"cpu", "1:cpu:/docker/box"},
                 {"cpu,cpuacct", "4:cpu,cpuacct:/docker/box"},
                 {"cpuacct,cpu", "4:cpuacct,cpu:/docker/box"},
                 {"cpu", "4:cpuacct,cpu:/docker/box"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[64], line[96];
        folder(cases[i].mount);
        snprintf(line, sizeof line, "9:cpuset:/\n%s\n0::/\n", cases[i].line);
        put("membership", line);
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", cases[i].mount);
        put(path, "-1\n");
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", cases[i].mount);
        put(path, "100000\n");
        expect(0, 0, "");
        snprintf(path, sizeof path, "%s/docker", cases[i].mount);
        folder(path);
        snprintf(path, sizeof path, "%s/docker/cpu.cfs_quota_us", cases[i].mount);
        put(path, "50000\n");
        expect(0, 0, ""); /* a quota without its period is no limit */
        snprintf(path, sizeof path, "%s/docker/cpu.cfs_period_us", cases[i].mount);
        put(path, "100000\n");
        snprintf(path, sizeof path, "%s/docker", cases[i].mount);
        expect(0.5, 0.1, path);
        assert_int_equal(drop(NULL), 0);
        assert_int_equal(mkdir(root, 0700), 0);
    }
    folder("cpu"), put("cpu/cpu.cfs_quota_us", "50000\n"), put("cpu/cpu.cfs_period_us", "100000\n");
    put("membership", "1:cpuacct:/\n2:cpuset:/\n");
    expect(0, 0, ""); /* other controllers whose names have the same beginning */
}

static void remember(const char *group, void *context) {
    strcat(context, group + strlen(root));
    strcat(context, " ");
}

static void groups_of_a_process(void **state) {
    (void)state;
    char seen[256] = "";
    folder("cpu");
    put("membership", "1:cpu:/a/b\n0::/\n");
    base_cgroup_cpu_groups(membership, root, remember, seen);
    assert_string_equal(seen, "/cpu/a/b /cpu/a /cpu  ");
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(memory_room), IN_TREE(quota_of_v2),         IN_TREE(quota_at_the_mount),
        IN_TREE(quota_of_v1), IN_TREE(groups_of_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
