/* SPDX-License-Identifier: Apache-2.0
 *
 * The board and its judge, with real processes as ranks: killed, stopped, stuck, waiting and leaving ones. Time is what
 * the test says, so nothing waits. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard/judge.h"

enum { RANKS = 3 };
static const double TIMEOUT_S = 5;

struct node {
    struct guard_board board;
    struct guard_judge judge;
    pid_t pid[RANKS];
};

/* Rank 0 is this process. The others are children, which sleep. */
static int open_node(void **state) {
    static struct node n;
    const struct guard_host host = {.name = "here", .first_rank = 4, .ranks = RANKS};
    const struct guard_place place = {.rank = 4, .nodes = 1, .local_size = RANKS};
    struct guard_key key;
    struct base_error e = {0};
    memset(&n, 0, sizeof n);
    assert_int_equal(guard_board_make(&n.board, RANKS, &host, 1, 7, &key, &e), BASE_OK);
    for (int i = 0; i < RANKS; i++) {
        n.pid[i] = i ? fork() : getpid();
        if (!n.pid[i])
            for (;;) pause();
        atomic_store(&n.board.slot[i].rank, 4 + i);
        atomic_store(&n.board.slot[i].pid, n.pid[i]);
        atomic_store(&n.board.slot[i].step, 10 + i);
        atomic_store(&n.board.slot[i].life, GUARD_RUNS);
        guard_slot_set_phase(&n.board.slot[i], i ? "timed steps" : "gate");
    }
    assert_int_equal(guard_judge_open(&n.judge, &n.board, &place, TIMEOUT_S, &e), BASE_OK);
    *state = &n;
    return 0;
}

static int close_node(void **state) {
    struct node *n = *state;
    for (int i = 1; i < RANKS; i++) {
        kill(n->pid[i], SIGKILL);
        waitpid(n->pid[i], NULL, 0);
    }
    guard_judge_close(&n->judge);
    guard_board_close(&n->board);
    return 0;
}

/* Ranks of `beating` (bit i: rank i) give signs, and those of `working` make progress, for so many seconds. True: a
 * verdict came, after *after seconds. */
static bool pass(struct node *n, unsigned beating, unsigned working, double seconds, double *after,
                 struct guard_verdict *v) {
    for (*after = 0; *after < seconds; *after += GUARD_TICK_S) {
        for (int i = 0; i < RANKS; i++) {
            if (beating & 1u << i) atomic_fetch_add(&n->board.slot[i].beats, 1);
            if (working & 1u << i) atomic_fetch_add(&n->board.slot[i].progress, 1);
        }
        if (guard_judge_look(&n->judge, &n->board, GUARD_TICK_S, v)) return true;
    }
    return false;
}

