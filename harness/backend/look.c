/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at a file before it is loaded. The loader's own words for a wrong file mislead: of another machine's library it
 * says "No such file". */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"

/* Bytes read at an offset of the file; -1 with errno: unreadable. */
static long read_at(const char *path, long offset, void *bytes, size_t size) {
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    const size_t got = fseek(file, offset, SEEK_SET) ? 0 : fread(bytes, 1, size, file);
    const bool failed = ferror(file);
    fclose(file);
    return failed ? -1 : (long)got;
}

/* Whether the file ends before a part that the loader maps: reading there would kill the process. Of 64-bit files. */
static bool is_cut(const char *path, const Elf64_Ehdr *head, long long bytes) {
    for (int i = 0; i < head->e_phnum && head->e_ident[EI_CLASS] == ELFCLASS64; i++) {
        Elf64_Phdr part;
        const long at = (long)head->e_phoff + (long)i * head->e_phentsize;
        if (read_at(path, at, &part, sizeof part) < (long)sizeof part) return true;
        if (part.p_type == PT_LOAD && (long long)(part.p_offset + part.p_filesz) > bytes) return true;
    }
    return false;
}

/* What a file is that is no ELF file, and the cure. */
static const char *other_kind(const char *bytes, long size) {
    if (size >= 7 && !memcmp(bytes, "!<arch>", 7)) return "is a static archive; give the shared library (.so)";
    if (size > 0 && !memchr(bytes, 0, (size_t)size))
        return "is text, perhaps a linker script; give the shared library that it names";
    return "is no shared library (not an ELF file)";
}

/* The fields up to e_version stand at the same places in 32-bit and 64-bit files. */
int backend_look(const char *path, long long bytes, struct base_error *e) {
    Elf64_Ehdr file, self;
    const long size = read_at(path, 0, &file, sizeof file);
    if (size < 0) return base_fail(e, BASE_USAGE, "--backend: cannot read %s: %s", path, strerror(errno));
    if (size < (long)sizeof file || memcmp(file.e_ident, ELFMAG, SELFMAG) != 0)
        return base_fail(e, BASE_USAGE, "--backend: %s %s", path, other_kind((const char *)&file, size));
    if (read_at("/proc/self/exe", 0, &self, sizeof self) < (long)sizeof self) return BASE_OK;
    if (file.e_ident[EI_CLASS] != self.e_ident[EI_CLASS] || file.e_ident[EI_DATA] != self.e_ident[EI_DATA] ||
        file.e_machine != self.e_machine)
        return base_fail(
            e, BASE_USAGE,
            "--backend: %s is for another machine (ELF machine %d of %d bits, and toise is %d of %d); take "
            "the build for this CPU",
            path, file.e_machine, 32 * file.e_ident[EI_CLASS], self.e_machine, 32 * self.e_ident[EI_CLASS]);
    if (file.e_type != ET_DYN)
        return base_fail(e, BASE_USAGE, "--backend: %s is %s; give the shared library (.so)", path,
                         file.e_type == ET_REL ? "an object file" : "a program");
    if (is_cut(path, &file, bytes)) return base_fail(e, BASE_USAGE, "--backend: %s is cut short; copy it again", path);
    return BASE_OK;
}
