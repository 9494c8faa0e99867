/* SPDX-License-Identifier: Apache-2.0
 *
 * Tensors are written and read back; every F16 and BF16 is compared with independent arithmetic; and writes fail. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/support/tensor_file.h"

static void is_missing(const char *name) {
    struct stat s;
    assert_int_equal(lstat(folder_name(name), &s), -1);
    assert_int_equal(errno, ENOENT);
}
/* ---- written and read back */

enum { ROWS = 4, LARGE = (1 << 20) + 5 };
static const struct data_tensor_out rows[ROWS] = {
    {"z.weight", 2, {3, LARGE, 0, 0}},
    {"scalar \"\\ \xc3\xa9", 0, {0, 0, 0, 0}},
    {"nothing", 3, {2, 0, 7, 0}},
    {"a", 4, {1, 2, 3, 5}},
};

struct asked {
    int tensor;
    int64_t next;
};

static float value_of(int i, int64_t k) {
    return (float)(i + 1) * 0.1f - (float)k;
}

static void fill(void *context, int i, int64_t first, int64_t n, float *out) {
    struct asked *asked = context;
    if (i != asked->tensor) *asked = (struct asked){.tensor = i};
    assert_int_equal(first, asked->next);
    assert_in_range(n, 1, 1 << 20);
    asked->next = first + n;
    for (int64_t k = 0; k < n; k++) out[k] = value_of(i, first + k);
}

static int write_rows(const char *path, int count, struct base_error *e) {
    struct asked asked = {0};
    return data_tensors_write(path, rows, count, fill, &asked, e);
}

static void test_round_trip(void **state) {
    (void)state;
    struct base_error e = {0};
    char path[512];
    snprintf(path, sizeof path, "%s", folder_name("model.safetensors"));
    folder_write("model.safetensors.part", "left", 4);
    folder_write("model.safetensors", "old", 3);
    if (write_rows(path, ROWS, &e)) fail_msg("%s", e.text);
    is_missing("model.safetensors.part");
    float *out = malloc(3 * LARGE * sizeof *out);
    assert_non_null(out);
    const char *paths[] = {path, folder};
    for (int p = 0; p < 2; p++) {
        struct data_tensors *set = opened(paths[p]);
        assert_int_equal(data_tensors_count(set), ROWS);
        for (int i = 1; i < ROWS; i++)
            assert_true(strcmp(data_tensors_at(set, i - 1)->name, data_tensors_at(set, i)->name) < 0);
        for (int i = 0; i < ROWS; i++) {
            const struct data_tensor *t = data_tensors_find(set, rows[i].name);
            assert_non_null(t);
            assert_string_equal(t->file, path);
            assert_string_equal(t->type, "F32");
            assert_int_equal(t->dims, rows[i].dims);
            assert_memory_equal(t->shape, rows[i].shape, (size_t)t->dims * sizeof *t->shape);
            data_tensor_read(t, 0, t->count, out);
            for (int64_t k = 0; k < t->count; k++) assert_true(out[k] == value_of(i, k));
        }
        const struct data_tensor *large = data_tensors_find(set, "z.weight");
        assert_int_equal((uintptr_t)large->bytes % 8, 0);
        data_tensor_read(large, 2 * LARGE + 1, 2, out);
        assert_true(out[0] == value_of(0, 2 * LARGE + 1) && out[1] == value_of(0, 2 * LARGE + 2));
        assert_null(data_tensors_find(set, "b"));
        assert_null(data_tensors_find(set, "__metadata__"));
        data_tensors_close(set);
    }
    free(out);
    assert_int_equal(write_rows(path, 0, &e), BASE_OK);
    struct data_tensors *none = opened(path);
    assert_int_equal(data_tensors_count(none), 0);
    assert_null(data_tensors_find(none, "a"));
    data_tensors_close(none);
    unlink(path);
}

static void not_written(const char *path, const struct data_tensor_out *bad, int count, const char *words) {
    struct base_error e = {0};
    struct asked asked = {0};
    assert_int_equal(data_tensors_write(path, bad, count, fill, &asked, &e), BASE_BROKEN);
    if (!strstr(e.text, words) || !strstr(e.text, path)) fail_msg("'%s' lacks '%s'", e.text, words);
}

/* The disk fills up in the header, between tensors, and within one. */
static void test_disk_full(void **state) {
    (void)state;
    struct rlimit limit, old;
    getrlimit(RLIMIT_FSIZE, &old);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    const rlim_t sizes[] = {0, 7, 8, 50, 400, 12 * LARGE + 300};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        folder_write("out.safetensors", "before", i % 2 ? 6 : 0);
        if (i % 2 == 0) unlink(folder_path);
        limit = (struct rlimit){.rlim_cur = sizes[i], .rlim_max = old.rlim_max};
        setrlimit(RLIMIT_FSIZE, &limit);
        struct base_error e = {0};
        int code = write_rows(folder_path, ROWS, &e);
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_equal(code, BASE_BROKEN);
        assert_non_null(strstr(e.text, "out.safetensors: not written: File too large"));
        struct stat s;
        assert_int_equal(stat(folder_path, &s), i % 2 ? 0 : -1);
        if (i % 2) assert_int_equal(s.st_size, 6);
        is_missing("out.safetensors.part");
        unlink(folder_name("out.safetensors"));
    }
    signal(SIGXFSZ, handler);
}

