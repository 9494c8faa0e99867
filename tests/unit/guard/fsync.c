/* SPDX-License-Identifier: Apache-2.0
 *
 * An fsync for LD_PRELOAD, of files that end in ".journal" alone, or in FSYNC_OF. FSYNC_DELAY_MS makes it slow, like a
 * far folder.
 * FSYNC_LOG names a file that gets the bytes which each successful sync has made safe, one number a line. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fsync(int file) {
    int (*real)(int);
    char link[64], name[4096], line[32];
    struct stat before = {0};
    *(void **)&real = dlsym(RTLD_NEXT, "fsync");
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t length = readlink(link, name, sizeof name - 1);
    static const char usual[] = ".journal";
    const char *delay = getenv("FSYNC_DELAY_MS"), *log = getenv("FSYNC_LOG"), *of = getenv("FSYNC_OF");
    name[length > 0 ? length : 0] = 0;
    const size_t end = strlen(of ? of : usual);
    if (length < (ssize_t)end || strcmp(name + length - end, of ? of : usual) != 0) return real(file);
    fstat(file, &before);
    if (delay) usleep(1000 * (unsigned)atoi(delay));
    const int code = real(file), to = code || !log ? -1 : open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (to >= 0) {
        snprintf(line, sizeof line, "%lld\n", (long long)before.st_size);
        if (write(to, line, strlen(line)) < 0) _exit(99);
        close(to);
    }
    return code;
}
