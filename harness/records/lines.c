/* SPDX-License-Identifier: Apache-2.0
 *
 * Cuts a file into lines, block by block. */
#include "records/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

FILE *record_open_plain(const char *path, const char *wanted, struct base_error *e) {
    struct stat found;
    const bool there = stat(path, &found) == 0;
    FILE *file = NULL;
    if (there && S_ISDIR(found.st_mode))
        base_fail(e, BASE_USAGE, "%s: is a folder: give %s", path, wanted);
    else if (there && !S_ISREG(found.st_mode))
        base_fail(e, BASE_USAGE, "%s: is not a plain file: give %s", path, wanted);
    else if ((file = fopen(path, "re")) == NULL)
        base_fail(e, BASE_USAGE, "%s: cannot read: %s: give %s", path, strerror(errno), wanted);
    return file;
}

bool record_skip_mark(FILE *file) {
    unsigned char mark[3] = {0};
    const size_t n = fread(mark, 1, sizeof mark, file);
    const bool utf8 = n == 3 && mark[0] == 0xef && mark[1] == 0xbb && mark[2] == 0xbf;
    const bool utf16 = n >= 2 && mark[0] + mark[1] == 0xff + 0xfe && (mark[0] == 0xff || mark[0] == 0xfe);
    if (!utf8) rewind(file);
    return !utf16;
}

int record_lines_open(struct record_lines *l, const char *path, const char *wanted, struct base_error *e) {
    static const unsigned char mark[] = {0xef, 0xbb, 0xbf};
    l->path = path, l->text = NULL, l->number = 0;
    l->length = l->room = l->at = l->filled = 0;
    record_hash_open(&l->hash);
    l->file = record_open_plain(path, wanted, e);
    if (!l->file) return BASE_USAGE;
    if (!record_skip_mark(l->file)) return base_fail(e, BASE_USAGE, "%s: is UTF-16: save it as UTF-8", path);
    if (ftell(l->file) > 0) record_hash_add(&l->hash, mark, sizeof mark);
    return BASE_OK;
}

void record_lines_close(struct record_lines *l) {
    if (l->file) fclose(l->file);
    free(l->text);
    l->file = NULL, l->text = NULL;
}

static bool fill(struct record_lines *l) {
    if (l->at < l->filled) return true;
    l->at = 0;
    l->filled = fread(l->block, 1, sizeof l->block, l->file);
    record_hash_add(&l->hash, l->block, l->filled);
    return l->filled > 0;
}

/* Adds bytes to the line, unless it is too long already. False: out of memory. */
static bool keep(struct record_lines *l, const char *bytes, size_t size) {
    const size_t need = l->length + size + 1;
    if (l->length <= RECORD_LINE_MOST && need > l->room) {
        const size_t room = need > 2 * l->room ? need : 2 * l->room;
        char *text = realloc(l->text, room);
        if (!text) return false;
        l->text = text, l->room = room;
    }
    if (l->length <= RECORD_LINE_MOST) memcpy(l->text + l->length, bytes, size);
    l->length += size;
    return true;
}

int record_lines_next(struct record_lines *l, bool *more, struct base_error *e) {
    l->length = 0, l->whole = false;
    errno = 0;
    *more = fill(l);
    if (*more) l->number++;
    while (!l->whole && fill(l)) {
        const char *from = l->block + l->at, *end = memchr(from, '\n', l->filled - l->at);
        const size_t size = end ? (size_t)(end - from) : l->filled - l->at;
        if (!keep(l, from, size))
            return base_fail(e, BASE_BROKEN, "%s: out of memory for line %ld", l->path, l->number);
        l->whole = end != NULL;
        l->at += size + l->whole;
    }
    if (ferror(l->file)) return base_fail(e, BASE_USAGE, "%s: cannot read: %s", l->path, strerror(errno));
    if (!*more) return BASE_OK;
    if (l->length > RECORD_LINE_MOST)
        return base_fail(e, BASE_USAGE, "%s: line %ld is longer than %d MiB: repair or remove the line", l->path,
                         l->number, RECORD_LINE_MOST >> 20);
    l->length -= l->whole && l->length && l->text[l->length - 1] == '\r';
    l->text[l->length] = 0;
    return BASE_OK;
}
