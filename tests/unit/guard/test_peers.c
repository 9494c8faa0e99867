/* SPDX-License-Identifier: Apache-2.0
 *
 * Heartbeats of made-up nodes, each with a socket of this machine. Time is what the test says, so nothing waits. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guard/judge.h"
#include "guard/peers.h"

static const double TIMEOUT_S = 5;

struct fleet {
    int nodes;
    struct guard_host *hosts;
    struct guard_peers *peers;
    bool *down; /* [nodes] neither sends nor receives */
};

static struct fleet open_fleet(int nodes) {
    struct fleet f = {.nodes = nodes,
                      .hosts = calloc((size_t)nodes, sizeof *f.hosts),
                      .peers = calloc((size_t)nodes, sizeof *f.peers),
                      .down = calloc((size_t)nodes, sizeof *f.down)};
    struct base_error e = {0};
    for (int i = 0; i < nodes; i++) {
        int file;
        assert_int_equal(guard_peers_host(&f.hosts[i], nodes, &file, &e), BASE_OK);
        snprintf(f.hosts[i].name, sizeof f.hosts[i].name, "n%d", i);
        f.hosts[i].first_rank = 2 * i, f.hosts[i].ranks = 2;
        guard_peers_open(&f.peers[i], file, i, nodes, f.hosts, 42);
    }
    return f;
}

static void close_fleet(struct fleet *f) {
    for (int i = 0; i < f->nodes; i++) guard_peers_close(&f->peers[i]);
    free(f->hosts), free(f->peers), free(f->down);
}

/* A tick of all nodes. still_s[nodes]: since progress on each; NULL: none is still. */
static void tick(struct fleet *f, const double *still_s) {
    struct guard_verdict v;
    for (int i = 0; i < f->nodes; i++) {
        const struct guard_news news = {still_s ? still_s[i] : 0, 100 + i, "timed steps"};
        if (!f->down[i]) guard_peers_tell(&f->peers[i], GUARD_TICK_S, &news);
    }
    for (int i = 0; i < f->nodes; i++)
        if (!f->down[i]) assert_false(guard_peers_hear(&f->peers[i], &v));
}

/* Until a node has a verdict: its number, or -1 after so many seconds. */
static int run(struct fleet *f, double seconds, const double *still_s, double *after, struct guard_verdict *v) {
    for (*after = 0; *after < seconds; *after += GUARD_TICK_S) {
        tick(f, still_s);
        for (int i = 0; i < f->nodes; i++)
            if (!f->down[i] && guard_peers_judge(&f->peers[i], TIMEOUT_S, v)) return i;
    }
    return -1;
}

/* Each hears others soon, whatever their number, and finds an address that leads to them. */
static void nodes_find_each_other(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 5, 8, 33, 500};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        struct fleet f = open_fleet(sizes[s]);
        struct guard_verdict v;
        double after;
        assert_int_equal(run(&f, 3, NULL, &after, &v), -1);
        for (int i = 0; i < f.nodes; i++) {
            assert_int_equal(f.peers[i].links, (int)ceil(log2(f.nodes)));
            for (int l = 0; l < f.peers[i].links; l++)
                assert_true(f.peers[i].link[l].heard && f.peers[i].link[l].address >= 0);
        }
        close_fleet(&f);
    }
}

/* An address that leads nowhere comes first, as of a network that only some hosts have. */
static void an_address_that_leads_nowhere_is_passed_over(void **state) {
    (void)state;
    struct fleet f = open_fleet(2);
    struct guard_verdict v;
    double after;
    for (int i = 0; i < 2; i++) {
        f.hosts[i].address[0] = inet_addr("192.0.2.1"); /* of TEST-NET-1 (RFC 5737) */
        f.hosts[i].address[1] = htonl(INADDR_LOOPBACK);
        f.hosts[i].addresses = 2;
    }
    assert_int_equal(run(&f, 1, NULL, &after, &v), -1);
    assert_true(f.peers[0].link[0].address == 1 && f.peers[1].link[0].address == 1);
    close_fleet(&f);
}

