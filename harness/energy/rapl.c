/* SPDX-License-Identifier: Apache-2.0
 *
 * RAPL by the kernel's powercap: energy_uj of each zone, wrapping at max_energy_range_uj (and one unit, 61 uJ at most).
 * Intel's and AMD's zones have the same driver. A package contains its core and uncore, not its DRAM; psys contains
 * everything. So packages and DRAM are counted, and psys only without them. The same package may be there twice, by MSR
 * and by MMIO: one is used. Since Linux 5.10 only root may read energy_uj (CVE-2020-8694).
 * Source: Linux, Documentation/power/powercap/powercap.rst; Intel SDM 3B, 15.10. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "energy/source.h"

enum { ZONES = 256 };

/* "intel-rapl:0", "intel-rapl:0:1"; not the control type "intel-rapl" itself */
static bool is_zone(const char *name) {
    return strstr(name, "rapl") && strchr(name, ':');
}

static bool begins(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

struct zone {
    const char *entry; /* the folder's name */
    char name[64];
};

/* Reads the zones' names; leaves out MMIO's if there are others. Returns how many. */
static int read_zones(const char *folder, char *const *entries, int count, struct zone *zones) {
    char path[PATH_MAX];
    bool other = false;
    int n = 0;
    for (int i = 0; i < count; i++) other = other || !strstr(entries[i], "mmio");
    for (int i = 0; i < count && n < ZONES; i++) {
        if (other && strstr(entries[i], "mmio")) continue;
        zones[n].entry = entries[i];
        snprintf(path, sizeof path, "%.2000s/%.250s/name", folder, entries[i]);
        if (base_file_line(path, zones[n].name, sizeof zones[n].name)) n++;
    }
    return n;
}

static int add_zone(struct energy_source *s, const char *folder, const struct zone *z, bool packages,
                    struct base_error *e) {
    char range[PATH_MAX];
    struct energy_channel c = {.counted = packages ? begins(z->name, "package") || begins(z->name, "dram")
                                                   : begins(z->name, "psys"),
                               .scale = 1e-6};
    snprintf(c.name, sizeof c.name, "%s", z->name);
    snprintf(c.path, sizeof c.path, "%.160s/%.60s/energy_uj", folder, z->entry);
    snprintf(range, sizeof range, "%.2000s/%.250s/max_energy_range_uj", folder, z->entry);
    return energy_source_add(s, &c, ENERGY_JOULES, 1e-6 * (double)base_file_number(range), e);
}

int energy_rapl_find(struct energy_source *s, const struct energy_options *o, struct base_error *e) {
    char folder[PATH_MAX], **entries;
    struct zone zones[ZONES];
    bool packages = false;
    int code = BASE_OK;
    snprintf(folder, sizeof folder, "%s/sys/class/powercap", o->root);
    const int count = energy_names(folder, is_zone, &entries);
    if (count < 0) {
        energy_source_fault(s, errno == EACCES ? ENERGY_PERMISSION : ENERGY_ABSENT, "%s", folder);
        return BASE_OK;
    }
    const int n = read_zones(folder, entries, count, zones);
    for (int i = 0; i < n; i++) packages = packages || begins(zones[i].name, "package");
    for (int i = 0; i < n && !code; i++) code = add_zone(s, folder, &zones[i], packages, e);
    energy_names_free(entries, count);
    snprintf(s->scope, sizeof s->scope, packages ? "sockets" : "platform");
    return code;
}
