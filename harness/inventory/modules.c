/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory modules, from the firmware's tables (SMBIOS, DMTF DSP0134: structure type 17, "Memory Device"). Only root may
 * read these; then EDAC tells the number and the type to all, but not the speed. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "inventory/reader.h"

#define TABLES "sys/firmware/dmi/tables/DMI"
#define EDAC "sys/devices/system/edac/mc"

/* What the modules have in common; a mixture has no type and the lowest speed. */
struct modules {
    int slots, filled;
    double bytes;
    long long transfers; /* per microsecond, as configured; 0: unknown */
    char type[32];
    bool mixed;
};

static unsigned word(const uint8_t *s, int length, int at) {
    return at + 2 <= length ? (unsigned)s[at] | (unsigned)s[at + 1] << 8 : 0;
}
static uint32_t wide(const uint8_t *s, int length, int at) {
    return word(s, length, at) | (uint32_t)word(s, length, at + 2) << 16;
}

/* DSP0134, table "Memory Device: Type" */
static const char *type_name(int type) {
    static const char *const names[] = {[0x18] = "DDR3", [0x1a] = "DDR4", [0x1e] = "LPDDR4", [0x20] = "HBM",
                                        [0x21] = "HBM2", [0x22] = "DDR5", [0x23] = "LPDDR5", [0x24] = "HBM3"};
    const int count = sizeof names / sizeof *names;
    return type >= 0 && type < count && names[type] ? names[type] : "";
}

static void add(struct modules *m, const char *type, double bytes) {
    if (m->filled && strcmp(m->type, type) != 0) m->mixed = true;
    m->filled++;
    m->bytes += bytes;
    snprintf(m->type, sizeof m->type, "%s", type);
}

/* Offsets of DSP0134 7.18: size 0Ch, type 12h, speed 15h, extended size 1Ch, configured speed 20h, extended 58h */
static void add_device(struct modules *m, const uint8_t *s, int length) {
    const unsigned size = word(s, length, 0x0c);
    m->slots++;
    if (size == 0 || size == 0xffff) return; /* empty; unknown */
    const double kib = size & 0x8000 ? size & 0x7fff : 1024.0 * size;
    add(m, type_name(length > 0x12 ? s[0x12] : 0),
        size == 0x7fff ? 1048576.0 * (wide(s, length, 0x1c) & 0x7fffffff) : 1024 * kib);
    long long speed = word(s, length, 0x20);
    if (speed == 0xffff) speed = wide(s, length, 0x58);
    if (speed > 0 && (!m->transfers || speed < m->transfers)) m->transfers = speed;
}

/* Walks the structures: type, length and handle, then texts, which end with two NULs. Stops where one is cut off. */
static void read_tables(struct modules *m, const uint8_t *at, size_t left) {
    while (left >= 4 && at[1] >= 4 && at[1] <= left) {
        const size_t length = at[1];
        size_t next = length;
        while (next + 1 < left && (at[next] || at[next + 1])) next++;
        if (at[0] == 17) add_device(m, at, (int)length);
        if (at[0] == 127 || next + 2 > left) return; /* end of the table */
        at += next + 2;
        left -= next + 2;
    }
}

static void read_edac_module(struct inventory_reader *r, const char *name, void *context) {
    struct modules *m = ((void **)context)[0];
    const char *controller = ((void **)context)[1];
    char file[PATH_MAX], type[32];
    snprintf(file, sizeof file, EDAC "/%.32s/%.32s/dimm_mem_type", controller, name);
    if (inventory_line(r, file, type, sizeof type)) return;
    snprintf(file, sizeof file, EDAC "/%.32s/%.32s/size", controller, name);
    const long long mib = inventory_number(r, file);
    const char *dash = strrchr(type, '-'); /* "Registered-DDR5" */
    m->slots++;
    if (mib > 0) add(m, dash ? dash + 1 : type, 1048576.0 * (double)mib);
}

static void read_edac(struct inventory_reader *r, const char *controller, void *context) {
    char folder[PATH_MAX];
    void *both[] = {context, (void *)controller};
    snprintf(folder, sizeof folder, EDAC "/%.32s", controller);
    inventory_list(r, folder, "dimm", read_edac_module, both);
}

static void put(struct inventory_reader *r, const struct modules *m, const char *why) {
    const char *silent = r->virtualised ? "virtual machine does not say" : "firmware does not say";
    inventory_put_count(r, "memory.modules", m->filled, why ? why : silent);
    inventory_put_count(r, "memory.slots", m->slots, why ? why : silent);
    inventory_put(r, "memory.installed_bytes", m->bytes > 0 ? json_integer((json_int_t)m->bytes) : NULL,
                  why ? why : silent);
    inventory_put_text(r, "memory.type", m->mixed ? "" : m->type, m->mixed ? "modules differ" : why ? why : silent);
    inventory_put(r, "memory.transfers_per_s", m->transfers ? json_real(1e6 * (double)m->transfers) : NULL,
                  why ? why : silent);
}

void inventory_modules(struct inventory_reader *r) {
    struct modules m = {0};
    char path[PATH_MAX], first[8], *bytes = NULL;
    size_t size = 0;
    const char *why = inventory_line(r, TABLES, first, sizeof first);
    if (!base_file_read(inventory_path(r, path, TABLES), &bytes, &size, NULL)) {
        why = NULL;
        read_tables(&m, (const uint8_t *)bytes, size);
    } else {
        inventory_list(r, EDAC, "mc", read_edac, &m);
    }
    free(bytes);
    put(r, &m, why);
}
