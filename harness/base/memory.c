/* SPDX-License-Identifier: Apache-2.0
 *
 * This process's memory, and what the machine has left, as the kernel reports them. */
#include <stdio.h>

#include "base/arena.h"
#include "base/cgroup.h"
#include "base/file.h"

static long long field_bytes(const char *path, const char *key) {
    long long kib = base_file_field_number(path, key);
    return kib < 0 ? -1 : kib * 1024;
}

long long base_memory_resident(void) {
    return field_bytes("/proc/self/status", "VmRSS");
}

long long base_memory_peak(void) {
    return field_bytes("/proc/self/status", "VmHWM");
}

bool base_memory_peak_reset(void) {
    FILE *file = fopen("/proc/self/clear_refs", "we");
    if (file == NULL) return false;
    bool written = fputs("5", file) >= 0; /* 5 resets the peak to the resident size */
    return fclose(file) == 0 && written;
}

long long base_memory_available(void) {
    long long available = field_bytes("/proc/meminfo", "MemAvailable");
    long long room = base_cgroup_memory_room(BASE_CGROUP_MEMBERSHIP, BASE_CGROUP_ROOT);
    if (available < 0 || room < 0) return available < 0 ? room : available;
    return room < available ? room : available;
}
