/* SPDX-License-Identifier: Apache-2.0
 *
 * Records survive torn lines, full disks and many writers. Paths that cannot be written are refused in one line. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "records/record.h"

#define N "\"schema\":\"toise/1\",\"n\":"

static char folder[] = "/tmp/toise-record-XXXXXX";

static const char *in_folder(const char *name) {
    static char full[256];
    snprintf(full, sizeof full, "%s/%s", folder, name);
    return full;
}

static int open_folder(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state) {
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void assert_content(const char *path, const char *text) {
    char content[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    content[fread(content, 1, sizeof content - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(content, text);
}

static int append_number(const char *path, int n, struct base_error *e) {
    json_t *record = json_pack("{s:s,s:i}", "schema", "toise/1", "n", n);
    int code = record_append(path, record, e);
    json_decref(record);
    return code;
}

struct seen {
    int count, n[64], stop_at;
};

static int see(void *context, const struct record_line *line) {
    struct seen *seen = context;
    seen->n[seen->count++ % 64] = (int)record_whole(line->record, "n");
    return seen->count == seen->stop_at ? 77 : 0;
}

static void records_come_back_in_order(void **state) {
    (void)state;
    const char *path = in_folder("order");
    struct seen seen = {0};
    for (int i = 0; i < 5; i++) assert_int_equal(append_number(path, i, NULL), 0);
    assert_int_equal(record_read(path, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 5);
    for (int i = 0; i < 5; i++) assert_int_equal(seen.n[i], i);
    seen = (struct seen){.stop_at = 2};
    assert_int_equal(record_read(path, see, &seen, NULL), 77);
    assert_int_equal(seen.count, 2);
}

static void torn_lines_are_repaired(void **state) {
    (void)state;
    const char *path = in_folder("torn");
    struct seen seen = {0};
    put(path, "{" N "1}\n{" N "2,\"text\":\"half");
    assert_int_equal(record_read(path, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(append_number(path, 3, NULL), 0);
    assert_content(path, "{" N "1}\n{" N "3}\n");

    put(path, "{" N "1}"); /* whole, but for its newline: kept */
    seen = (struct seen){0};
    assert_int_equal(record_read(path, see, &seen, NULL), 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(append_number(path, 2, NULL), 0);
    assert_content(path, "{" N "1}\n{" N "2}\n");

    put(path, "{\"only\":");
    assert_int_equal(append_number(path, 4, NULL), 0);
    assert_content(path, "{" N "4}\n");
}

/* An unfinished last line that does not start like a record is someone's text: refused and unchanged */
static void other_peoples_lines_are_left(void **state) {
    (void)state;
    const char *path = in_folder("notes");
    struct seen seen = {0};
    put(path, "to whom it may concern");
    assert_int_equal(record_read(path, see, &seen, NULL), BASE_USAGE);
    assert_int_equal(append_number(path, 1, NULL), BASE_BROKEN);
    assert_content(path, "to whom it may concern");
}

/* A torn line longer than the block in which its beginning is searched */
static void long_torn_lines_too(void **state) {
    (void)state;
    const char *path = in_folder("long");
    put(path, "{" N "1}\n");
    FILE *file = fopen(path, "a");
    fputs("{\"x\":\"", file);
    for (int i = 0; i < 10000; i++) fputc('y', file);
    fclose(file);
    assert_int_equal(append_number(path, 2, NULL), 0);
    assert_content(path, "{" N "1}\n{" N "2}\n");
}

static void bad_lines_are_named(void **state) {
    (void)state;
    const char *path = in_folder("bad");
    static const char *const bad[] = {"not json", "[1,2]", "", "{" N "1,\"n\":2}", "{" N "1} tail", "17"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[128];
        struct seen seen = {0};
        struct base_error e = {0};
        snprintf(text, sizeof text, "{" N "1}\n{" N "2}\n%s\n{" N "4}\n", bad[i]);
        put(path, text);
        assert_int_equal(record_read(path, see, &seen, &e), BASE_USAGE);
        assert_int_equal(seen.count, 2);
        assert_non_null(strstr(e.text, path));
        assert_non_null(strstr(e.text, "line 3 "));
    }
    struct base_error e = {0};
    assert_int_equal(record_read(in_folder("absent"), see, NULL, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "No such file"));
    assert_int_equal(record_read(folder, see, NULL, &e), BASE_USAGE);
}

static void many_writers_keep_every_line(void **state) {
    (void)state;
    enum { WRITERS = 4, EACH = 40 };
    const char *path = in_folder("many");
    pid_t child[WRITERS];
    for (int w = 0; w < WRITERS; w++) {
        child[w] = fork();
        assert_true(child[w] >= 0);
        if (child[w] > 0) continue;
        json_t *record =
            json_pack("{s:s,s:i,s:s}", "schema", "toise/1", "n", w, "padding", "some text so that a line is not tiny");
        int code = 0;
        for (int i = 0; i < EACH; i++) code |= record_append(path, record, NULL);
        json_decref(record);
        _exit(code);
    }
    for (int w = 0; w < WRITERS; w++) {
        int status;
        assert_int_equal(waitpid(child[w], &status, 0), child[w]);
        assert_int_equal(status, 0);
    }
    struct seen seen = {0};
    assert_int_equal(record_read(path, see, &seen, NULL), 0);
    assert_int_equal(seen.count, WRITERS * EACH);
}

