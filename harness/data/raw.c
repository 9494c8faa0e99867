/* SPDX-License-Identifier: Apache-2.0
 *
 * What speaks against raw tokens. */
#include "data/raw.h"

#include <string.h>

#include "data/text.h"

enum { HEAD = 8192, LEAST = 16 }; /* bytes that are looked at, and without which nothing can be said */
enum { UPPER = 32 };              /* above the upper halves of tokens: no vocabulary has 2 million */

/* The largest of the first tokens, and the largest if their bytes stood the other way round. */
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

/* What the first words look like that are taken for 16-bit tokens; NULL: nothing else. */
static const char *looks_wider(const struct data_map *map, size_t bytes) {
    const unsigned even = largest_word(map, bytes, 0, 2), odd = largest_word(map, bytes, 1, 2);
    if (bytes < LEAST) return NULL;
    if (!even && odd) return "zero, as of tokens in big-endian uint32; write them anew, little-endian";
    if (!odd && even)
        return largest_word(map, bytes, 2, 4) ? "zero, as of tokens in uint32; say --data-format uint32"
                                              : "zero, as of tokens in uint64; say --data-format uint64";
    if (odd >= UPPER || even < UPPER) return NULL;
    return largest_word(map, bytes, 2, 4) ? "below 32, as of tokens in uint32; say --data-format uint32"
                                          : "below 32, as of tokens in uint64; say --data-format uint64";
}

/* A name is all that says it: two other things are found under it. */
static int name_check(const struct data_file *f, const struct data_options *o, size_t head, struct base_error *e) {
    if (f->map.size >= LEAST && data_text_looks(&f->map))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': its name is that of tokens, but it looks like text; say --data-format text, "
                         "or nanogpt if it holds 16-bit tokens all the same",
                         o->path);
    if (f->map.size >= LEAST && !largest_word(&f->map, head, 0, 1))
        return base_fail(e, BASE_USAGE,
                         "data file '%s': its first %zu bytes are zeros, as of a file that was made and never filled; "
                         "say --data-format nanogpt if they are tokens",
                         o->path, head);
    const char *wider = looks_wider(&f->map, head);
    if (!wider) return BASE_OK;
    return base_fail(e, BASE_USAGE,
                     "data file '%s': every other 16 bits are %s, or nanogpt if they have 16 bits all the same",
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
                         "have 32 say --data-format uint32, else give a model of that vocabulary",
                         o->path, title, (long long)o->vocab);
    if (f->map.size % (size_t)width)
        return base_fail(e, BASE_USAGE,
                         "data file '%s': %zu bytes is %s, but each of its %s takes %d; it was cut, or has another "
                         "format (%s)",
                         o->path, f->map.size, width == 2 ? "odd" : "no multiple of that", title, width, DATA_FORMATS);
    largest(f, head, &most, &swapped);
    if (f->map.size >= LEAST && most >= (uint64_t)o->vocab && swapped < (uint64_t)o->vocab)
        return base_fail(e, BASE_USAGE,
                         "data file '%s' (%s): big-endian, as its tokens are in the vocabulary only with their bytes "
                         "reversed; write them anew, little-endian",
                         o->path, title);
    return stated ? BASE_OK : name_check(f, o, head, e);
}
