/* SPDX-License-Identifier: Apache-2.0
 *
 * Tensors written and read back; every F16 and BF16 against arithmetic; files, shards and indices with each fault,
 * refused with exit code 2 in words; cuts and flips, which may be refused or read but never crash; failed writes. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/safetensors.h"
#include "unit/support/folder.h"

/* The file: this header, given a length of its own, and `size` bytes of data, 1, 2, 3, ... */
static size_t assembled(unsigned char *bytes, const char *header, size_t size) {
    uint64_t n = strlen(header);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < size; i++) bytes[8 + n + i] = (unsigned char)(i + 1);
    return 8 + n + size;
}

static const char *written(const char *name, const char *header, size_t size) {
    unsigned char bytes[4096];
    return folder_write(name, bytes, assembled(bytes, header, size));
}

/* Opening `path` fails with these words, on one line. */
static void refused_at(const char *path, const char *words) {
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    assert_int_equal(data_tensors_open(&set, path, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_null(set);
    if (!strstr(e.text, path) || !strstr(e.text, words) || strchr(e.text, '\n'))
        fail_msg("'%s' lacks '%s' or '%s'", e.text, path, words);
    assert_int_equal(data_tensors_open(&set, path, NULL), BASE_USAGE);
}

static void refused(const char *header, size_t size, const char *words) {
    char path[512];
    snprintf(path, sizeof path, "%s", written("bad.safetensors", header, size));
    refused_at(path, words);
}

static struct data_tensors *opened(const char *path) {
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    if (data_tensors_open(&set, path, &e)) fail_msg("%s", e.text);
    return set;
}

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

/* The disk is full at each of these sizes: in the header, between tensors, within one. */
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
        assert_non_null(strstr(e.text, "out.safetensors: tensors not written: File too large"));
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
    static const char *const words[] = {"kept for metadata", "not UTF-8", "no shape",
                                        "no shape",          "no shape",  "too large"};
    snprintf(path, sizeof path, "%s", folder_name("none/out.safetensors"));
    not_written(path, rows, ROWS, "none/out.safetensors.part: cannot be made: No such file");
    not_written(folder, rows, ROWS, "is no plain file");
    snprintf(path, sizeof path, "%s", folder_name("out.safetensors"));
    for (int i = 0; i < 6; i++) not_written(path, &bad[i], 1, words[i]);
    not_written(path, twice, 2, "tensor 'a': the name is given twice");
    is_missing("out.safetensors");
    is_missing("out.safetensors.part");
    assert_int_equal(mkdir(folder_name("out.safetensors.part"), 0700), 0);
    not_written(path, rows, ROWS, "out.safetensors.part: cannot be made");
    assert_int_equal(rmdir(folder_name("out.safetensors.part")), 0);
}

/* ---- values */

static double scaled(int exponent, int mantissa, int bias, int bits, int top) {
    if (exponent == top) return mantissa ? NAN : INFINITY;
    return exponent ? ldexp(1 + ldexp(mantissa, -bits), exponent - bias) : ldexp(mantissa, 1 - bias - bits);
}

/* Every pattern, at an odd address */
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

/* ---- faults */

#define T(type, shape, begin, end) "{\"dtype\":" type ",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

static void test_header(void **state) {
    (void)state;
    static const struct {
        const char *header, *words;
    } faults[] = {
        {"", "its header is not JSON: byte "},
        {"{\"x\":", "its header is not JSON"},
        {"{} {}", "its header is not JSON"},
        {"[1]", "its header is JSON, but no object"},
        {"{\"x\":" T("\"U8\"", "[8]", 0, 8) ",\"x\":" T("\"U8\"", "[8]", 0, 8) "}", "duplicate"},
        {"{\"x\":" T("\"U8\"", "[99999999999999999999]", 0, 8) "}", "too big integer"},
        {"{\"x\":8}", "tensor 'x': no object of dtype, shape and data_offsets; write it anew"},
        {"{\"x\":" T("8", "[8]", 0, 8) "}", "tensor 'x': its dtype is missing, or no text"},
        {"{\"x\":{\"shape\":[8],\"data_offsets\":[0,8]}}", "its dtype is missing"},
        {"{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,8]}}", "its shape is missing, or no list"},
        {"{\"x\":" T("\"U8\"", "8", 0, 8) "}", "its shape is missing, or no list"},
        {"{\"x\":" T("\"U8\"", "[1,8.0]", 0, 8) "}", "dimension 1 of its shape is no integer"},
        {"{\"x\":" T("\"U8\"", "[-8]", 0, 8) "}", "dimension 0 of its shape is -8"},
        {"{\"x\":" T("\"U8\"", "[1,1,1,1,8]", 0, 8) "}", "5 dimensions, and at most 4 are read"},
        {"{\"x\":" T("\"U8\"", "[4294967296,4294967296]", 0, 8) "}", "more elements than can be counted"},
        {"{\"x\":" T("\"F64\"", "[2305843009213693953]", 0, 8) "}", "of F64 (64 bits) do not take the 8 bytes"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[8]}}", "its data_offsets are missing, or not two integers"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8,9]}}", "not two integers"},
        {"{\"x\":" T("\"U8\"", "[8]", 0, 8.0) "}", "not two integers"},
        {"{\"x\":" T("\"U8\"", "[8]", 8, 0) "}", "[8, 0] are negative or reversed"},
        {"{\"x\":" T("\"U8\"", "[8]", -1, 7) "}", "[-1, 7] are negative or reversed"},
        {"{\"x\":" T("\"U8\"", "[9]", 0, 9) "}", "[0, 9] end outside the file's 8 bytes of data"},
        {"{\"x\":" T("\"F32\"", "[3]", 0, 8) "}", "3 elements of F32 (32 bits) do not take the 8 bytes"},
        {"{\"x\":" T("\"F4\"", "[15]", 0, 8) "}", "15 elements of F4 (4 bits) do not take"},
        {"{\"x\":" T("\"U8\"", "[5]", 0, 5) ",\"y\":" T("\"U8\"", "[4]", 4, 8) "}",
         "tensor 'y': it begins at byte 4 of the data, but 'x' ends at 5: an overlap"},
        {"{\"x\":" T("\"U8\"", "[0]", 4, 4) ",\"y\":" T("\"U8\"", "[8]", 0, 8) "}", "'y' ends at 8: an overlap"},
        {"{\"x\":" T("\"U8\"", "[3]", 0, 3) ",\"y\":" T("\"U8\"", "[4]", 4, 8) "}",
         "tensor 'y': it begins at byte 4 of the data, but 'x' ends at 3: a hole"},
        {"{\"x\":" T("\"U8\"", "[7]", 1, 8) "}", "'the header' ends at 0: a hole"},
        {"{\"x\":" T("\"U8\"", "[7]", 0, 7) "}", "8 bytes of data, but its tensors end at byte 7"},
        {"{}", "8 bytes of data, but its tensors end at byte 0"},
        {"{\"__metadata__\":[]}", "its __metadata__ is no object of texts"},
        {"{\"__metadata__\":{\"k\":1}}", "its __metadata__ is no object of texts"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) refused(faults[i].header, 8, faults[i].words);
}