static void a_silent_node_is_named(void **state) {
    (void)state;
    struct fleet f = open_fleet(5);
    struct guard_verdict v;
    double after;
    char text[512];
    assert_int_equal(run(&f, 3, NULL, &after, &v), -1);
    f.down[3] = true;
    assert_true(run(&f, 60, NULL, &after, &v) >= 0);
    assert_true(after > TIMEOUT_S && after < TIMEOUT_S + 4 && v.fault == GUARD_SILENT && v.rank == 6 && v.ranks == 2);
    guard_verdict_text(&v, text, sizeof text);
    assert_non_null(strstr(text, "host n3 (rank 6 and 1 more) has been silent for "));
    assert_non_null(strstr(text, "phase: timed steps, step 103"));
    close_fleet(&f);
}

/* Seen from a node whose link is down, it is the one that is cut off. */
static void a_node_knows_that_it_is_cut_off(void **state) {
    (void)state;
    struct fleet f = open_fleet(5);
    struct guard_verdict v;
    double after;
    assert_int_equal(run(&f, 3, NULL, &after, &v), -1);
    for (int i = 0; i < 5; i++) f.down[i] = i != 3;
    assert_int_equal(run(&f, 60, NULL, &after, &v), 3);
    assert_true(v.fault == GUARD_CUT_OFF && v.rank == 6);
    close_fleet(&f);
}

/* One rank's progress anywhere keeps all others from ending. Without any, one does. */
static void progress_anywhere_counts_everywhere(void **state) {
    (void)state;
    double still_s[33], after;
    struct fleet f = open_fleet(33);
    struct guard_verdict v;
    for (int i = 0; i < 33; i++) still_s[i] = 1e9;
    still_s[17] = 0;
    assert_int_equal(run(&f, 20, still_s, &after, &v), -1);
    still_s[17] = 1e9;
    assert_true(run(&f, 60, still_s, &after, &v) >= 0);
    assert_int_equal(v.fault, GUARD_STALLED);
    close_fleet(&f);
}

/* A verdict reaches all nodes, if each that hears it passes it on, also past one that is gone. */
static void a_verdict_reaches_all(void **state) {
    (void)state;
    struct fleet f = open_fleet(33);
    struct guard_verdict v = {.fault = GUARD_DEAD, .rank = 5}, heard;
    double after;
    bool knows[33] = {[0] = true};
    int known = 1;
    struct guard_verdict none;
    assert_int_equal(run(&f, 3, NULL, &after, &none), -1);
    f.down[1] = true;
    guard_peers_end(&f.peers[0], &v);
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < 33; i++) {
            if (f.down[i] || knows[i] || !guard_peers_hear(&f.peers[i], &heard)) continue;
            assert_int_equal(heard.rank, 5);
            knows[i] = true, known++;
            guard_peers_end(&f.peers[i], &heard);
        }
    assert_int_equal(known, 32);
    close_fleet(&f);
}

static void who_left_is_not_missed(void **state) {
    (void)state;
    struct fleet f = open_fleet(3);
    struct guard_verdict v;
    double after;
    assert_int_equal(run(&f, 3, NULL, &after, &v), -1);
    guard_peers_end(&f.peers[1], NULL);
    f.down[1] = true;
    assert_int_equal(run(&f, 30, NULL, &after, &v), -1);
    close_fleet(&f);
}

/* Datagrams of another run, and for another node. */
static void strangers_are_not_heard(void **state) {
    (void)state;
    struct fleet f = open_fleet(2);
    struct guard_verdict v = {.fault = GUARD_DEAD}, heard;
    f.peers[0].token++;
    guard_peers_end(&f.peers[0], &v);
    assert_false(guard_peers_hear(&f.peers[1], &heard));
    f.peers[0].token--;
    f.hosts[1].port = f.hosts[0].port; /* leads to node 0 itself */
    guard_peers_end(&f.peers[0], &v);
    assert_false(guard_peers_hear(&f.peers[0], &heard));
    close_fleet(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_find_each_other),
        cmocka_unit_test(an_address_that_leads_nowhere_is_passed_over),
        cmocka_unit_test(a_silent_node_is_named),
        cmocka_unit_test(a_node_knows_that_it_is_cut_off),
        cmocka_unit_test(progress_anywhere_counts_everywhere),
        cmocka_unit_test(a_verdict_reaches_all),
        cmocka_unit_test(who_left_is_not_missed),
        cmocka_unit_test(strangers_are_not_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
