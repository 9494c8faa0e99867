/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the note with the build ID among the program's headers in memory. */
#define _GNU_SOURCE
#include "inventory/build.h"

#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

static size_t padded(size_t size) {
    return (size + 3) / 4 * 4;
}

/* Notes follow each other: a header, a name, a value, each filled up to 4 bytes (elf(5)). */
static void search(const unsigned char *at, size_t size, char *text) {
    while (size >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) note;
        memcpy(&note, at, sizeof note);
        const size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
        if (whole > size) return;
        const unsigned char *name = at + sizeof note, *value = name + padded(note.n_namesz);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && !memcmp(name, "GNU", 4))
            for (size_t i = 0; i < note.n_descsz && 2 * i + 2 < INVENTORY_BUILD_TEXT; i++)
                snprintf(text + 2 * i, 3, "%02x", value[i]);
        at += whole;
        size -= whole;
    }
}

/* The program is the first that dl_iterate_phdr names. */
static int on_object(struct dl_phdr_info *object, size_t size, void *text) {
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE)
            search((const unsigned char *)object->dlpi_addr + segment->p_vaddr, segment->p_memsz, text);
    }
    return 1;
}

void inventory_build_id(char text[INVENTORY_BUILD_TEXT]) {
    text[0] = '\0';
    dl_iterate_phdr(on_object, text);
}
