/* SPDX-License-Identifier: Apache-2.0
 *
 * Many made-up nodes: what differs, who is equal, names in short, and a page that stays short for thousands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inventory/facts.h"
#include "inventory/hosts.h"
#include "inventory/nodes.h"
#include "records/get.h"
#include "report/report.h"

enum { MANY = 4096 };

/* A node; governor NULL: its user may not read it */
static json_t *node(const char *host, const char *firmware, const char *governor) {
    json_t *m = json_pack("{s:s, s:{s:s}, s:s?, s:I, s:[{s:s, s:f}], s:{s:s}}", "host", host, "firmware", "version",
                          firmware, "governor", governor, "memory_bytes", (json_int_t)540000000000, "interfaces",
                          "name", "eth0", "bit_per_s", 25e9, "environment", "OMP_NUM_THREADS", "8");
    json_t *unknown = json_object();
    char hash[INVENTORY_FINGERPRINT];
    if (!governor) json_object_set_new(unknown, "governor", json_string("permission"));
    json_object_set_new(m, "unknown", unknown);
    inventory_hash(m, hash);
    json_object_set_new(m, "fingerprint", json_string(hash));
    return m;
}

static const json_t *entry(const json_t *result, const char *list, size_t i) {
    return json_array_get(record_at(result, list), i);
}
static const json_t *value(const json_t *result, size_t difference, size_t i) {
    return entry(entry(result, "differences", difference), "values", i);
}

/* The page of a record with this result */
static char *page_of(json_t *result) {
    char *text = NULL;
    size_t size;
    json_t *record = json_pack("{s:O, s:{s:i}}", "result", result, "layout", "world", 8);
    FILE *out = open_memstream(&text, &size);
    report_info(out, record);
    fclose(out);
    json_decref(record);
    return text;
}

static void equal_nodes(void **state) {
    (void)state;
    json_t *machines = json_array(), *other = node("n2", "1.9", "performance");
    json_array_append_new(machines, node("n1", "1.9", "performance"));
    /* what varies between equal nodes: names, a little memory */
    json_object_set_new(other, "memory_bytes", json_integer(539900000000));
    json_object_set_new(json_array_get(json_object_get(other, "interfaces"), 0), "name", json_string("eno1"));
    json_object_set_new(other, "slurm", json_pack("{s:s}", "job", "7"));
    json_array_append_new(machines, other);
    json_t *result = inventory_compare(machines);
    assert_int_equal(record_whole(result, "nodes"), 2);
    assert_int_equal(json_array_size(record_at(result, "differences")), 0);
    assert_int_equal(json_array_size(record_at(result, "groups")), 1);
    assert_string_equal(record_text(entry(result, "groups", 0), "hosts"), "n[1-2]");
    char *page = page_of(result);
    assert_non_null(strstr(page, "\nAll 2 nodes are equal.\n"));
    free(page);
    json_decref(result);
    json_decref(machines);
}

static void different_nodes(void **state) {
    (void)state;
    json_t *machines = json_array();
    json_array_append_new(machines, node("n3", "1.7", "performance"));
    json_array_append_new(machines, node("n1", "1.9", "performance"));
    json_array_append_new(machines, node("n2", "1.9", "performance"));
    json_array_append_new(machines, node("n4", "1.9", NULL));
    json_object_clear(json_object_get(json_array_get(machines, 0), "environment"));
    json_t *result = inventory_compare(machines);
    assert_int_equal(json_array_size(record_at(result, "groups")), 3);
    assert_string_equal(record_text(entry(result, "groups", 0), "hosts"), "n[1-2]");
    assert_string_equal(record_text(entry(result, "groups", 0), "machine.firmware.version"), "1.9");
    assert_int_equal(json_array_size(record_at(result, "differences")), 3);
    assert_string_equal(record_text(entry(result, "differences", 0), "key"), "firmware.version");
    assert_true(record_true(entry(result, "differences", 0), "matters"));
    assert_string_equal(record_text(value(result, 0, 0), "value"), "1.9");
    assert_string_equal(record_text(value(result, 0, 0), "hosts"), "n[1-2,4]");
    assert_string_equal(record_text(value(result, 0, 1), "hosts"), "n3");
    assert_true(json_is_null(record_at(value(result, 1, 1), "value")));
    assert_string_equal(record_text(value(result, 1, 1), "why"), "permission");
    assert_string_equal(record_text(entry(result, "differences", 2), "key"), "environment.OMP_NUM_THREADS");
    assert_false(record_true(entry(result, "differences", 2), "matters"));
    char *page = page_of(result);
    assert_non_null(strstr(page, "\n* firmware.version           1.9 on n[1-2,4]; 1.7 on n3\n"));
    assert_non_null(strstr(page, "\n* governor                   performance on n[1-3]; unknown (permission) on n4\n"));
    assert_non_null(strstr(page, "\n  environment.OMP_NUM_THREADS 8 on n[1-2,4]; none on n3\n"));
    assert_true(strstr(page, "firmware.version") < strstr(page, "\nfingerprint "));
    free(page);
    json_decref(result);
    json_decref(machines);
}

static int lines(const char *text) {
    int n = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++) n++;
    return n;
}

