/* SPDX-License-Identifier: Apache-2.0
 *
 * Children run to their end: output, errors, exit codes and signals come back, and nothing outlives the deadline. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/child.h"
#include "base/clock.h"

static const struct base_child_how USUAL = {.limit_s = 60, .most = 1 << 20};

static struct base_child_end run(const char *script, const struct base_child_how *how) {
    char *const command[] = {"sh", "-c", (char *)(uintptr_t)script, NULL};
    struct base_child_end end;
    struct base_error e = {0};
    assert_int_equal(base_child_run(command, how, &end, &e), BASE_OK);
    return end;
}

static void output_errors_and_codes_come_back(void **state) {
    (void)state;
    struct base_child_end end = run("echo out; echo bad >&2; exit 7", &USUAL);
    assert_string_equal(end.out, "out\n");
    assert_string_equal(end.errors, "bad\n");
    assert_true(end.code == 7 && !end.late && end.size == 4 && end.seconds > 0);
    free(end.out);
    end = run("kill -9 $$", &USUAL);
    assert_true(end.code == 128 + 9 && !end.late && end.size == 0);
    free(end.out);
    end = run("cat; head -c 300000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2; echo z >&2",
              &USUAL);
    assert_true(end.size == 300000 && strlen(end.errors) == sizeof end.errors - 1);
    assert_string_equal(end.errors + strlen(end.errors) - 3, "yz\n");
    free(end.out);
    end = run("echo 123456789", &(struct base_child_how){.limit_s = 60, .most = 4});
    assert_string_equal(end.out, "1234");
    free(end.out);
}

static void nothing_outlives_the_deadline(void **state) {
    (void)state;
    /* the grandchild ignores its end, and holds the pipe */
    struct base_child_end end =
        run("trap '' TERM; sleep 1000 & echo $!; wait", &(struct base_child_how){.limit_s = 0.3, .most = 99});
    const pid_t left = (pid_t)atoi(end.out);
    assert_true(end.late && end.code == 128 + SIGKILL && left > 0);
    for (int i = 0; i < 100 && kill(left, 0) == 0; i++) usleep(100000); /* until init has reaped it */
    char name[64], status = 0;
    snprintf(name, sizeof name, "/proc/%d/stat", (int)left);
    FILE *file = fopen(name, "r"); /* in a container without init it stays as a zombie */
    if (file && fscanf(file, "%*d %*s %c", &status) != 1) status = 0;
    if (file) fclose(file);
    assert_true(status == 0 || status == 'Z');
    free(end.out);
    end =
        run("exec >&- 2>&-; sleep 1000", &(struct base_child_how){.limit_s = 0.3, .most = 99}); /* closed its output */
    assert_true(end.late);
    free(end.out);
}

/* A child that has ended, and left one behind that holds its output, is late too. */
static void output_that_stays_open_is_late(void **state) {
    (void)state;
    struct base_child_end end = run("sleep 1000 & true", &(struct base_child_how){.limit_s = 0.3, .most = 99});
    assert_true(end.late);
    free(end.out);
}

static void *run_long(void *end) {
    char *const command[] = {"sh", "-c", "sleep 1000 & sleep 1000", NULL};
    struct base_error e = {0};
    base_child_run(command, &USUAL, end, &e);
    return NULL;
}

/* From another thread, as by a watchdog. */
static void a_child_can_be_killed(void **state) {
    (void)state;
    struct base_child_end end = {0};
    pthread_t thread;
    const double start = base_clock_now();
    base_child_kill(); /* there is none */
    assert_int_equal(pthread_create(&thread, NULL, run_long, &end), 0);
    while (pthread_tryjoin_np(thread, NULL)) {
        base_child_kill();
        usleep(10000);
    }
    assert_true(end.code == 128 + SIGKILL && !end.late && base_clock_now() - start < 30);
    free(end.out);
}

static void the_environment_is_clean_if_asked(void **state) {
    (void)state;
    struct base_child_how how = USUAL;
    setenv("SLURM_JOB_ID", "7", 1);
    struct base_child_end end = run("echo $SLURM_JOB_ID$EXTRA", &how);
    assert_string_equal(end.out, "7\n");
    free(end.out);
    how.clean = true, how.setting = "EXTRA=x";
    end = run("echo $SLURM_JOB_ID$EXTRA", &how);
    assert_string_equal(end.out, "x\n");
    free(end.out);
    unsetenv("SLURM_JOB_ID");
}

static void what_cannot_start_is_named(void **state) {
    (void)state;
    char *const command[] = {"/nowhere/at all", NULL};
    struct base_child_end end;
    struct base_error e = {0};
    assert_int_equal(base_child_run(command, &USUAL, &end, &e), BASE_BROKEN);
    assert_true(strstr(e.text, "/nowhere/at all: cannot be started: No such file") && !end.out);
}

/* A signal to the parent ends the child's whole group, and is reported. */
static void signals_reach_the_child(void **state) {
    (void)state;
    char *const command[] = {"sh", "-c", "trap 'exit 5' TERM; kill -TERM $PPID; sleep 1000 & wait", NULL};
    struct base_child_end end;
    struct base_error e = {0};
    const double start = base_clock_now();
    assert_int_equal(base_child_run(command, &USUAL, &end, &e), BASE_BROKEN);
    assert_true(strstr(e.text, "Terminated") && base_clock_now() - start < 30);
    struct sigaction now;
    sigaction(SIGTERM, NULL, &now);
    assert_true(now.sa_handler == SIG_DFL);
}

/* Between two children a held signal waits for the next one, which does not start. */
static void held_signals_stop_the_next_child(void **state) {
    (void)state;
    char *const command[] = {"touch", "/nowhere/file", NULL};
    struct base_child_end end;
    struct base_error e = {0};
    base_child_hold_signals();
    raise(SIGHUP);
    assert_int_equal(base_child_run(command, &USUAL, &end, &e), BASE_BROKEN);
    assert_non_null(strstr(e.text, "stopped by Hangup"));
    base_child_release_signals();
    assert_int_equal(base_child_run(command, &USUAL, &end, &e), BASE_OK);
    free(end.out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_errors_and_codes_come_back),
        cmocka_unit_test(nothing_outlives_the_deadline),
        cmocka_unit_test(a_child_can_be_killed),
        cmocka_unit_test(the_environment_is_clean_if_asked),
        cmocka_unit_test(output_that_stays_open_is_late),
        cmocka_unit_test(what_cannot_start_is_named),
        cmocka_unit_test(signals_reach_the_child),
        cmocka_unit_test(held_signals_stop_the_next_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
