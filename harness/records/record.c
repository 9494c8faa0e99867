/* SPDX-License-Identifier: Apache-2.0
 *
 * A record is one line, written by one write() under a lock and synced. The text after the last newline may be a whole
 * record, which is then kept. It may be the torn start of a record, which never counted and is cut off. Anything else
 * is refused. */
#define _GNU_SOURCE
#include "records/record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "records/lines.h"
#include "records/set.h"

/* How a file will be written. */
struct intent {
    const char *path, *flag;
    bool appended; /* else replaced */
};

static int refuse(const struct intent *q, const char *where, int why, struct base_error *e) {
    const char *cause = why == EROFS                    ? "the file system is read-only: "
                        : why == EACCES || why == EPERM ? "make it writable, or "
                        : why == ENOTDIR                ? "part of the path is a file: "
                                                        : "";
    return base_fail(e, BASE_USAGE, "%s: cannot %s: %s: %s: %schoose another path with %s", q->path,
                     q->appended ? "write records" : "be written", where, strerror(why), cause, q->flag);
}

/* For a file that does not exist */
static int check_place(const struct intent *q, struct base_error *e) {
    char above[PATH_MAX];
    struct stat link;
    /* a file that is replaced replaces the link */
    if (q->appended && !lstat(q->path, &link) && S_ISLNK(link.st_mode))
        return refuse(q, "the link's target", ENOENT, e);
    return base_file_could_be_made(q->path, above) ? BASE_OK : refuse(q, above, errno, e);
}

/* What a file holds, by its first line. A record can follow all but OTHER. */
enum contents { NOTHING, TORN, RECORDS, OTHER };
static enum contents records_in(const char *path) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t capacity = 0;
    const int mark = file ? ungetc(getc(file), file) : EOF; /* a file of anything may have no line's end */
    const ssize_t length = mark == '{' ? getline(&line, &capacity, file) : 0;
    json_t *first = length > 0 ? json_loadb(line, (size_t)length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const char *schema = json_string_value(json_object_get(first, "schema"));
    const bool empty = file && mark == EOF && !ferror(file);
    const bool torn = !first && length > 0 && line[length - 1] != '\n';
    const bool records = schema && !strncmp(schema, "toise/", 6);
    json_decref(first);
    free(line);
    if (file) fclose(file);
    return records ? RECORDS : empty ? NOTHING : torn ? TORN : OTHER;
}

static int check(const struct intent *q, struct base_error *e) {
    const char *path = q->path;
    if (path == NULL) return BASE_OK;
    size_t length = strlen(path);
    if (length == 0) return base_fail(e, BASE_USAGE, "%s: empty file name: name the file to write", q->flag);
    if (length >= PATH_MAX)
        return base_fail(e, BASE_USAGE, "%s: the file name is too long (%zu bytes)", q->flag, length);
    struct stat found;
    bool exists = stat(path, &found) == 0;
    if (!exists && (errno == ENAMETOOLONG || errno == ELOOP)) return refuse(q, "the file", errno, e);
    if (path[length - 1] == '/' || (exists && S_ISDIR(found.st_mode)))
        return base_fail(e, BASE_USAGE, "%s: is a folder: give %s a file in it", path, q->flag);
    if (exists && !S_ISREG(found.st_mode))
        return base_fail(e, BASE_USAGE, "%s: is not a plain file: %s takes plain files only", path, q->flag);
    /* do not try the file itself: removing it afterwards could remove another process's first record */
    if (!exists) return check_place(q, e);
    if (!q->appended && !lstat(path, &found) && S_ISLNK(found.st_mode))
        return base_fail(e, BASE_USAGE, "%s: is a link, which would be replaced: give %s the file itself", path,
                         q->flag);
    if (!q->appended && records_in(path) == RECORDS)
        return base_fail(e, BASE_USAGE, "%s: holds records, which would be lost: choose another path with %s", path,
                         q->flag);
    int file = open(path, O_RDWR | O_APPEND | O_CLOEXEC); /* as record_append opens it */
    if (file < 0) return refuse(q, "the file", errno, e);
    close(file);
    if (!q->appended || records_in(path) != OTHER) return BASE_OK;
    return base_fail(e, BASE_USAGE, "%s: does not hold records: choose another path with --out", path);
}

