/* SPDX-License-Identifier: Apache-2.0
 *
 * A journal keeps every acknowledged line, wherever its file ends. What is no journal, or a damaged one, is refused. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "guard/journal.h"
#include "records/get.h"
#include "unit/support/folder.h"

enum { LINES = 20 };

static json_t *line(int n) {
    return json_pack("{s:i, s:f, s:s}", "n", n, "x", 0.1 + n, "text", "a \"quoted\" \n word");
}

/* Adds lines from .. to - 1, and closes. */
static void write_lines(const char *path, int from, int to) {
    struct guard_journal *j;
    struct guard_journal_state state;
    assert_int_equal(guard_journal_open(&j, path, NULL, NULL), BASE_OK);
    for (int n = from; n < to; n++) assert_true(guard_journal_add(j, line(n)));
    assert_int_equal(guard_journal_close(j, 60, &state, NULL), BASE_OK);
    assert_int_equal(state.added, to - from);
    assert_int_equal(state.acknowledged, to - from);
    assert_int_equal(state.failed, 0);
}

/* The journal's lines are 0 .. the returned number - 1. */
static int read_lines(const char *path, long *torn) {
    struct guard_journal_text text;
    struct base_error e = {0};
    json_t *one;
    size_t i;
    if (guard_journal_read(path, &text, &e)) fail_msg("%s", e.text);
    json_array_foreach(text.lines, i, one) {
        assert_int_equal(record_whole(one, "n"), i);
        assert_true(record_real(one, "x") == 0.1 + (double)i);
        assert_null(json_object_get(one, "sum"));
    }
    if (torn) *torn = text.torn;
    json_decref(text.lines);
    return (int)i;
}

static void lines_come_back(void **state) {
    (void)state;
    const char *path = folder_name("whole");
    long torn;
    write_lines(path, 0, LINES);
    assert_int_equal(read_lines(path, &torn), LINES);
    assert_int_equal(torn, 0);
    write_lines(path, LINES, 2 * LINES);
    assert_int_equal(read_lines(path, &torn), 2 * LINES);
}

/* A file cut anywhere is a journal of the lines that are whole, and lines can follow. */
static void cut_anywhere(void **state) {
    (void)state;
    char *bytes;
    size_t size;
    long torn;
    write_lines(folder_name("uncut"), 0, 3);
    assert_int_equal(base_file_read(folder_path, &bytes, &size, NULL), BASE_OK);
    const size_t first = (size_t)(strchr(bytes, '\n') - bytes) + 1;
    for (size_t cut = first; cut <= size; cut++) {
        int whole = 0;
        for (size_t i = 0; i < cut; i++) whole += bytes[i] == '\n';
        const char *path = folder_write("cut", bytes, cut);
        assert_int_equal(read_lines(path, &torn), whole);
        assert_int_equal(torn == 0, bytes[cut - 1] == '\n');
        if (cut % 16 == 0) {
            write_lines(path, whole, LINES);
            assert_int_equal(read_lines(path, &torn), LINES);
            assert_int_equal(torn, 0);
        }
    }
    free(bytes);
}

/* A power cut may leave blocks of zeros, or a block that was never written before one that was. */
static void torn_by_zeros(void **state) {
    (void)state;
    char *bytes, more[8192] = {0};
    size_t size;
    long torn;
    write_lines(folder_name("solid"), 0, 3);
    assert_int_equal(base_file_read(folder_path, &bytes, &size, NULL), BASE_OK);
    memcpy(more, bytes, size);
    assert_int_equal(read_lines(folder_write("zeros", more, sizeof more), &torn), 3);
    assert_int_equal(torn, sizeof more - size);
    free(bytes);
}

static void refused(const char *path, const char *word) {
    struct guard_journal_text text;
    struct base_error e = {0};
    assert_int_equal(guard_journal_read(path, &text, &e), BASE_USAGE);
    if (!strstr(e.text, word)) fail_msg("\"%s\" lacks \"%s\"", e.text, word);
}

static void damaged_lines_are_refused(void **state) {
    (void)state;
    char *bytes;
    size_t size;
    struct guard_journal *j;
    write_lines(folder_name("good"), 0, 3);
    assert_int_equal(base_file_read(folder_path, &bytes, &size, NULL), BASE_OK);
    char *digit = strchr(strchr(bytes, '\n') + 1, '1'); /* in the second line */
    *digit = '7';
    const char *path = folder_write("damaged", bytes, size);
    refused(path, "line 2 is damaged");
    assert_int_equal(guard_journal_open(&j, path, NULL, NULL), BASE_USAGE);
    free(bytes);
}

