/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 (FIPS 180-4), to name records and files by what they hold; sha256sum gives the same digits. */
#ifndef TOISE_RECORDS_HASH_H
#define TOISE_RECORDS_HASH_H

#include <stddef.h>
#include <stdint.h>

enum { RECORD_HASH_TEXT = 65 }; /* 64 hexadecimal digits and a NUL */

struct record_hash {
    uint32_t state[8];
    uint64_t bytes;          /* added so far */
    unsigned char block[64]; /* those that do not fill a block yet */
};

void record_hash_open(struct record_hash *hash);
void record_hash_add(struct record_hash *hash, const void *bytes, size_t size);
/* Writes the digits of all bytes added. The hash cannot be added to afterwards. */
void record_hash_close(struct record_hash *hash, char text[RECORD_HASH_TEXT]);
/* All three for bytes in memory. */
void record_hash_of(const void *bytes, size_t size, char text[RECORD_HASH_TEXT]);

#endif