static void test_prefix(void **state) {
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", folder_write("short.safetensors", "1234567", 7));
    refused_at(path, "7 bytes, too short for the 8 that give a safetensors header's length");
    folder_write("short.safetensors", "\3\0\0\0\0\0\0\0{}", 10);
    refused_at(path, "give a header of 3 bytes, but 2 follow; it was cut");
    folder_write("short.safetensors", "\377\377\377\377\377\377\377\377{}", 10);
    refused_at(path, "give a header of 18446744073709551615 bytes");
    folder_write("short.safetensors", "version https://git-lfs.github.com/spec/v1\n", 43);
    refused_at(path, "is a Git LFS pointer");
    folder_write("short.safetensors", "\1\341\365\5\0\0\0\0{}", 10); /* 100,000,001, in a file of holes */
    assert_int_equal(truncate(path, 100000100), 0);
    refused_at(path, "a header of 100000001 bytes, more than the 100000000 that safetensors allows");
    folder_write("short.safetensors", "", 0);
    refused_at(path, "is empty; give a .safetensors file, or a folder");
}

/* ---- folders and shards */

static void shards_written(const char *index) {
    written("s1.safetensors", "{\"b\":" T("\"F32\"", "[1]", 0, 4) ",\"d\":" T("\"U8\"", "[]", 4, 5) "}", 5);
    written("s2.safetensors", "{\"a\":" T("\"F32\"", "[]", 0, 4) ",\"c\":" T("\"U8\"", "[1]", 4, 5) "}", 5);
    folder_write("model.safetensors.index.json", index, strlen(index));
}