/* All of one kind but some; and each of a kind of its own */
static void thousands(void **state) {
    (void)state;
    for (int kinds = 3; kinds <= MANY; kinds += MANY - 3) {
        json_t *machines = json_array();
        for (int i = 0; i < MANY; i++) {
            char host[32], version[32];
            snprintf(host, sizeof host, "jz-r%di%dn%d", i / 256, i / 16 % 16, i % 16);
            snprintf(version, sizeof version, "1.%d", i % kinds);
            json_array_append_new(machines, node(host, version, "performance"));
        }
        json_t *result = inventory_compare(machines);
        assert_int_equal(json_array_size(record_at(result, "groups")), kinds);
        assert_int_equal(json_array_size(record_at(entry(result, "differences", 0), "values")), kinds);
        char *page = page_of(result);
        if (lines(page) > 60 || strlen(page) > 6000) fail_msg("%d lines, %zu bytes", lines(page), strlen(page));
        free(page);
        json_decref(result);
        json_decref(machines);
    }
}

static void names_in_short(void **state) {
    (void)state;
    static const struct {
        const char *names, *text;
    } cases[] = {
        {"n1", "n1"},
        {"n3 n1 n2", "n[1-3]"},
        {"n1 n3 n2 n7 login n1", "login,n[1-3,7]"},
        {"n09 n10 n11", "n[09-11]"},
        {"n9 n10 n11", "n[9-11]"},
        {"n001 n01 n1", "n001,n01,n1"},
        {"r1n1-ib r1n2-ib r2n1-ib", "r1n[1-2]-ib,r2n1-ib"},
        {"n1-ib n2-eth", "n1-ib,n2-eth"},
        {"10 11 13", "[10-11,13]"},
        {"n12345678901 n12345678902", "n12345678901,n12345678902"},
        {"a b", "a,b"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char copy[128], *rest;
        json_t *names = json_array();
        snprintf(copy, sizeof copy, "%s", cases[i].names);
        for (char *at = strtok_r(copy, " ", &rest); at; at = strtok_r(NULL, " ", &rest))
            json_array_append_new(names, json_string(at));
        char *text = inventory_hosts(names);
        assert_string_equal(text, cases[i].text);
        free(text);
        json_decref(names);
    }
    char *none = inventory_hosts(NULL);
    assert_string_equal(none, "");
    free(none);
}

static void names_in_full(void **state) {
    (void)state;
    static const struct {
        const char *text, *names;
    } cases[] = {
        {"n1", "n1"},
        {"n[1-3,7],login", "n1 n2 n3 n7 login"},
        {"n[008-011]", "n008 n009 n010 n011"},
        {"r1i0n[0-1]-ib,r1i1n[5]", "r1i0n0-ib r1i0n1-ib r1i1n5"},
        {"a,b,c.example.org", "a b c.example.org"},
        {"[1-2]", "1 2"},
    };
    static const char *const wrong[] = {
        "",      ",",    "n1,",   "n[",    "n[1",     "n[]",          "n]",       "n[1-]",    "n[-1]",         "n[3-1]",
        "n[1,]", "n[a]", "n[1-3", "n[1]]", "n[1][2]", "n[1-9999999]", "n[1 - 2]", "n[1],,n2", "n[12345678901]"};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[128] = "";
        const json_t *name;
        size_t k;
        json_t *names = inventory_hosts_expand(cases[i].text);
        assert_non_null(names);
        json_array_foreach(names, k, name) {
            if (k) strcat(said, " ");
            strcat(said, json_string_value(name));
        }
        assert_string_equal(said, cases[i].names);
        json_decref(names);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_null(inventory_hosts_expand(wrong[i]));
}

/* The order of keys does not change the fingerprint, what matters does. */
static void fingerprints(void **state) {
    (void)state;
    static const char *const matter[] = {"microcode", "kernel", "openblas.core", "unused_matrix_unit", "mpi"};
    static const char *const not [] = {"host",
                                       "environment.OMP_NUM_THREADS",
                                       "kernels.gemm",
                                       "mpi_components.btl",
                                       "memory.transfers_per_s",
                                       "cpu_quota.group",
                                       "slurm.job",
                                       "kernelspace"};
    char one[INVENTORY_FINGERPRINT], two[INVENTORY_FINGERPRINT];
    json_t *a = json_pack("{s:s, s:{s:s, s:i}, s:f}", "kernel", "5", "caches", "x", "y", "z", 2, "max_hz", 2.5e9);
    json_t *b = json_pack("{s:f, s:{s:i, s:s}, s:s}", "max_hz", 2.5e9, "caches", "z", 2, "x", "y", "kernel", "5");
    inventory_hash(a, one);
    inventory_hash(b, two);
    assert_string_equal(one, two);
    assert_int_equal(strspn(one, "0123456789abcdef"), 16);
    json_decref(a);
    json_decref(b);
    for (size_t i = 0; i < sizeof matter / sizeof *matter; i++) assert_true(inventory_matters(matter[i]));
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++) assert_false(inventory_matters(not [i]));
}

/* Texts of the firmware may hold anything. */
static void hostile_texts(void **state) {
    (void)state;
    json_t *machines = json_array();
    json_array_append_new(machines, node("n1\n\x1b[31m", "\x1b]0;x\x07", "performance"));
    json_array_append_new(machines, node("n2", "1.9", "performance"));
    json_t *result = inventory_compare(machines);
    char *page = page_of(result);
    assert_null(strchr(page, '\x1b'));
    assert_null(strchr(page, '\x07'));
    free(page);
    json_decref(result);
    json_decref(machines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_nodes),    cmocka_unit_test(different_nodes), cmocka_unit_test(thousands),
        cmocka_unit_test(names_in_short), cmocka_unit_test(names_in_full),   cmocka_unit_test(fingerprints),
        cmocka_unit_test(hostile_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
