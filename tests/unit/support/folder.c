/* SPDX-License-Identifier: Apache-2.0
 *
 * A test's own folder. */
#include "unit/support/folder.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

char folder[256], folder_path[512];

int folder_make(void **state) {
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/toise-test-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(folder) == NULL;
}

int folder_remove(void **state) {
    (void)state;
    DIR *d = opendir(folder);
    if (!d) return 1;
    for (struct dirent *entry; (entry = readdir(d));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(d), entry->d_name, 0);
    closedir(d);
    return rmdir(folder);
}

const char *folder_name(const char *name) {
    snprintf(folder_path, sizeof folder_path, "%s/%s", folder, name);
    return folder_path;
}

const char *folder_write(const char *name, const void *bytes, size_t n) {
    unlink(folder_name(name)); /* a new file: some file systems flush a file that is truncated and rewritten */
    FILE *f = fopen(folder_path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return folder_path;
}
