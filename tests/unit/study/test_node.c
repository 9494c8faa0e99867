/* SPDX-License-Identifier: Apache-2.0
 *
 * The node of a launch: neither ranks nor their order name it, and no host is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study/node.h"

static void assert_node(const char *per_rank, const char *wanted) {
    json_t *ranks = json_loads(per_rank, 0, NULL);
    json_t *record =
        json_pack("{s:{s:s, s:s}, s:{s:o}}", "machine", "cpu", "C", "host", "n9", "result", "per_rank", ranks);
    char *node = study_node_of(record);
    assert_string_equal(node, wanted);
    free(node);
    json_decref(record);
}

static void hosts_are_a_set(void **state) {
    (void)state;
    assert_node("[{\"host\": \"n2\"}, {\"host\": \"n1\"}, {\"host\": \"n2\"}, {\"host\": \"n1\"}]", "C: n1 n2");
    assert_node("[{\"host\": \"n1\"}, {\"host\": \"n1\"}, {\"host\": \"n2\"}, {\"host\": \"n2\"}]", "C: n1 n2");
    assert_node("[{\"host\": \"n10\"}, {}]", "C: n10");
    assert_node("[]", "C: n9");
    json_t *bare = json_object();
    char *node = study_node_of(bare);
    assert_string_equal(node, "");
    free(node);
    json_decref(bare);
}

static void many_hosts(void **state) {
    (void)state;
    enum { HOSTS = 5000 };
    json_t *ranks = json_array(), *record;
    for (int i = 0; i < HOSTS; i++)
        json_array_append_new(ranks, json_pack("{s:o}", "host", json_sprintf("host%04d", i)));
    record = json_pack("{s:{s:o}}", "result", "per_rank", ranks);
    char *node = study_node_of(record);
    assert_int_equal(strlen(node), 1 + HOSTS * 9);
    assert_non_null(strstr(node, " host4999"));
    free(node);
    json_decref(record);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_a_set),
        cmocka_unit_test(many_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
