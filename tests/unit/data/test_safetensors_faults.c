/* SPDX-License-Identifier: Apache-2.0
 *
 * .safetensors files, shards and indexes with each fault, refused with exit code 2 and a message. Truncated and flipped
 * ones may be refused or read but never crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/support/tensor_file.h"

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
        {"[1]", "its header is JSON but not an object"},
        {"{\"x\":" T("\"U8\"", "[8]", 0, 8) ",\"x\":" T("\"U8\"", "[8]", 0, 8) "}", "duplicate"},
        {"{\"x\":" T("\"U8\"", "[99999999999999999999]", 0, 8) "}", "too big integer"},
        {"{\"x\":8}", "tensor 'x': it is not an object of dtype, shape and data_offsets; write, copy"},
        {"{\"x\":" T("8", "[8]", 0, 8) "}", "tensor 'x': its dtype is missing or not a string"},
        {"{\"x\":{\"shape\":[8],\"data_offsets\":[0,8]}}", "its dtype is missing"},
        {"{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,8]}}", "its shape is missing or not a list"},
        {"{\"x\":" T("\"U8\"", "8", 0, 8) "}", "its shape is missing or not a list"},
        {"{\"x\":" T("\"U8\"", "[1,8.0]", 0, 8) "}", "dimension 1 of its shape is not an integer"},
        {"{\"x\":" T("\"U8\"", "[-8]", 0, 8) "}", "dimension 0 of its shape is -8"},
        {"{\"x\":" T("\"U8\"", "[1,1,1,1,8]", 0, 8) "}", "5 dimensions, but toise reads at most 4"},
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
        {"{\"__metadata__\":[]}", "its __metadata__ is not an object of strings"},
        {"{\"__metadata__\":{\"k\":1}}", "its __metadata__ is not an object of strings"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) refused(faults[i].header, 8, faults[i].words);
}

static void test_prefix(void **state) {
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", folder_write("short.safetensors", "1234567", 7));
    refused_at(path, "7 bytes, too short for the 8 that give a safetensors header's length");
    folder_write("short.safetensors", "\3\0\0\0\0\0\0\0{}", 10);
    refused_at(path, "give a header of 3 bytes, but 2 follow; it was truncated");
    folder_write("short.safetensors", "\377\377\377\377\377\377\377\377{}", 10);
    refused_at(path, "give a header of 18446744073709551615 bytes");
    folder_write("short.safetensors", "version https://git-lfs.github.com/spec/v1\n", 43);
    refused_at(path, "is a Git LFS pointer");
    folder_write("short.safetensors", "\1\341\365\5\0\0\0\0{}", 10); /* 100,000,001, in a sparse file */
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
    assert_int_equal(data_tensors_open(&set, index, &e), BASE_USAGE); /* one shard under two names */
    assert_non_null(strstr(e.text, "./s2.safetensors': tensor 'a': is also in '"));
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
    set = opened(folder); /* before the index, as in transformers */
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
        {"[]", "its text is JSON but not an object"},
        {"{}", "its weight_map is missing, empty"},
        {"{\"weight_map\":[1]}", "its weight_map is missing, empty or not an object"},
        {"{\"weight_map\":{}}", "its weight_map is missing, empty"},
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
    refused_at(folder, "s3.safetensors': cannot be opened: No such file or directory; the index next to it lists it");
    snprintf(shard, sizeof shard, "%s", written("s3.safetensors", "{\"a\":" T("\"U8\"", "[]", 0, 1) "}", 2));
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    assert_int_equal(data_tensors_open(&set, index, &e), BASE_USAGE);
    assert_non_null(strstr(e.text, shard));
    shards_written("{\"weight_map\":{\"a\":\"s3.safetensors\",\"c\":\"s2.safetensors\"}}");
    written("s3.safetensors", "{\"a\":" T("\"U8\"", "[]", 0, 1) "}", 1);
    refused_at(folder, "s2.safetensors': tensor 'a': is also in '");
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
    refused_at(folder, "does not read pickles (pytorch_model.bin), as they can run code: convert them");
    unlink(folder_path);
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json", "any"};
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s", folder_name(names[i]));
        refused_at(path, "cannot be opened: No such file");
        assert_int_equal(symlink("nowhere", path), 0); /* a cache whose blob is missing */
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

/* The file ends at a page's end, so that reading beyond it faults. */
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
    assert_in_range(accepted, 1, tried / 2); /* both outcomes occur */
    int now = dup(0);
    close(now);
    assert_int_equal(now, descriptor);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_files), cmocka_unit_test(test_header),
                                       cmocka_unit_test(test_prefix),   cmocka_unit_test(test_shards),
                                       cmocka_unit_test(test_index),    cmocka_unit_test(test_damage)};
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