int record_check(const char *path, struct base_error *e) {
    return check(&(struct intent){path, "--out", .appended = true}, e);
}

int record_check_anew(const char *path, const char *flag, struct base_error *e) {
    return check(&(struct intent){path, flag, .appended = false}, e);
}

static bool is_object(const char *line, size_t length) {
    json_t *value = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    bool object = json_is_object(value);
    json_decref(value);
    return object;
}

/* Offset of the unfinished last line; `size` if the file is empty or ends in a newline; -1: read error. */
static off_t tail_start(int file, off_t size) {
    char block[4096];
    for (off_t end = size; end > 0;) {
        off_t start = end > (off_t)sizeof block ? end - (off_t)sizeof block : 0;
        ssize_t got = pread(file, block, (size_t)(end - start), start);
        if (got != end - start) return -1;
        char *newline = memrchr(block, '\n', (size_t)got);
        if (newline != NULL) return start + (newline - block) + 1;
        end = start;
    }
    return 0;
}

/* Repairs an unfinished last line. *size is then where the next line goes. False with errno: failed. */
static bool repair_tail(int file, off_t *size) {
    off_t start = tail_start(file, *size);
    if (start < 0) return false;
    if (start == *size) return true;
    size_t length = (size_t)(*size - start);
    char *tail = malloc(length);
    if (tail == NULL) return false;
    bool read = pread(file, tail, length, start) == (ssize_t)length, whole = read && is_object(tail, length);
    bool ours = read && tail[0] == '{';
    free(tail);
    if (read && !ours) errno = EBADMSG;
    if (!ours) return false;
    if (!whole) {
        *size = start;
        return ftruncate(file, start) == 0;
    }
    if (write(file, "\n", 1) != 1) return false;
    *size += 1;
    return true;
}

/* Some file systems have no locks (Lustre mounted without, some NFS). O_APPEND alone then keeps lines apart. */
static bool lock(int file) {
    while (flock(file, LOCK_EX) != 0) {
        if (errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK) return true;
        if (errno != EINTR) return false;
    }
    return true;
}

static bool append_line(int file, const char *line, size_t length, off_t size) {
    size_t done = 0;
    while (done < length) {
        ssize_t written = write(file, line + done, length - done); /* short only if the disk is full */
        if (written > 0) done += (size_t)written;
        if (written < 0 && errno != EINTR) break;
    }
    if (done == length && fsync(file) == 0) return true;
    int why = errno;
    if (ftruncate(file, size) == 0) fsync(file);
    errno = why;
    return false;
}

int record_append(const char *path, const json_t *record, struct base_error *e) {
    char above[PATH_MAX];
    if (path == NULL) return BASE_OK;
    char *line = json_dumps(record, JSON_COMPACT);
    if (line == NULL) return base_fail(e, BASE_BROKEN, "%s: the record cannot be written as JSON", path);
    size_t length = strlen(line);
    line[length++] = '\n'; /* replaces the NUL: from here on `line` is not a string */
    int file = base_file_parents(path, above) ? open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    struct stat found;
    bool done = file >= 0 && lock(file) && fstat(file, &found) == 0 && repair_tail(file, &found.st_size) &&
                append_line(file, line, length, found.st_size);
    int why = errno;
    if (file >= 0) close(file);
    free(line);
    if (done) return BASE_OK;
    return base_fail(e, BASE_BROKEN, "%s: record not written: %s", path, strerror(why));
}

