/* SPDX-License-Identifier: Apache-2.0
 *
 * .safetensors files made by tests from a header and bytes, then opened or refused with a message. Include after
 * cmocka.h. */
#ifndef TOISE_TESTS_TENSOR_FILE_H
#define TOISE_TESTS_TENSOR_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "data/safetensors.h"
#include "unit/support/folder.h"

#define TEST_UNUSED __attribute__((unused))

/* The file: the header preceded by its length, then `size` bytes of data, 1, 2, 3, ... */
TEST_UNUSED static size_t assembled(unsigned char *bytes, const char *header, size_t size) {
    uint64_t n = strlen(header);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n);
    for (size_t i = 0; i < size; i++) bytes[8 + n + i] = (unsigned char)(i + 1);
    return 8 + n + size;
}

TEST_UNUSED static const char *written(const char *name, const char *header, size_t size) {
    unsigned char bytes[4096];
    return folder_write(name, bytes, assembled(bytes, header, size));
}

/* Opening `path` fails with these words, on one line. */
TEST_UNUSED static void refused_at(const char *path, const char *words) {
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    assert_int_equal(data_tensors_open(&set, path, &e), BASE_USAGE);
    assert_int_equal(e.code, BASE_USAGE);
    assert_null(set);
    if (!strstr(e.text, path) || !strstr(e.text, words) || strchr(e.text, '\n'))
        fail_msg("'%s' lacks '%s' or '%s'", e.text, path, words);
    assert_int_equal(data_tensors_open(&set, path, NULL), BASE_USAGE);
}

TEST_UNUSED static void refused(const char *header, size_t size, const char *words) {
    char path[512];
    snprintf(path, sizeof path, "%s", written("bad.safetensors", header, size));
    refused_at(path, words);
}

TEST_UNUSED static struct data_tensors *opened(const char *path) {
    struct data_tensors *set = NULL;
    struct base_error e = {0};
    if (data_tensors_open(&set, path, &e)) fail_msg("%s", e.text);
    return set;
}

#endif
