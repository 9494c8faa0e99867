/* SPDX-License-Identifier: Apache-2.0
 *
 * Checksums of a journal's lines, and reading a journal back. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "guard/journal.h"
#include "guard/journal_line.h"
#include "records/hash.h"

enum { DIGITS = 16, END = sizeof ",\"sum\":\"\"}" - 1 + DIGITS }; /* of the sum; of all that stands from its comma on */

static void sum_of(const char *text, size_t size, char digits[RECORD_HASH_TEXT]) {
    record_hash_of(text, size, digits);
    digits[DIGITS] = 0;
}

char *guard_journal_line(const json_t *object, size_t *length) {
    char digits[RECORD_HASH_TEXT];
    char *body = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(17));
    const size_t size = body ? strlen(body) - 1 : 0; /* without its brace */
    char *line = body ? realloc(body, size + END + 2) : NULL;
    if (!line) {
        free(body);
        return NULL;
    }
    sum_of(line, size, digits);
    *length = size + (size_t)snprintf(line + size, END + 2, ",\"sum\":\"%s\"}\n", digits);
    return line;
}

json_t *guard_journal_parse(const char *line, size_t length) {
    char digits[RECORD_HASH_TEXT], end[END + RECORD_HASH_TEXT];
    if (length <= END) return NULL;
    sum_of(line, length - END, digits);
    snprintf(end, sizeof end, ",\"sum\":\"%s\"}", digits);
    if (memcmp(line + length - END, end, END) != 0) return NULL;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    json_object_del(object, "sum");
    return object;
}

/* Reads the lines of bytes[size]. */
static void take(const char *bytes, size_t size, struct guard_journal_text *text) {
    long number = 0, damaged = 0;
    for (size_t at = 0, end; at < size; at = end + 1) {
        const char *newline = memchr(bytes + at, '\n', size - at);
        end = newline ? (size_t)(newline - bytes) : size;
        json_t *object = newline ? guard_journal_parse(bytes + at, end - at) : NULL;
        number++;
        if (!object && !damaged) damaged = number;
        if (!object) continue;
        if (number != (long)json_array_size(text->lines) + 1) {
            json_decref(object);
            text->damaged = damaged;
            return;
        }
        json_array_append_new(text->lines, object);
        text->whole = (long long)end + 1;
    }
    text->torn = (long)((long long)size - text->whole);
}

static int read_lines(const char *path, bool bear, struct guard_journal_text *text, struct base_error *e) {
    char *bytes;
    size_t size;
    int code = base_file_read(path, &bytes, &size, e);
    if (code) return code;
    struct guard_journal_text made = {.lines = json_array()};
    take(bytes, size, &made);
    free(bytes);
    if (made.damaged && (!bear || made.damaged == 1))
        code = base_fail(e, BASE_USAGE,
                         "%s: line %ld is damaged: its checksum differs, and whole lines follow; take another copy of "
                         "the journal",
                         path, made.damaged);
    else if (!json_array_size(made.lines) && size)
        code = base_fail(e, BASE_USAGE, "%s: is not a journal of toise: its first line has no checksum", path);
    if (code) {
        json_decref(made.lines);
        return code;
    }
    *text = made;
    return BASE_OK;
}

int guard_journal_read(const char *path, struct guard_journal_text *text, struct base_error *e) {
    return read_lines(path, false, text, e);
}

int guard_journal_read_damaged(const char *path, struct guard_journal_text *text, struct base_error *e) {
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool written = file >= 0 && flock(file, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
    if (file >= 0) close(file);
    if (written) return base_fail(e, BASE_USAGE, "%s: another process writes this journal: wait for its end", path);
    return read_lines(path, true, text, e);
}