/* The lock's holder may be repairing the file, so others must not append. A slow child may pass by mistake; a correct
 * one never fails. */
static void writers_wait_for_the_lock(void **state) {
    (void)state;
    const char *path = in_folder("locked-by-another");
    put(path, "{" N "1}\n");
    FILE *holder = fopen(path, "a");
    assert_int_equal(flock(fileno(holder), LOCK_EX), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        fclose(holder); /* the lock ends with its last descriptor, the parent's */
        _exit(append_number(path, 2, NULL));
    }
    usleep(50000);
    int status = -1;
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    assert_content(path, "{" N "1}\n");
    flock(fileno(holder), LOCK_UN);
    fclose(holder);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_content(path, "{" N "1}\n{" N "2}\n");
}

/* A limit on the file's size interrupts a write, as a full disk does */
static void full_disks_leave_the_file_as_it_was(void **state) {
    (void)state;
    const char *path = in_folder("full");
    struct base_error e = {0};
    assert_int_equal(append_number(path, 1, NULL), 0);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = sizeof "{" N "1}\n" - 1 + 4; /* room for four bytes of the next line */
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    int code = append_number(path, 2, &e);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, BASE_BROKEN);
    assert_non_null(strstr(e.text, path));
    assert_content(path, "{" N "1}\n");
    assert_int_equal(append_number(path, 3, NULL), 0);
    assert_content(path, "{" N "1}\n{" N "3}\n");
    if (access("/dev/full", W_OK) == 0) {
        assert_int_equal(append_number("/dev/full", 1, &e), BASE_BROKEN);
        assert_non_null(strstr(e.text, "No space left"));
    }
    assert_int_equal(append_number(in_folder("full/below"), 1, &e), BASE_BROKEN);
    assert_int_equal(append_number(in_folder("made/on/the/way"), 1, &e), BASE_OK);
}

static bool is_there(const char *path) {
    struct stat found;
    return stat(path, &found) == 0;
}

static void good_places_are_accepted(void **state) {
    (void)state;
    assert_int_equal(record_check(in_folder("new"), NULL), 0);
    assert_false(is_there(in_folder("new")));
    assert_int_equal(record_check(in_folder("deep/er/still/file"), NULL), 0);
    assert_false(is_there(in_folder("deep")));
    for (int i = 0; i < 3; i++) { /* a record, the torn start of one, nothing */
        static const char *const contents[] = {"{\"schema\": \"toise/1\"}\n{}\n", "{\"sche", ""};
        put(in_folder("old"), contents[i]);
        assert_int_equal(record_check(in_folder("old"), NULL), 0);
        assert_content(in_folder("old"), contents[i]);
    }
    assert_int_equal(record_check("a-name-alone-is-never-made", NULL), 0);
    assert_false(is_there("a-name-alone-is-never-made"));
}