static void test_not_written(void **state) {
    (void)state;
    char path[512];
    static const struct data_tensor_out twice[] = {{.name = "a"}, {.name = "a"}};
    static const struct data_tensor_out bad[] = {{"__metadata__", 0, {0}}, {"\xff", 0, {0}},
                                                 {"n", 1, {-1}},           {"n", 5, {0}},
                                                 {"n", 2, {INT64_MAX, 2}}, {"n", 1, {INT64_MAX / 2}}};
    static const char *const words[] = {"reserved for metadata", "not UTF-8",     "is invalid or",
                                        "is invalid or",         "is invalid or", "too large"};
    snprintf(path, sizeof path, "%s", folder_name("none/out.safetensors"));
    not_written(path, rows, ROWS, "none/out.safetensors.part: cannot create: No such file");
    not_written(folder, rows, ROWS, "is not a plain file");
    snprintf(path, sizeof path, "%s", folder_name("out.safetensors"));
    for (int i = 0; i < 6; i++) not_written(path, &bad[i], 1, words[i]);
    not_written(path, twice, 2, "tensor 'a': the name is given twice");
    is_missing("out.safetensors");
    is_missing("out.safetensors.part");
    assert_int_equal(mkdir(folder_name("out.safetensors.part"), 0700), 0);
    not_written(path, rows, ROWS, "out.safetensors.part: cannot create");
    assert_int_equal(rmdir(folder_name("out.safetensors.part")), 0);
}

/* ---- values */

static double scaled(int exponent, int mantissa, int bias, int bits, int top) {
    if (exponent == top) return mantissa ? NAN : INFINITY;
    return exponent ? ldexp(1 + ldexp(mantissa, -bits), exponent - bias) : ldexp(mantissa, 1 - bias - bits);
}

/* Every bit pattern, at an odd address. */
static void patterns(const char *type, int bits, int bias, int top) {
    enum { ALL = 65536 };
    static unsigned char bytes[8 + 512 + 2 * ALL];
    static float out[ALL];
    char header[200];
    snprintf(header, sizeof header,
             "{\"x\":{\"dtype\":\"%s\",\"shape\":[256,256],\"data_offsets\":[1,131073]},"
             "\"odd\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}",
             type);
    strncat(header, " ", strlen(header) % 2);
    size_t at = assembled(bytes, header, 1);
    for (int h = 0; h < ALL; h++) memcpy(bytes + at + 2 * h, &(uint16_t){(uint16_t)h}, 2);
    struct data_tensors *set = opened(folder_write("half.safetensors", bytes, at + 2 * ALL));
    const struct data_tensor *t = data_tensors_find(set, "x");
    assert_int_equal((uintptr_t)t->bytes % 2, 1);
    data_tensor_read(t, 0, 1000, out);
    data_tensor_read(t, 1000, ALL - 1000, out + 1000);
    for (int h = 0; h < ALL; h++) {
        double want = scaled(h >> bits & top, h & ((1 << bits) - 1), bias, bits, top);
        uint32_t got;
        memcpy(&got, out + h, 4);
        assert_int_equal(got >> 31, h >> 15);
        if (isnan(want)) {
            assert_int_equal(got >> 23 & 255, 255);
            assert_int_equal(got & 0x7fffff, (h & ((1 << bits) - 1)) << (23 - bits)); /* its payload */
        } else
            assert_true((double)out[h] == (h >> 15 ? -want : want));
    }
    data_tensor_read(data_tensors_find(set, "odd"), 0, 1, out);
    assert_true(isnan(out[0]));
    data_tensors_close(set);
}

static void test_values(void **state) {
    (void)state;
    patterns("F16", 10, 15, 31);
    patterns("BF16", 7, 127, 255);
    unsigned char bytes[64];
    struct data_tensors *set =
        opened(written("odd.safetensors",
                       "{\"b\":{\"dtype\":\"F8_E4M3FNUZ\",\"shape\":[1,1,1,3],\"data_offsets\":[0,3]},"
                       "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[3,7]},\"c\":{\"more\":[1],"
                       "\"dtype\":\"new\",\"shape\":[9],\"data_offsets\":[7,9]},\"__metadata__\":{\"k\":\"v\"}}  \n ",
                       9));
    for (int i = 0; i < 9; i++) bytes[i] = (unsigned char)(i + 1);
    float x;
    data_tensor_read(data_tensors_at(set, 0), 0, 1, &x);
    assert_memory_equal(&x, bytes + 3, 4);
    assert_int_equal(data_tensors_at(set, 0)->dtype, DATA_F32);
    assert_int_equal(data_tensors_at(set, 1)->dtype, DATA_UNREAD);
    assert_string_equal(data_tensors_at(set, 1)->type, "F8_E4M3FNUZ");
    assert_string_equal(data_tensors_at(set, 2)->type, "new");
    assert_int_equal(data_tensors_at(set, 2)->size, 2);
    data_tensors_close(set);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_disk_full),
                                       cmocka_unit_test(test_values), cmocka_unit_test(test_not_written)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