static void test_shards(void **state) {
    (void)state;
    char index[512], bare[512];
    shards_written("{\"metadata\":{\"total_size\":10},\"weight_map\":{\"a\":\"s2.safetensors\",\"b\":"
                   "\"s1.safetensors\",\"c\":\"./s2.safetensors\"}}");
    snprintf(index, sizeof index, "%s", folder_path);
    struct base_error e = {0};
    struct data_tensors *set = NULL;
    assert_int_equal(data_tensors_open(&set, index, &e), BASE_USAGE); /* one shard by two names */
    assert_non_null(strstr(e.text, "./s2.safetensors': tensor 'a': is in '"));
    shards_written("{\"weight_map\":{\"a\":\"s2.safetensors\",\"b\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}");
    snprintf(bare, sizeof bare, "%s/", folder);
    const char *paths[] = {index, folder, bare};
    for (int p = 0; p < 3; p++) {
        set = opened(paths[p]);
        assert_int_equal(data_tensors_count(set), 4);
        for (int i = 0; i < 4; i++) assert_int_equal(data_tensors_at(set, i)->name[0], 'a' + i);
        assert_non_null(strstr(data_tensors_find(set, "a")->file, "/s2.safetensors"));
        data_tensors_close(set);
    }
    written("model.safetensors", "{\"only\":" T("\"U8\"", "[]", 0, 1) "}", 1);
    set = opened(folder); /* as transformers has it, before the index */
    assert_int_equal(data_tensors_count(set), 1);
    data_tensors_close(set);
    unlink(folder_name("model.safetensors"));
}

static void test_index(void **state) {
    (void)state;
    static const struct {
        const char *index, *words;
    } faults[] = {
        {"{", "its text is not JSON"},
        {"[]", "its text is JSON, but no object"},
        {"{}", "its weight_map is missing or empty"},
        {"{\"weight_map\":[1]}", "its weight_map is missing or empty, or no object"},
        {"{\"weight_map\":{}}", "its weight_map is missing or empty"},
        {"{\"weight_map\":{\"a\":1}}", "tensor 'a': its weight_map gives '(no text)'"},
        {"{\"weight_map\":{\"a\":\"\"}}", "tensor 'a': its weight_map gives '', not a file"},
        {"{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "gives '/etc/passwd', not a file in the index's folder"},
        {"{\"weight_map\":{\"a\":\"../x\"}}", "gives '../x'"},
        {"{\"weight_map\":{\"a\":\"s/../../x\"}}", "gives 's/../../x'"},
        {"{\"weight_map\":{\"a\":\"s/..\"}}", "gives 's/..'"},
        {"{\"weight_map\":{\"a\":\"..\"}}", "gives '..'"},
        {"{\"weight_map\":{\"a\":\"s2.safetensors\",\"a\":\"s2.safetensors\"}}", "duplicate"},
        {"{\"weight_map\":{\"b\":\"s2.safetensors\"}}",
         "tensor 'b': its weight_map says 's2.safetensors', but it is in none of the shards; copy"},
        {"{\"weight_map\":{\"a\":\"s1.safetensors\",\"c\":\"s2.safetensors\"}}",
         "says 's1.safetensors', but it is in s2.safetensors"},
    };
    char index[512], shard[512];
    snprintf(index, sizeof index, "%s", folder_name("model.safetensors.index.json"));
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        shards_written(faults[i].index);
        refused_at(index, faults[i].words);
    }
    shards_written("{\"weight_map\":{\"a\":\"s3.safetensors\",\"b\":\"s1.safetensors\"}}");
    refused_at(folder, "s3.safetensors': cannot be opened: No such file or directory; the index beside it names it");
    snprintf(shard, sizeof shard, "%s", written("s3.safetensors", "{\"a\":" T("\"U8\"", "[]", 0, 1) "}", 2));
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    assert_int_equal(data_tensors_open(&set, index, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, shard));
    shards_written("{\"weight_map\":{\"a\":\"s3.safetensors\",\"c\":\"s2.safetensors\"}}");
    written("s3.safetensors", "{\"a\":" T("\"U8\"", "[]", 0, 1) "}", 1);
    refused_at(folder, "s2.safetensors': tensor 'a': is in '");
    for (int i = 0; i < 4; i++)
        unlink(folder_name(
            (const char *[]){"s1.safetensors", "s2.safetensors", "s3.safetensors", "model.safetensors.index.json"}[i]));
}