/* Asking leaves no trace: no folder is created, and none above has a newer time. */
static void asking_makes_nothing(void **state) {
    (void)state;
    struct stat before, after;
    assert_int_equal(mkdir(in_folder("asked"), 0700), 0);
    assert_int_equal(stat(in_folder("asked"), &before), 0);
    assert_int_equal(record_check(in_folder("asked/of/what/is/file"), NULL), 0);
    assert_int_equal(record_check(in_folder("asked//file"), NULL), 0);
    assert_false(is_there(in_folder("asked/of")));
    assert_int_equal(stat(in_folder("asked"), &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_int_equal(record_check("a-name-alone-is-never-made", NULL), 0);
    assert_int_equal(symlink("nowhere", in_folder("asked/link")), 0);
    assert_int_equal(record_check(in_folder("asked/link/file"), NULL), BASE_USAGE);
    char longer[600]; /* a folder's name of 256 characters */
    snprintf(longer, sizeof longer, "%s/asked/new/%0256d/file", folder, 0);
    assert_int_equal(record_check(longer, NULL), BASE_USAGE);
}

static void assert_refused(const char *path, const char *why) {
    struct base_error e = {0};
    assert_int_equal(record_check(path, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    if (strstr(e.text, why) == NULL) fail_msg("'%s' lacks '%s'", e.text, why);
}

static void bad_places_are_refused(void **state) {
    (void)state;
    static char longer[5000];
    static const char *const others[] = {"{\n  \"schema\": \"machine/1\"\n}\n", "{\"schema\": \"machine/1\"}\n", "{}\n",
                                         "[]\n"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put(in_folder("file"), others[i]);
        assert_refused(in_folder("file"), "does not hold records");
    }
    put(in_folder("file"), "x");
    assert_refused("", "empty");
    assert_refused(in_folder("file"), "does not hold records");
    assert_content(in_folder("file"), "x");
    assert_refused(folder, "is a folder");
    assert_refused(in_folder("new-folder/"), "is a folder");
    assert_refused("/dev/null", "not a plain file");
    assert_refused(in_folder("file/below"), "part of the path is a file");
    assert_refused(in_folder("file/below/more"), "part of the path is a file");
    memset(longer, 'x', sizeof longer - 1);
    assert_refused(longer, "too long");
    assert_refused("/proc/toise/records", "cannot write records");
    assert_int_equal(symlink("no-folder/file", in_folder("astray")), 0);
    assert_refused(in_folder("astray"), "the link's target: No such file");
    assert_int_equal(record_check_anew(in_folder("astray"), "--trace", NULL), 0);
}

static void refusals_name_the_flag(void **state) {
    (void)state;
    struct base_error e = {0};
    put(in_folder("file"), "x");
    assert_int_equal(record_check_anew(in_folder("file"), "--svg", &e), 0);
    assert_int_equal(record_check_anew(in_folder("file/below"), "--svg", &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "choose another path with --svg"));
    assert_null(strstr(e.text, "records"));
    assert_int_equal(record_check_anew(folder, "--svg", &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "is a folder: give --svg"));
}

/* As an ordinary user, in a child: root may write everywhere */
static int in_child_as_nobody(void (*check)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (geteuid() == 0 && setuid(65534) != 0) _exit(99);
        check();
        _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

static void check_as_nobody(void) {
    assert_refused(in_folder("closed/records"), "make it writable");
    assert_refused(in_folder("closed/sub/records"), "make it writable");
    assert_refused(in_folder("locked"), "make it writable");
}

static void unwritable_places_are_refused(void **state) {
    (void)state;
    put(in_folder("locked"), "");
    chmod(in_folder("locked"), 0444);
    mkdir(in_folder("closed"), 0555);
    chmod(folder, 0755);
    assert_int_equal(in_child_as_nobody(check_as_nobody), 0);
}

static void read_only_file_systems_are_refused(void **state) {
    (void)state;
    mkdir(in_folder("frozen"), 0755);
    if (mount("none", in_folder("frozen"), "tmpfs", MS_RDONLY, NULL) != 0) {
        printf("SKIP: read_only_file_systems: cannot mount one here\n");
        return;
    }
    struct base_error file, deeper;
    int code = record_check(in_folder("frozen/records"), &file);
    int code_deeper = record_check(in_folder("frozen/sub/records"), &deeper);
    umount(in_folder("frozen"));
    assert_int_equal(code, BASE_USAGE);
    assert_int_equal(code_deeper, BASE_USAGE);
    assert_non_null(strstr(file.text, "read-only: choose another"));
    assert_non_null(strstr(deeper.text, "read-only: choose another"));
}

static void json_files_say_where_they_are_wrong(void **state) {
    (void)state;
    const char *path = in_folder("value.json");
    struct base_error e = {0};
    json_t *value = NULL;
    put(path, "{\"a\":\n [1, 2]}\n");
    assert_int_equal(record_json_load(path, &value, &e), 0);
    assert_int_equal(json_array_size(json_object_get(value, "a")), 2);
    json_decref(value);
    value = NULL;
    put(path, "\xef\xbb\xbf{\"a\":1}\n"); /* as Windows' editors save it */
    assert_int_equal(record_json_load(path, &value, &e), 0);
    json_decref(value);
    value = NULL;
    put(path, "\xff\xfe{");
    assert_int_equal(record_json_load(path, &value, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "UTF-16"));
    put(path, "{\"a\":\n [1, }\n");
    assert_int_equal(record_json_load(path, &value, &e), BASE_USAGE);
    assert_null(value);
    assert_non_null(strstr(e.text, "line 2, column 6"));
    assert_int_equal(record_json_load(folder, &value, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "is a folder"));
    assert_int_equal(record_json_load(in_folder("absent"), &value, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, "No such file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order),
        cmocka_unit_test(torn_lines_are_repaired),
        cmocka_unit_test(long_torn_lines_too),
        cmocka_unit_test(other_peoples_lines_are_left),
        cmocka_unit_test(bad_lines_are_named),
        cmocka_unit_test(many_writers_keep_every_line),
        cmocka_unit_test(writers_wait_for_the_lock),
        cmocka_unit_test(full_disks_leave_the_file_as_it_was),
        cmocka_unit_test(good_places_are_accepted),
        cmocka_unit_test(asking_makes_nothing),
        cmocka_unit_test(bad_places_are_refused),
        cmocka_unit_test(refusals_name_the_flag),
        cmocka_unit_test(unwritable_places_are_refused),
        cmocka_unit_test(read_only_file_systems_are_refused),
        cmocka_unit_test(json_files_say_where_they_are_wrong),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
