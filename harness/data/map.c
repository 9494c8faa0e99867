/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens, checks and maps. A file that is truncated while it is mapped ends the process (SIGBUS). */
#include "data/map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_NONBLOCK and O_NOCTTY: a FIFO without a writer or a terminal must not block or take over. */
static int plain_open(const char *path, const char *fix, int *fd, size_t *size, struct base_error *e) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (file < 0) return base_fail(e, BASE_USAGE, "file '%s': cannot be opened: %s; %s", path, strerror(errno), fix);
    struct stat s;
    const char *kind = fstat(file, &s)       ? "cannot be examined"
                       : S_ISDIR(s.st_mode)  ? "is a folder"
                       : !S_ISREG(s.st_mode) ? "is not a plain file"
                       : s.st_size == 0      ? "is empty"
                                             : NULL;
    if (kind) {
        close(file);
        return base_fail(e, BASE_USAGE, "file '%s': %s; %s", path, kind, fix);
    }
    *fd = file;
    *size = (size_t)s.st_size;
    return BASE_OK;
}

int data_map_open(struct data_map *map, const char *path, const char *fix, struct base_error *e) {
    int fd = -1;
    size_t size = 0;
    int code = plain_open(path, fix, &fd, &size, e);
    if (code) return code;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    int why = errno;
    close(fd);
    if (bytes == MAP_FAILED)
        return base_fail(e, BASE_USAGE, "file '%s': its %zu bytes cannot be mapped: %s; copy it to a local disk", path,
                         size, strerror(why));
    *map = (struct data_map){.bytes = bytes, .size = size};
    return BASE_OK;
}

void data_map_close(struct data_map *map) {
    if (map->bytes) munmap(map->bytes, map->size);
    *map = (struct data_map){0};
}
