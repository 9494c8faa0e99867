/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of other tools are read as they are meant, or refused. Damaged files never break the reader. Run from the top
 * of the tree, for tests/cli/import/. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "import/import.h"
#include "import/job.h"
#include "import/megatron.h"
#include "import/nccl.h"

static void test_clean(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length;
        const char *clean;
    } cases[] = {{"plain", 5, "plain"},
                 {"\033[1;31mred\033[0m end", 18, "red end"},
                 {"\033]0;title\abody", 14, "body"},
                 {"\033]0;title\033\\body", 15, "body"},
                 {"a\0b\rc", 5, "a b c"},
                 {"cut \033[1;3", 9, "cut "},
                 {"cut \033", 5, "cut "},
                 {"", 0, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64] = "";
        memcpy(text, cases[i].text, cases[i].length);
        import_clean(text, cases[i].length);
        assert_string_equal(text, cases[i].clean);
    }
}

static void test_number(void **state) {
    (void)state;
    static const char *const bad[] = {"", " 1", "1 ", "1,5", "0x10", "1.5ms", "--1", "one"};
    double x = 0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(import_number(bad[i], &x));
    assert_true(import_number("1.5E+03", &x));
    assert_true(x == 1500);
    assert_true(import_number("nan", &x) && isnan(x));
    assert_true(import_number("-inf", &x) && x < 0);
}

/* Reads one line of figures; "" in `why` if it is good. */
static struct megatron_line line_of(const char *text, char why[160]) {
    static char copy[1024];
    struct megatron_line l = {0};
    snprintf(copy, sizeof copy, "%s", text);
    why[0] = 0;
    assert_true(import_megatron_marks(copy));
    if (import_megatron_line((char *)import_megatron_find(copy), &l, why)) assert_string_equal(why, "");
    return l;
}

static void test_megatron_line(void **state) {
    (void)state;
    char why[160];
    struct megatron_line l =
        line_of(" [2026-02-03 10:00:00] iteration       10/     100 | elapsed time per iteration (ms): "
                "1250.5 | lm loss: 2.5E+00 | global batch size:   512 |",
                why);
    assert_string_equal(why, "");
    assert_int_equal(l.iteration, 10);
    assert_int_equal(l.of, 100);
    assert_true(fabs(l.step_s - 1.2505) < 1e-12 && l.loss == 2.5 && l.global_batch == 512 && isnan(l.grad_norm));
    l = line_of("7: iteration 3/ 9 | elapsed time per iteration (s): 104.5 | lm loss 7.1E+00 | TFLOPs: 149.0 |", why);
    assert_true(l.step_s == 104.5 && l.loss == 7.1 && l.tflop_per_s == 149);
    l = line_of("iteration 3/ 9 | elapsed time per iteration (ms): 1.0 | lm loss: nan | grad norm: inf |", why);
    assert_string_equal(why, "");
    assert_true(isnan(l.loss) && isinf(l.grad_norm));
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"iteration 3/ 9 | elapsed time per iteration (us): 1.0 |", "must be (ms) or (s)"},
        {"iteration 3/ 9 | elapsed time per iteration (ms): 1234,5 |", "decimal comma"},
        {"iteration 3/ 9 | elapsed time per iteration (ms): 12", "it has no"},
        {"iteration 3/ 9 | elapsed time per iteration (ms): 0.0 |", "it has no"},
        {"iteration 3/ 9 | elapsed time per iteration (ms): inf |", "it has no"},
        {"iteration 3/ 9 | elapsed time per itera[rank1]: warning | elapsed time per iteration (m", "it has no"},
        {"iteration 3/ 9 | elapsed time per iteration (ms): 12[rank1] | lm loss: 1.0 |", "is not a number"},
        {"iteration 3/ 9 | elapsed time per iteration (ms): 12.0 | lm loss: 1.0x |", "is not a number"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        line_of(bad[i].text, why);
        if (!strstr(why, bad[i].why)) fail_msg("%s: \"%s\" lacks \"%s\"", bad[i].text, why, bad[i].why);
    }
    assert_false(import_megatron_marks("the iteration 3/ of this text"));
    assert_false(import_megatron_marks("subiteration 3/ 9 | elapsed time per iteration (ms): 1.0 |"));
    assert_false(import_megatron_marks(" validation loss at iteration 100 | lm loss value: 1.0 |"));
}

static void test_nccl_program(void **state) {
    (void)state;
    char op[32] = "";
    assert_true(import_nccl_program("./build/all_reduce_perf -b 8", op));
    assert_string_equal(op, "all_reduce");
    assert_true(import_nccl_program("alltoall_perf_mpi", op));
    assert_string_equal(op, "all_to_all");
    assert_true(import_nccl_program("/opt/alltoallv_perf", op));
    assert_string_equal(op, "all_to_all_v");
    assert_false(import_nccl_program("my_all_reduce_perf", op));
    assert_false(import_nccl_program("latency", op));
}

static const char *const fixtures[] = {"megatron.log",           "megatron-restart.log",  "megatron-2021.log",
                                       "megatron-deepspeed.log", "nccl-tests.txt",        "nccl-tests-2.13.txt",
                                       "nccl-tests.json",        "google-benchmark.json", "figures.csv"};

static uint64_t next(void) {
    static uint64_t turn;
    return base_random_u64(23, BASE_STREAM_TEST, turn++);
}

static void damage(char *bytes, size_t *size) {
    for (int faults = 1 + (int)(next() % 3); faults && *size > 8; faults--) {
        const size_t at = next() % *size, rest = *size - at, part = 1 + next() % (rest < 60 ? rest : 60);
        switch (next() % 4) {
        case 0:
            bytes[at] = (char)next();
            break;
        case 1:
            bytes[at] = "|:/#\n\r,;\"{}[] 0-9eE.\033"[next() % 22];
            break;
        case 2:
            memmove(bytes + at, bytes + at + part, rest - part), *size -= part;
            break;
        default:
            *size = at;
        }
    }
}

/* Whatever a file holds, it is read or refused, and what is read has only finite figures. */
static void test_damaged(void **state) {
    (void)state;
    char path[] = "/tmp/toise-import-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0);
    close(file);
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        for (int turn = 0; turn < 60; turn++) {
            struct import_options options = {.op = 0, .warmup = turn % 3, .skip_bad = turn % 2};
            struct import_notes notes;
            struct base_error e = {0};
            char name[64], *bytes;
            size_t size;
            if (i != 5) options.op = -1;
            snprintf(name, sizeof name, "tests/cli/import/%s", fixtures[i]);
            assert_int_equal(base_file_read(name, &bytes, &size, &e), BASE_OK);
            if (turn > 1) damage(bytes, &size);
            assert_int_equal(base_file_replace(path, bytes, size, &e), BASE_OK);
            free(bytes);
            json_t *records = json_array();
            const int code = import_file(path, &options, records, &notes, &e);
            if (turn <= 1) assert_int_equal(code, BASE_OK);
            if (code) {
                assert_int_equal(code, BASE_USAGE);
                assert_non_null(strstr(e.text, path));
            } else {
                char *text = json_dumps(records, JSON_COMPACT);
                assert_non_null(text);
                free(text);
                assert_true(json_array_size(records) > 0);
            }
            json_decref(records);
        }
    remove(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clean), cmocka_unit_test(test_number),
                                       cmocka_unit_test(test_megatron_line), cmocka_unit_test(test_nccl_program),
                                       cmocka_unit_test(test_damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
