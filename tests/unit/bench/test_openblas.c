/* SPDX-License-Identifier: Apache-2.0
 *
 * Which core type of OpenBLAS is named, with made-up rates and with children that answer, refuse, hang, die or give
 * wrong answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/clock.h"
#include "bench/openblas.h"

static void core(struct bench_openblas *o, const char *name, bool unset, double rate) {
    struct bench_core *c = &o->cores[o->count++];
    *c = (struct bench_core){.unset = unset, .dead = isnan(rate)};
    snprintf(c->name, sizeof c->name, "%s", name);
    for (int i = 0; i < BENCH_CORE_ROUNDS && !c->dead; i++) c->rates[c->runs++] = rate * (i == 2 ? 0.3 : 1);
}

static void judged_by_medians(void **state) {
    (void)state;
    struct bench_openblas o = {0};
    core(&o, "", false, 50e9); /* its own choice; half of another's rate */
    core(&o, "Haswell", false, 60e9);
    core(&o, "SkylakeX", false, 100e9);
    core(&o, "Cooperlake", false, NAN);
    bench_openblas_judge(&o);
    assert_true(o.wrong && o.best == 2 && fabs(o.gain - 2) < 1e-12);
    assert_string_equal(o.cure, "export OPENBLAS_CORETYPE=SkylakeX");

    o = (struct bench_openblas){0};
    core(&o, "Prescott", false, 20e9); /* forced; its own choice is as good as any */
    core(&o, "", true, 98e9);
    core(&o, "Zen", false, 100e9);
    bench_openblas_judge(&o);
    assert_true(o.wrong && o.best == 1);
    assert_string_equal(o.cure, "unset OPENBLAS_CORETYPE");

    o = (struct bench_openblas){0};
    core(&o, "Haswell", false, 50e9); /* forced, and its own choice is no better */
    core(&o, "", true, 51e9);
    core(&o, "SkylakeX", false, 100e9);
    bench_openblas_judge(&o);
    assert_string_equal(o.cure, "export OPENBLAS_CORETYPE=SkylakeX");

    o = (struct bench_openblas){0};
    core(&o, "Haswell", false, 50e9); /* its own choice is close to the best, but does not help */
    core(&o, "", true, 58e9);
    core(&o, "SkylakeX", false, 65e9);
    bench_openblas_judge(&o);
    assert_true(o.wrong);
    assert_string_equal(o.cure, "export OPENBLAS_CORETYPE=SkylakeX");

    o = (struct bench_openblas){0};
    core(&o, "", false, 60e9); /* a busy machine: slowed in most runs, full speed in one */
    core(&o, "Haswell", false, 150e9);
    o.cores[0].rates[4] = 149e9;
    bench_openblas_judge(&o);
    assert_false(o.wrong);

    o = (struct bench_openblas){0};
    core(&o, "", false, 90e9);
    core(&o, "Haswell", false, 107e9); /* 1.19 times */
    bench_openblas_judge(&o);
    assert_false(o.wrong);
    assert_string_equal(o.cure, "");

    o = (struct bench_openblas){0};
    core(&o, "", false, NAN); /* even the type in use gave no rate: no advice */
    core(&o, "Haswell", false, 100e9);
    bench_openblas_judge(&o);
    assert_false(o.wrong);
}

/* Runs these shell commands as a child. */
static bool shell(const char *script, const char *setting, double limit_s, char line[256]) {
    char program[] = "/bin/sh", flag[] = "-c", words[512];
    char *const command[] = {program, flag, words, NULL};
    snprintf(words, sizeof words, "%s", script);
    return base_child(command, setting, limit_s, line, 256);
}

static void children(void **state) {
    (void)state;
    char line[256];
    setenv("OMPI_COMM_WORLD_SIZE", "4", 1);
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    assert_true(shell("echo \"<$OMPI_COMM_WORLD_SIZE$OPENBLAS_CORETYPE>\"; echo error >&2", NULL, 10, line));
    assert_string_equal(line, "<>\n");
    assert_true(shell("echo $OPENBLAS_CORETYPE", "OPENBLAS_CORETYPE=Zen", 10, line));
    assert_string_equal(line, "Zen\n");
    unsetenv("OMPI_COMM_WORLD_SIZE");
    unsetenv("OPENBLAS_CORETYPE");
    assert_false(shell("echo no; exit 1", NULL, 10, line));
    assert_false(shell("kill -ILL $$", NULL, 10, line));
    assert_true(shell("yes | head -c 100000", NULL, 10, line)); /* more than fits */
    assert_int_equal(strlen(line), 255);
    const double start = base_clock_now();
    assert_false(shell("exec sleep 30", NULL, 0.2, line));
    assert_false(shell("exec >/dev/null; exec sleep 30", NULL, 0.2, line)); /* closes its output and goes on */
    assert_true(base_clock_now() - start < 5);
    char absent[] = "/nonexistent/toise", *const command[] = {absent, NULL};
    assert_false(base_child(command, NULL, 1, line, sizeof line));
}

/* Simulated children: the forced type is slow, its own choice fast. One ignores what it is told, and so does one with
 * an unknown name, but that one is in use. */
static void tried_in_children(void **state) {
    (void)state;
    char program[] = "/bin/sh", flag[] = "-c",
         words[] = "case $OPENBLAS_CORETYPE in\n"
                   "Slow) echo '{\"core\": \"Slow\", \"flop_per_s\": 1e10}' ;;\n"
                   "''|Odd) echo '{\"core\": \"Quick\", \"flop_per_s\": 5e10}' ;;\n"
                   "Haswell) echo '{\"core\": \"Quick\", \"flop_per_s\": 9e10}' ;;\n"
                   "*) kill -ILL $$ ;;\nesac";
    char *const command[] = {program, flag, words, NULL};
    struct bench_openblas o;
    setenv("OPENBLAS_CORETYPE", "Slow", 1);
    bench_openblas_try(&o, command, 10);
    unsetenv("OPENBLAS_CORETYPE");
    if (!o.dynamic) skip();
    assert_string_equal(o.forced, "Slow");
    assert_true(o.wrong && o.cores[o.best].unset);
    assert_string_equal(o.cure, "unset OPENBLAS_CORETYPE");
    assert_int_equal(o.cores[0].runs, 2); /* a fifth of the fastest: not run again */
    assert_int_equal(o.cores[1].runs, BENCH_CORE_ROUNDS);
    for (int i = 2; i < o.count; i++) assert_true(o.cores[i].dead && isnan(o.cores[i].flop_per_s));
    json_t *result = bench_openblas_json(&o);
    assert_true(json_is_true(json_object_get(result, "wrong")));
    assert_int_equal(json_array_size(json_object_get(result, "cores")), o.count);
    json_decref(result);
    setenv("OPENBLAS_CORETYPE", "Odd", 1);
    bench_openblas_try(&o, command, 10);
    unsetenv("OPENBLAS_CORETYPE");
    assert_string_equal(o.forced, "Odd");
    assert_string_equal(o.cores[0].core, "Quick");
    assert_true(!o.wrong && o.cores[0].runs == BENCH_CORE_ROUNDS && o.cores[0].flop_per_s == 5e10);
}

static void the_probe_itself(void **state) {
    (void)state;
    double rate = 0;
    assert_int_equal(bench_openblas_probe(1, &rate, NULL), BASE_OK);
    assert_true(rate > 1e8 && isfinite(rate));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(judged_by_medians), cmocka_unit_test(children),
                                       cmocka_unit_test(tried_in_children), cmocka_unit_test(the_probe_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