static void says(const struct guard_verdict *v, const char *words) {
    char text[512];
    guard_verdict_text(v, text, sizeof text);
    if (!strstr(text, words)) fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static void healthy_ranks_get_no_verdict(void **state) {
    struct guard_verdict v;
    double after;
    assert_false(pass(*state, 7, 7, 100, &after, &v));
}

/* Within a second, and before anybody asked for its exit code. */
static void a_killed_rank_is_named_at_once(void **state) {
    struct node *n = *state;
    struct guard_verdict v;
    double after;
    kill(n->pid[2], SIGKILL);
    siginfo_t ended;
    waitid(P_PID, (id_t)n->pid[2], &ended, WEXITED | WNOWAIT);
    assert_true(pass(n, 3, 3, 100, &after, &v));
    assert_true(after < 1 && v.fault == GUARD_DEAD && v.rank == 6 && v.pid == n->pid[2] && v.step == 12);
    says(&v, "rank 6 (host here, process ");
    says(&v, "ended before the others; phase: timed steps, step 12");
}

static void a_stopped_rank_is_named_after_the_timeout(void **state) {
    struct node *n = *state;
    struct guard_verdict v;
    double after;
    int status;
    kill(n->pid[1], SIGSTOP);
    assert_int_equal(waitpid(n->pid[1], &status, WUNTRACED), n->pid[1]);
    /* all others wait for it */
    for (int i = 0; i < RANKS; i += 2) atomic_store(&n->board.slot[i].waiting, 1);
    assert_true(pass(n, 5, 0, 100, &after, &v));
    assert_true(after > TIMEOUT_S - 0.5 && after < TIMEOUT_S + 0.5 && v.fault == GUARD_STOPPED && v.rank == 5);
    says(&v, "has been stopped for 5.");
}

/* Also this process itself. One that waits is not stuck, however long. */
static void a_stuck_rank_is_named_and_a_waiting_one_is_not(void **state) {
    struct node *n = *state;
    struct guard_verdict v;
    double after;
    atomic_store(&n->board.slot[1].waiting, 1);
    assert_false(pass(n, 7, 5, 100, &after, &v));
    assert_true(pass(n, 7, 4, 100, &after, &v));
    assert_true(after > TIMEOUT_S - 0.5 && after < TIMEOUT_S + 0.5 && v.fault == GUARD_STUCK && v.rank == 4);
    says(&v, "has made no progress for 5.");
    says(&v, "phase: gate, step 10");
}

static void who_left_or_ends_is_not_judged(void **state) {
    struct node *n = *state;
    struct guard_verdict v;
    double after;
    atomic_store(&n->board.slot[1].life, GUARD_LEFT);
    atomic_store(&n->board.slot[2].life, GUARD_ENDING);
    kill(n->pid[1], SIGKILL);
    assert_false(pass(n, 1, 1, 100, &after, &v));
}

/* The whole job was suspended: the observer did not run either. */
static void gaps_of_the_observer_count_for_nobody(void **state) {
    struct node *n = *state;
    struct guard_verdict v;
    double after;
    assert_false(pass(n, 7, 7, 1, &after, &v));
    assert_false(guard_judge_look(&n->judge, &n->board, 3600, &v));
    assert_false(guard_judge_look(&n->judge, &n->board, 3600, &v));
    assert_false(pass(n, 7, 7, 10, &after, &v));
}

static void the_worst_comes_first(void **state) {
    struct node *n = *state;
    struct guard_verdict v;
    double after;
    assert_false(pass(n, 7, 6, TIMEOUT_S - 0.3, &after, &v)); /* rank 4 is nearly stuck */
    kill(n->pid[2], SIGKILL);
    waitpid(n->pid[2], NULL, 0);
    assert_true(pass(n, 3, 2, 100, &after, &v));
    assert_true(v.fault == GUARD_DEAD && v.rank == 6);
}

static void the_first_verdict_stands(void **state) {
    struct node *n = *state;
    struct guard_verdict one = {.fault = GUARD_DEAD, .rank = 1}, two = {.fault = GUARD_STUCK, .rank = 2}, found;
    assert_false(guard_board_verdict(&n->board, &found));
    assert_true(guard_board_decide(&n->board, &one));
    assert_false(guard_board_decide(&n->board, &two));
    assert_true(guard_board_verdict(&n->board, &found) && found.rank == 1);
}

/* Another process maps the same memory by the key, and only by it. */
static void boards_are_joined_by_their_key(void **state) {
    (void)state;
    const struct guard_host host = {.name = "here"};
    struct guard_board made, joined;
    struct guard_key key;
    struct base_error e = {0};
    assert_int_equal(guard_board_make(&made, 5, &host, 1, 99, &key, &e), BASE_OK);
    const pid_t child = fork();
    if (!child) {
        guard_board_close(&made);
        if (guard_board_join(&joined, &key, &e) || joined.slots != 5 || joined.token != 99) _exit(1);
        guard_slot_set_phase(&joined.slot[4],
                             "a phase whose name is far longer than the 64 bytes that a slot has for it");
        _exit(strcmp(joined.hosts[0].name, "here") != 0);
    }
    int status = -1;
    char phase[GUARD_NAME];
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
    guard_slot_phase(&made.slot[4], phase);
    assert_string_equal(phase, "a phase whose name is far longer than the 64 bytes that a slot ");
    key.mark++;
    assert_int_equal(guard_board_join(&joined, &key, &e), BASE_NO);
    key.mark--, key.file = 1000;
    assert_int_equal(guard_board_join(&joined, &key, &e), BASE_NO);
    guard_board_close(&made);
}

int main(void) {
#define ON_A_NODE(test) cmocka_unit_test_setup_teardown(test, open_node, close_node)
    const struct CMUnitTest tests[] = {
        ON_A_NODE(healthy_ranks_get_no_verdict),
        ON_A_NODE(a_killed_rank_is_named_at_once),
        ON_A_NODE(a_stopped_rank_is_named_after_the_timeout),
        ON_A_NODE(a_stuck_rank_is_named_and_a_waiting_one_is_not),
        ON_A_NODE(who_left_or_ends_is_not_judged),
        ON_A_NODE(gaps_of_the_observer_count_for_nobody),
        ON_A_NODE(the_worst_comes_first),
        ON_A_NODE(the_first_verdict_stands),
        cmocka_unit_test(boards_are_joined_by_their_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