static void others_are_refused(void **state) {
    (void)state;
    struct guard_journal *j, *other;
    struct base_error e = {0};
    static const char record[] = "{\"schema\":\"toise/1\",\"kind\":\"train\"}\n";
    const char *path = folder_write("records", record, sizeof record - 1);
    refused(path, "is not a journal");
    assert_int_equal(guard_journal_open(&j, path, NULL, &e), BASE_USAGE);
    char *kept;
    size_t size;
    assert_int_equal(base_file_read(path, &kept, &size, NULL), BASE_OK);
    assert_string_equal(kept, record);
    free(kept);
    refused(folder, "not a plain file");
    refused(folder_name("none"), "No such file");
    assert_int_equal(mkfifo(folder_name("fifo"), 0600), 0);
    assert_int_equal(guard_journal_open(&j, folder_path, NULL, &e), BASE_USAGE);
    assert_int_equal(guard_journal_open(&j, "/proc/no/journal", NULL, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "--journal-dir"));
    assert_int_equal(guard_journal_open(&j, folder_name("shared"), NULL, NULL), BASE_OK);
    assert_int_equal(guard_journal_open(&other, folder_path, NULL, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "another process"));
    assert_int_equal(guard_journal_close(j, 60, NULL, NULL), BASE_OK);
}

/* A file-size limit stands for a full disk. */
static void full_disk(void **state) {
    (void)state;
    const struct rlimit before = {RLIM_INFINITY, RLIM_INFINITY}, small = {1000, RLIM_INFINITY};
    struct guard_journal *j;
    struct guard_journal_state s = {0};
    struct base_error e = {0};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(guard_journal_open(&j, folder_name("full"), NULL, NULL), BASE_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int added = 0;
    while (guard_journal_add(j, line(added))) added++, usleep(20000);
    guard_journal_state(j, &s);
    assert_int_equal(s.failed, EFBIG);
    assert_int_equal(guard_journal_close(j, 60, &s, &e), BASE_BROKEN);
    assert_non_null(strstr(e.text, folder_path));
    assert_non_null(strstr(e.text, "File too large"));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(s.acknowledged < added);
    assert_in_range(read_lines(folder_path, NULL), s.acknowledged, added);
}

/* A full memory refuses a line and does not wait, and what was taken is kept. How much that is depends on the disk. */
static void memory_is_bounded(void **state) {
    (void)state;
    struct guard_journal *j;
    struct guard_journal_state s;
    struct base_error e;
    int taken = 0;
    static char big[8 << 20];
    memset(big, 'x', sizeof big - 1);
    big[1 << 16] = 0;
    assert_int_equal(guard_journal_open(&j, folder_name("big"), NULL, NULL), BASE_OK);
    for (int i = 0; i < 200; i++)
        taken += guard_journal_add(j, json_pack("{s:i, s:f, s:s}", "n", taken, "x", 0.1 + taken, "big", big));
    assert_int_equal(guard_journal_close(j, 600, &s, NULL), BASE_OK);
    assert_in_range(taken, 60, 200); /* what the memory holds, at least */
    assert_int_equal(s.acknowledged, taken);
    assert_int_equal(read_lines(folder_path, NULL), taken);
    big[1 << 16] = 'x'; /* a line that no memory holds */
    assert_int_equal(guard_journal_open(&j, folder_path, NULL, NULL), BASE_OK);
    assert_false(guard_journal_add(j, json_pack("{s:s}", "big", big)));
    assert_int_equal(guard_journal_close(j, 60, NULL, &e), BASE_BROKEN);
    assert_non_null(strstr(e.text, strerror(EMSGSIZE)));
    assert_int_equal(read_lines(folder_path, NULL), taken);
}

/* What was acknowledged when a process is killed is in the file. */
static void killed(void **state) {
    (void)state;
    int ends[2];
    long acknowledged = 0, told;
    assert_int_equal(pipe(ends), 0);
    folder_name("killed");
    const pid_t child = fork();
    if (child == 0) {
        struct guard_journal *j;
        struct guard_journal_state s;
        if (guard_journal_open(&j, folder_path, NULL, NULL)) _exit(1);
        for (int n = 0;; n++) {
            guard_journal_add(j, line(n));
            guard_journal_state(j, &s);
            if (write(ends[1], &s.acknowledged, sizeof s.acknowledged) < 0) _exit(1);
            usleep(1000);
        }
    }
    close(ends[1]);
    while (acknowledged < 100 && read(ends[0], &told, sizeof told) == sizeof told) acknowledged = told;
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &told, sizeof told) == sizeof told) acknowledged = told;
    close(ends[0]);
    assert_true(acknowledged >= 100);
    assert_true(read_lines(folder_path, NULL) >= acknowledged);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_back),    cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(torn_by_zeros),      cmocka_unit_test(damaged_lines_are_refused),
        cmocka_unit_test(others_are_refused), cmocka_unit_test(full_disk),
        cmocka_unit_test(memory_is_bounded),  cmocka_unit_test(killed),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
