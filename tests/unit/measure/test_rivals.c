/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that spins on a core of ours is found, unless it sleeps, may run elsewhere, or is one of ours. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure/rivals.h"

enum { NOBODY = 0 };

/* A child on `cpu` (-1: wherever this test may run) that spins or sleeps, under a name with brackets and blanks. */
static pid_t start(int cpu, bool spins) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        if (cpu >= 0) CPU_SET(cpu, &set);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "a) R (b\xff");
        if (cpu >= 0 && sched_setaffinity(0, sizeof set, &set)) _exit(1);
        if (write(ready[1], "", 1) != 1) _exit(1);
        while (!spins) pause();
        for (;;) { /* until it is killed */
        }
    }
    assert_true(child > 0);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static void stop(pid_t child) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* Whether a child is a rival of a thread pinned to the first CPU; sets its name. The machine may have other rivals. */
static bool found(const struct measure_placement *p, pid_t child, int ours, char name[16]) {
    struct measure_rivals r = {.count = 0};
    measure_rivals_look(&r, p, &ours, 1);
    for (int i = 0; i < r.count; i++) {
        if (r.at[i].process != child) continue;
        memcpy(name, r.at[i].name, sizeof r.at[i].name);
        return r.at[i].cpu == p->turns.cpu[0];
    }
    return false;
}

static struct measure_placement pinned_to_first(void) {
    struct measure_placement p = {.threads = 1, .pinned = true, .bind = MEASURE_BIND_CORE};
    base_cpus_mask(&p.turns);
    return p;
}

static void a_spinning_process_is_found(void **state) {
    (void)state;
    struct measure_placement p = pinned_to_first();
    char name[16] = "", text[MEASURE_RIVALS_TEXT];
    const pid_t child = start(p.turns.cpu[0], true);
    assert_true(found(&p, child, NOBODY, name));
    assert_string_equal(name, "a) R (b?");
    assert_false(found(&p, child, child, name));    /* a rank of this run */
    assert_false(found(&p, child, getpid(), name)); /* a rank's child */
    p.bind = MEASURE_BIND_NONE;
    assert_false(found(&p, child, NOBODY, name));
    stop(child);
    const struct measure_rivals one = {.count = 1, .at = {{.process = 812, .cpu = 3, .name = "python3"}}};
    measure_rivals_text(&one, text, sizeof text);
    assert_non_null(strstr(text, "CPU 3 is shared with python3 (process 812), pinned there too: "));
    measure_rivals_text(&(struct measure_rivals){.count = 0}, text, sizeof text);
    assert_string_equal(text, "");
}

static void others_are_not(void **state) {
    (void)state;
    const struct measure_placement p = pinned_to_first();
    char name[16];
    const pid_t asleep = start(p.turns.cpu[0], false);
    assert_false(found(&p, asleep, NOBODY, name));
    stop(asleep);
    if (p.turns.count < 2) return;
    const pid_t anywhere = start(-1, true); /* may move away */
    assert_false(found(&p, anywhere, NOBODY, name));
    stop(anywhere);
}

/* Several looks keep each process once, and no more than there is room for. */
static void looks_add_up(void **state) {
    (void)state;
    const struct measure_placement p = pinned_to_first();
    struct measure_rivals r = {.count = 0};
    const int nobody = NOBODY;
    pid_t child[MEASURE_RIVALS + 1];
    for (int i = 0; i <= MEASURE_RIVALS; i++) child[i] = start(p.turns.cpu[0], true);
    measure_rivals_look(&r, &p, &nobody, 1);
    measure_rivals_look(&r, &p, &nobody, 1);
    for (int i = 0; i <= MEASURE_RIVALS; i++) stop(child[i]);
    assert_int_equal(r.count, MEASURE_RIVALS);
    for (int i = 0; i < r.count; i++)
        for (int k = 0; k < i; k++) assert_true(r.at[i].process != r.at[k].process);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spinning_process_is_found),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(looks_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
