/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder for one test: created before, emptied and removed after (one level). Pass both functions to
 * cmocka_run_group_tests. `folder_path` is the file last named or written. */
#ifndef TOISE_TESTS_FOLDER_H
#define TOISE_TESTS_FOLDER_H

#include <stddef.h>

extern char folder[256], folder_path[512];

int folder_make(void **state);
int folder_remove(void **state);
/* Names a file of the folder; it need not exist. */
const char *folder_name(const char *name);
/* Writes a new file of these n bytes. */
const char *folder_write(const char *name, const void *bytes, size_t n);

#endif
