/* SPDX-License-Identifier: Apache-2.0
 *
 * This process's memory, its huge pages, and what the machine has left, as the kernel reports them. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

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

/* Whether a mapping [low, high) holds an arena, or a part of one. Neighbouring mappings are one to the kernel. */
static bool holds(uintptr_t low, uintptr_t high, const struct base_arena *arenas, int count) {
    for (int i = 0; i < count; i++) {
        const uintptr_t base = (uintptr_t)arenas[i].base;
        if (base && base < high && base + arenas[i].size > low) return true;
    }
    return false;
}

/* Bytes in huge pages of the mappings that hold arenas; -1: unreadable. */
static long long huge_bytes(const struct base_arena *arenas, int count) {
    char line[512];
    unsigned long long low, high;
    long long sum = 0, kib;
    bool ours = false, said = false;
    FILE *file = fopen("/proc/self/smaps", "re");
    if (!file) return -1;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%llx-%llx ", &low, &high) == 2)
            ours = holds((uintptr_t)low, (uintptr_t)high, arenas, count);
        else if (ours && sscanf(line, "AnonHugePages: %lld", &kib) == 1)
            sum += kib * 1024, said = true;
    }
    fclose(file);
    return said ? sum : -1;
}

static void say_why(const struct base_arena *arenas, int count, char *why, int size) {
    char setting[64];
    size_t largest = 0;
    for (int i = 0; i < count; i++) largest = arenas[i].size > largest ? arenas[i].size : largest;
    base_file_line("/sys/kernel/mm/transparent_hugepage/enabled", setting, sizeof setting);
    snprintf(why, (size_t)size, "%s",
             !setting[0]                                          ? "the kernel's setting cannot be read"
             : strstr(setting, "[never]")                         ? "the kernel's setting is \"never\""
             : prctl(PR_GET_THP_DISABLE, 0UL, 0UL, 0UL, 0UL) == 1 ? "this process is denied them (prctl)"
             : largest < BASE_HUGE_PAGE                           ? "no arena is as large as one"
                                                                  : "the kernel had none free");
}

double base_arenas_huge(const struct base_arena *arenas, int count, char *why, int size) {
    const long long huge = huge_bytes(arenas, count);
    double all = 0;
    snprintf(why, (size_t)size, "%s", huge < 0 ? "/proc/self/smaps does not say" : "");
    for (int i = 0; i < count; i++) all += (double)arenas[i].size;
    if (huge < 0 || all <= 0) return NAN;
    if (huge == 0) say_why(arenas, count, why, size);
    return fmin(1, (double)huge / all);
}