/* The one place that knows which schemas and statuses this version reads. */
static int check_head(const struct record_line *line) {
    const char *schema = json_string_value(json_object_get(line->record, "schema"));
    if (!schema) return record_refuse(line, "schema", "must be \"" RECORD_SCHEMA "\"");
    /* "toise/1" or "toise/1.x": a minor version only adds keys */
    const size_t length = strlen(RECORD_SCHEMA);
    if (strncmp(schema, RECORD_SCHEMA, length) != 0 || (schema[length] && schema[length] != '.')) {
        char why[160];
        snprintf(why, sizeof why, "must be \"" RECORD_SCHEMA "\", not \"%.32s\": read it with the toise that wrote it",
                 schema);
        return record_refuse(line, "schema", why);
    }
    const json_t *status = json_object_get(line->record, "status");
    enum record_status known;
    if (!status || (json_is_string(status) && record_status_of(json_string_value(status), &known))) return BASE_OK;
    return record_refuse(line, "status", "must be PASSED, FAILED, INCONCLUSIVE, BROKEN or UNVERIFIED");
}

/* One line: to `each` if it is a record. Only the last line can be torn; `whole`: it must not be. */
static int take_line(const struct record_lines *l, int (*each)(void *context, const struct record_line *line),
                     void *context, bool whole, struct base_error *e) {
    json_error_t why = {.text = "not an object", .column = 1};
    json_t *record = json_loadb(l->text, l->length, JSON_REJECT_DUPLICATES, &why);
    const struct record_line at = {record, l->path, l->number, l->text, l->length, e};
    const bool torn = !whole && !record && l->text[0] == '{' && !l->whole;
    int code = BASE_OK;
    if (json_is_object(record)) {
        code = check_head(&at);
        if (!code) code = each(context, &at);
    } else if (!torn) {
        code = base_fail(e, BASE_USAGE, "%s: line %ld is not a record: %s (column %d): repair or remove the line",
                         l->path, l->number, record ? "not an object" : why.text, why.column);
    }
    json_decref(record);
    return code;
}

static int read_lines(const char *path, int (*each)(void *context, const struct record_line *line), void *context,
                      struct record_skipped *skipped, bool whole, struct base_error *e) {
    struct base_error why = {0}, *told = skipped ? &why : e;
    struct record_lines l;
    int code = record_lines_open(&l, path, "a file of records", e);
    for (bool more = !code; more;) {
        code = record_lines_next(&l, &more, told);
        if (!code && more) code = take_line(&l, each, context, whole, told);
        if (code == BASE_USAGE && skipped && more) {
            if (!skipped->lines++) snprintf(skipped->first, sizeof skipped->first, "%s", why.text);
            code = BASE_OK;
        }
        if (code && skipped) base_fail(e, code, "%s", why.text);
        if (code) break;
    }
    record_lines_close(&l);
    return code;
}

int record_read(const char *path, int (*each)(void *context, const struct record_line *line), void *context,
                struct base_error *e) {
    return read_lines(path, each, context, NULL, false, e);
}

int record_read_whole(const char *path, int (*each)(void *context, const struct record_line *line), void *context,
                      struct record_skipped *skipped, struct base_error *e) {
    return read_lines(path, each, context, skipped, true, e);
}

int record_json_load(const char *path, json_t **value, struct base_error *e) {
    json_error_t why;
    FILE *file = record_open_plain(path, "a JSON file", e);
    if (file == NULL) return BASE_USAGE;
    const bool readable = record_skip_mark(file);
    json_t *loaded = readable ? json_loadf(file, JSON_REJECT_DUPLICATES, &why) : NULL;
    fclose(file);
    if (!readable) return base_fail(e, BASE_USAGE, "%s: is UTF-16: save it as UTF-8, as JSON requires", path);
    if (loaded == NULL)
        return base_fail(e, BASE_USAGE, "%s: line %d, column %d: not JSON: %s", path, why.line, why.column, why.text);
    *value = loaded;
    return BASE_OK;
}