static void test_no_files(void **state) {
    (void)state;
    alarm(20); /* a hang must fail */
    char path[512];
    refused_at(folder, "holds neither model.safetensors nor model.safetensors.index.json; give a .safetensors file");
    folder_write("pytorch_model.bin", "x", 1);
    refused_at(folder, "pickles (pytorch_model.bin) are not read, as they can run code: convert them");
    unlink(folder_path);
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "any"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s", folder_name(names[i]));
        refused_at(path, "cannot be opened: No such file");
        assert_int_equal(symlink("nowhere", path), 0); /* a cache that lost its blob */
        refused_at(i < 2 ? folder : path, "cannot be opened: No such file");
        unlink(path);
        assert_int_equal(mkfifo(path, 0600), 0);
        refused_at(i < 2 ? folder : path, "is not a plain file");
        unlink(path);
    }
    assert_int_equal(mkdir(folder_name("model.safetensors"), 0700), 0);
    refused_at(folder, "model.safetensors': is a folder");
    rmdir(folder_path);
    alarm(0);
}

/* ---- damage */

/* Refused, or every byte of every tensor can be read. */
static int survives(const unsigned char *bytes, size_t n) {
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    float out[64];
    int code = data_tensors_open(&set, folder_write("fuzz.safetensors", bytes, n), &e);
    if (code) {
        assert_int_equal(code, BASE_USAGE);
        assert_non_null(strstr(e.text, folder_path));
        return 0;
    }
    for (int i = 0; i < data_tensors_count(set); i++) {
        const struct data_tensor *t = data_tensors_at(set, i);
        const volatile unsigned char *b = t->bytes;
        assert_in_range(t->size, 0, n);
        for (int64_t k = 0; k < t->size; k++) (void)b[k];
        assert_ptr_equal(data_tensors_find(set, t->name), t);
        for (int64_t k = 0; k < t->count && t->dtype != DATA_UNREAD; k += 64)
            data_tensor_read(t, k, t->count - k < 64 ? t->count - k : 64, out);
    }
    data_tensors_close(set);
    return 1;
}

/* The file ends with a page, so that reading beyond it would fault. */
static void test_damage(void **state) {
    (void)state;
    enum { DATA = 3840, HEADER = 4096 - 8 - DATA, BYTES = 4096 };
    static unsigned char good[BYTES + 1];
    char header[HEADER + 1];
    snprintf(header, sizeof header, "%-*s", HEADER,
             "{\"x\":" T("\"F16\"", "[16,60]", 0, 1920) ",\"y\":" T("\"F32\"", "[480]", 1920, 3840) "}");
    assert_int_equal(assembled(good, header, DATA), BYTES);
    assert_int_equal(survives(good, BYTES), 1);
    for (size_t n = 0; n < BYTES; n++) assert_int_equal(survives(good, n), 0);
    assert_int_equal(survives(good, BYTES + 1), 0);
    int accepted = 0, tried = 0, descriptor = dup(0);
    close(descriptor);
    for (int at = 0; at < 8 + HEADER; at++)
        for (int bit = 0; bit < 9; bit++) {
            unsigned char kept = good[at];
            good[at] = bit < 8 ? kept ^ (unsigned char)(1 << bit) : '0';
            accepted += survives(good, BYTES);
            good[at] = kept;
            tried++;
        }
    assert_in_range(accepted, 1, tried / 2); /* both ways out are tried */
    int now = dup(0);
    close(now);
    assert_int_equal(now, descriptor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_files), cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_values),   cmocka_unit_test(test_not_written), cmocka_unit_test(test_header),
        cmocka_unit_test(test_prefix),   cmocka_unit_test(test_shards),      cmocka_unit_test(test_index),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
