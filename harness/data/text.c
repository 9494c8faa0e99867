/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks text: 64 bytes at a time while they are ASCII, else character by character. */
#include "data/text.h"

#include <string.h>

enum { HEAD = 4096, BLOCK = 64 };

static inline bool is_control(uint8_t c) {
    return (c < 0x20 && (uint8_t)(c - 7) > 6 && c != 0x1b) || c == 0x7f;
}

static bool block_is_ascii(const uint8_t *b) {
    int bad = 0;
    for (int i = 0; i < BLOCK; i++) bad |= (b[i] >= 0x80) | is_control(b[i]);
    return !bad;
}

static bool is_rest(uint8_t c) {
    return (c & 0xc0) == 0x80;
}

/* Bytes of the non-ASCII character at b[0..n); 0: invalid. Table 3-7 of the Unicode Standard. */
static size_t utf8_length(const uint8_t *b, size_t n) {
    const uint8_t c = b[0];
    const size_t length = c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (!length || length > n) return 0;
    const uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (b[1] < low || b[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if (!is_rest(b[i])) return 0;
    return length;
}

/* The first byte in first .. end-1 of b[size] that is not text; `end`: none. A character belongs to the share that has
 * its first byte. */
static size_t bad_byte(const uint8_t *b, size_t size, size_t first, size_t end, bool stated) {
    size_t at = first;
    while (!stated && at > 0 && first - at < 3 && is_rest(b[at])) at--; /* rest of a character of the share before */
    while (at < end) {
        if (end - at >= BLOCK && block_is_ascii(b + at)) {
            at += BLOCK;
        } else if (b[at] < 0x80 || stated) {
            if (is_control(b[at])) return at;
            at++;
        } else {
            const size_t length = utf8_length(b + at, size - at);
            if (!length) return at;
            at += length;
        }
    }
    return end;
}

bool data_text_looks(const struct data_map *map) {
    const size_t end = map->size < HEAD ? map->size : HEAD;
    return bad_byte(map->bytes, map->size, 0, end, false) == end;
}

/* The encoding of a byte-order mark. NULL: no mark, or UTF-8's. */
static const char *wide_encoding(const struct data_map *map) {
    static const struct {
        const char *mark;
        size_t count;
        const char *name;
    } marks[] = {{"\xff\xfe\0\0", 4, "UTF-32"},
                 {"\0\0\xfe\xff", 4, "UTF-32"},
                 {"\xff\xfe", 2, "UTF-16"},
                 {"\xfe\xff", 2, "UTF-16"}};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (map->size >= marks[i].count && !memcmp(map->bytes, marks[i].mark, marks[i].count)) return marks[i].name;
    return NULL;
}

void data_text_read(struct data_file *f, bool stated) {
    f->is_text = true;
    f->stated = stated;
    f->tokens = f->map.bytes;
    f->count = (int64_t)f->map.size;
    f->width = 1;
    f->title = "bytes of text";
}

int data_text_check(const struct data_file *f, const struct data_options *o, struct base_error *e) {
    const uint8_t *b = f->map.bytes;
    int64_t first, end;
    const char *wide = wide_encoding(&f->map);
    if (wide)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': is %s text by its byte-order mark, but a byte is a token here; convert it to "
                         "UTF-8 (iconv -t UTF-8)",
                         o->path, wide);
    data_file_share(o, f->count, &first, &end);
    const size_t bad = bad_byte(b, f->map.size, (size_t)first, (size_t)end, f->stated);
    if (bad == (size_t)end) return BASE_OK;
    const bool control = is_control(b[bad]);
    return base_fail(e, BASE_USAGE, "data file '%s': byte %zu is 0x%02x, %s, so it is not text; %s (%s)%s", o->path,
                     bad, b[bad], control ? "a control character" : "not UTF-8",
                     f->stated ? "remove it, or give the right format" : "if it holds tokens give their --data-format",
                     DATA_FORMATS, control ? "" : "; if it is text in another encoding give text");
}
