/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree of switches, and nodes of a Slurm job that got no rank, from made variables and a made scontrol. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "inventory/place.h"
#include "records/get.h"

/* As Slurm 22.05 prints a tree of two levels. */
static const char topology[] = "SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n[1-2]\n"
                               "SwitchName=leaf2 Level=0 LinkSpeed=1 Nodes=n[3-4],login\n"
                               "SwitchName=core Level=1 LinkSpeed=1 Nodes=login,n[1-4] Switches=leaf[1-2]\n";

static void switches_are_read_from_slurms_table(void **state) {
    (void)state;
    json_t *all = inventory_switches(topology), *none = inventory_switches("No topology information available\n");
    assert_string_equal(json_string_value(json_object_get(all, "n2")), "core.leaf1");
    assert_string_equal(json_string_value(json_object_get(all, "login")), "core.leaf2");
    assert_null(json_object_get(all, "n5"));
    assert_int_equal(json_object_size(none), 0);
    json_decref(all);
    json_decref(none);
}

static char host[HOST_NAME_MAX + 1];

/* The place of this one process, in such a job. */
static json_t *place_in(const char *nodes, const char *count, const char *address, const char *pattern) {
    struct comm world;
    json_t *place;
    comm_serial(&world);
    setenv("SLURM_JOB_NODELIST", nodes, 1);
    setenv("SLURM_JOB_NUM_NODES", count, 1);
    setenv("SLURM_TOPOLOGY_ADDR", address, 1);
    setenv("SLURM_TOPOLOGY_ADDR_PATTERN", pattern, 1);
    assert_int_equal(inventory_place(&world, &place, NULL), BASE_OK);
    assert_string_equal(record_text(place, "hosts"), host);
    return place;
}

static void nodes_without_ranks_are_named(void **state) {
    (void)state;
    char list[2 * HOST_NAME_MAX], address[2 * HOST_NAME_MAX];
    snprintf(list, sizeof list, "%s,other[1-2]", host);
    snprintf(address, sizeof address, "core.leaf1.%s", host);
    json_t *place = place_in(list, "3", address, "switch.switch.node");
    assert_string_equal(record_text(place, "unused"), "other[1-2]");
    assert_null(record_at(place, "asked"));
    const json_t *leaf = json_array_get(record_at(place, "switches"), 0);
    assert_string_equal(record_text(leaf, "name"), "core.leaf1");
    assert_string_equal(record_text(leaf, "hosts"), host);
    json_decref(place);
    setenv("TOISE_NODES_ASKED", "4", 1);
    place = place_in("other[1-3]", "3", host, "node"); /* Slurm has other names for the hosts; a flat network */
    assert_null(record_at(place, "unused"));
    assert_null(record_at(place, "switches"));
    assert_int_equal(record_whole(place, "asked"), 4);
    json_decref(place);
    setenv("TOISE_NODES_ASKED", "many", 1);
    place = place_in(host, "1", "", "");
    assert_null(record_at(place, "asked"));
    assert_null(record_at(place, "unused"));
    json_decref(place);
}

/* mpirun hands the first node's SLURM_TOPOLOGY_ADDR to all ranks, so Slurm's table is asked. */
static void ranks_of_mpirun_ask_slurm(void **state) {
    (void)state;
    char folder[] = "/tmp/toise-place-XXXXXX", script[64], path[4096];
    assert_non_null(mkdtemp(folder));
    snprintf(script, sizeof script, "%s/scontrol", folder);
    FILE *out = fopen(script, "w");
    assert_non_null(out);
    fprintf(out, "#!/bin/sh\necho 'SwitchName=leaf7 Level=0 LinkSpeed=1 Nodes=%s'\n", host);
    fclose(out);
    assert_int_equal(chmod(script, 0755), 0);
    const char *before = getenv("PATH");
    snprintf(path, sizeof path, "%s:%s", folder, before ? before : "/bin");
    setenv("PATH", path, 1);
    json_t *place = place_in(host, "1", "core.leaf1.first", "switch.switch.node");
    unlink(script);
    rmdir(folder);
    assert_string_equal(record_text(json_array_get(record_at(place, "switches"), 0), "name"), "leaf7");
    json_decref(place);
}

static int setup(void **state) {
    (void)state;
    gethostname(host, sizeof host - 1);
    host[strcspn(host, ".")] = '\0';
    unsetenv("TOISE_NODES_ASKED");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(switches_are_read_from_slurms_table),
        cmocka_unit_test(nodes_without_ranks_are_named),
        cmocka_unit_test(ranks_of_mpirun_ask_slurm),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
