/* SPDX-License-Identifier: Apache-2.0
 *
 * The signs that a file is not raw tokens of the given width. */
#include "data/raw.h"

#include <string.h>

#include "data/text.h"

enum { HEAD = 8192, LEAST = 16 }; /* bytes that are checked, and the least that says anything */
enum { UPPER = 32 };              /* exceeds the upper half of any token: no vocabulary has 2 million */

/* The largest of the first tokens, as they are and with their bytes swapped. */
static void largest(const struct data_file *f, size_t bytes, uint64_t *as_is, uint64_t *swapped) {
    const unsigned char *b = f->map.bytes;
    *as_is = *swapped = 0;
    for (size_t at = 0; at + (size_t)f->width <= bytes; at += (size_t)f->width) {
        uint64_t little = 0, big = 0;
        for (int i = 0; i < f->width; i++) {
            little |= (uint64_t)b[at + (size_t)i] << 8 * i;
            big = big << 8 | b[at + (size_t)i];
        }
        *as_is = little > *as_is ? little : *as_is;
        *swapped = big > *swapped ? big : *swapped;
    }
}

/* The largest of the 16-bit words i with i % every == from. */
static unsigned largest_word(const struct data_map *map, size_t bytes, size_t from, size_t every) {
    const unsigned char *b = map->bytes;
    unsigned most = 0;
    for (size_t at = 2 * from; at + 2 <= bytes; at += 2 * every) {
        const unsigned word = b[at] | (unsigned)b[at + 1] << 8;
        most = word > most ? word : most;
    }
    return most;
}

/* What the first words look like if they are not 16-bit tokens. NULL: they may be. */
static const char *looks_wider(const struct data_map *map, size_t bytes) {
    const unsigned even = largest_word(map, bytes, 0, 2), odd = largest_word(map, bytes, 1, 2);
    if (bytes < LEAST) return NULL;
    if (!even && odd) return "zero, as in big-endian uint32 tokens; write them again as little-endian";
    if (!odd && even)
        return largest_word(map, bytes, 2, 4) ? "zero, as in uint32 tokens; give --data-format uint32"
                                              : "zero, as in uint64 tokens; give --data-format uint64";
    if (odd >= UPPER || even < UPPER) return NULL;
    return largest_word(map, bytes, 2, 4) ? "below 32, as in uint32 tokens; give --data-format uint32"
                                          : "below 32, as in uint64 tokens; give --data-format uint64";
}

/* Only the name says that these are tokens, so check for text and for wider tokens. */
static int name_check(const struct data_file *f, const struct data_options *o, size_t head, struct base_error *e) {
    if (f->map.size >= LEAST && data_text_looks(&f->map))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': has a name of token files, but looks like text; give --data-format text, "
                         "or nanogpt if it does hold 16-bit tokens",
                         o->path);
    if (f->map.size >= LEAST && !largest_word(&f->map, head, 0, 1))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': its first %zu bytes are zeros, as if it was created but never filled; "
                         "give --data-format nanogpt if they are tokens",
                         o->path, head);
    const char *wider = looks_wider(&f->map, head);
    if (!wider) return BASE_OK;
    return base_fail(e, BASE_USAGE, "data file '%s': every other 16 bits are %s, or nanogpt if they do have 16 bits",
                     o->path, wider);
}

int data_raw_read(struct data_file *f, const struct data_options *o, int width, const char *title, bool stated,
                  struct base_error *e) {
    const size_t head = f->map.size < HEAD ? f->map.size : HEAD;
    uint64_t most, swapped;
    f->tokens = f->map.bytes;
    f->count = (int64_t)f->map.size / width;
    f->width = width;
    f->title = title;
    if (width == 2 && o->vocab > UINT16_MAX + 1)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': %s have 16 bits, too few for the model's vocabulary of %lld; if its tokens "
                         "have 32 give --data-format uint32, else a model with a smaller vocabulary",
                         o->path, title, (long long)o->vocab);
    if (f->map.size % (size_t)width)
        return base_fail(
            e, BASE_USAGE,
            "data file '%s': %zu bytes is %s, but each of its %s takes %d; it was truncated, or has another "
            "format (%s)",
            o->path, f->map.size, width == 2 ? "odd" : "not a multiple of that", title, width, DATA_FORMATS);
    largest(f, head, &most, &swapped);
    if (f->map.size >= LEAST && most >= (uint64_t)o->vocab && swapped < (uint64_t)o->vocab)
        return base_fail(e, BASE_USAGE,
                         "data file '%s' (%s): big-endian: its tokens are in the vocabulary only with their bytes "
                         "reversed; write them again as little-endian",
                         o->path, title);
    return stated ? BASE_OK : name_check(f, o, head, e);
}
