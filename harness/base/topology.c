/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers and virtual machines hide parts of the topology. What cannot be read is 0 or "", and that is no error. */
#include "base/topology.h"

#include <hwloc.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/file.h"
#include "base/text.h"
#include "base/threads.h"

static int count(hwloc_topology_t h, hwloc_obj_type_t type) {
    int n = hwloc_get_nbobjs_by_type(h, type);
    return n > 0 ? n : 0;
}

/* Reads the first cache of this type: its size and the hardware threads that share it. All caches of a type are taken
 * to be equal. */
static void read_cache(hwloc_topology_t h, hwloc_obj_type_t type, long long *bytes, int *cpus) {
    hwloc_obj_t cache = hwloc_get_obj_by_type(h, type, 0);
    if (cache == NULL || cache->attr == NULL) return;
    *bytes = (long long)cache->attr->cache.size;
    if (cache->cpuset != NULL) *cpus = hwloc_bitmap_weight(cache->cpuset);
}

/* hwloc takes another root by its environment alone. CPUID would describe the CPU that this runs on. */
static int load(hwloc_topology_t h, const char *root) {
    if (root[0]) hwloc_topology_set_components(h, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
    if (root[0]) setenv("HWLOC_FSROOT", root, 1);
    const int code = hwloc_topology_load(h);
    if (root[0]) unsetenv("HWLOC_FSROOT");
    return code;
}

static void read_shape(const char *root, struct base_topology *t) {
    hwloc_topology_t h;
    if (hwloc_topology_init(&h) != 0) return;
    /* report the whole machine, including what this job may not use */
    hwloc_topology_set_flags(h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (load(h, root) == 0) {
        t->sockets = count(h, HWLOC_OBJ_PACKAGE);
        t->numa_nodes = count(h, HWLOC_OBJ_NUMANODE);
        t->cores = count(h, HWLOC_OBJ_CORE);
        t->cpus = count(h, HWLOC_OBJ_PU);
        read_cache(h, HWLOC_OBJ_L1CACHE, &t->l1d_bytes, &t->l1d_cpus);
        read_cache(h, HWLOC_OBJ_L2CACHE, &t->l2_bytes, &t->l2_cpus);
        read_cache(h, HWLOC_OBJ_L3CACHE, &t->l3_bytes, &t->l3_cpus);
        t->memory_bytes = (long long)hwloc_get_root_obj(h)->total_memory;
        hwloc_obj_t package = hwloc_get_obj_by_type(h, HWLOC_OBJ_PACKAGE, 0);
        const char *model = package ? hwloc_obj_get_info_by_name(package, "CPUModel") : NULL;
        if (model == NULL) model = hwloc_obj_get_info_by_name(hwloc_get_root_obj(h), "CPUModel");
        snprintf(t->cpu, sizeof t->cpu, "%s", model ? model : "");
    }
    hwloc_topology_destroy(h);
}

static void line_under(const char *root, const char *file, char *text, int size) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", root, file);
    base_file_line(path, text, size);
}

static void read_names(const char *root, struct base_topology *t) {
    struct utsname names;
    char path[PATH_MAX], one[64], two[64];
    line_under(root, "proc/sys/kernel/hostname", t->host, sizeof t->host);
    line_under(root, "proc/sys/kernel/ostype", one, sizeof one);
    line_under(root, "proc/sys/kernel/osrelease", two, sizeof two);
    snprintf(t->kernel, sizeof t->kernel, "%s%s%s", one, one[0] && two[0] ? " " : "", two);
    if (!root[0] && uname(&names) == 0) {
        snprintf(t->host, sizeof t->host, "%s", names.nodename);
        snprintf(t->kernel, sizeof t->kernel, "%.60s %.60s", names.sysname, names.release);
    }
    line_under(root, "sys/class/dmi/id/sys_vendor", one, sizeof one);
    line_under(root, "sys/class/dmi/id/product_name", two, sizeof two);
    snprintf(t->board, sizeof t->board, "%s%s%s", one, one[0] && two[0] ? " " : "", two);
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    if (t->cpu[0] == '\0') base_file_field(path, "model name", t->cpu, sizeof t->cpu);
}

/* The maximum over the CPUs: some cores may be slower than others. */
static double read_max_hz(const char *root, int cpus) {
    long long khz = 0;
    for (int i = 0; i < cpus; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", root, i);
        long long mine = base_file_number(path);
        if (mine > khz) khz = mine;
    }
    return 1e3 * (double)khz;
}

void base_topology_read_under(const char *root, struct base_topology *t) {
    char path[PATH_MAX];
    *t = (struct base_topology){0};
    read_shape(root, t);
    read_names(root, t);
    if (t->cpus == 0 && !root[0]) t->cpus = base_cpus_online();
    if (t->memory_bytes == 0) {
        snprintf(path, sizeof path, "%s/proc/meminfo", root);
        long long kib = base_file_field_number(path, "MemTotal");
        t->memory_bytes = kib > 0 ? kib * 1024 : 0;
    }
    t->max_hz = read_max_hz(root, t->cpus);
}

int base_topology_read(struct base_topology *t, struct base_error *e) {
    (void)e; /* nothing fails yet; kept for machines on which something can */
    base_topology_read_under("", t);
    return BASE_OK;
}

static void describe(hwloc_topology_t h, hwloc_obj_t pu, struct base_cpu *c) {
    static const hwloc_obj_type_t levels[BASE_LEVELS] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE};
    const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(h, HWLOC_OBJ_CORE, pu);
    if (core) c->core = (int)core->logical_index;
    const int node = pu->nodeset ? hwloc_bitmap_first(pu->nodeset) : -1;
    if (node >= 0) c->node = node;
#if HWLOC_API_VERSION >= 0x00020400
    const int kind = hwloc_cpukinds_get_by_cpuset(h, pu->cpuset, 0);
    if (kind >= 0) c->kind = kind;
#endif
    for (int l = 0; l < BASE_LEVELS; l++) {
        const hwloc_obj_t cache = hwloc_get_ancestor_obj_by_type(h, levels[l], pu);
        if (!cache || !cache->attr || !cache->attr->cache.size) continue;
        c->cache[l] = (int)cache->logical_index;
        c->cache_bytes[l] = (long long)cache->attr->cache.size;
    }
}

int base_topology_cpus(const struct base_cpus *wanted, struct base_cpu *cpus, int most) {
    hwloc_topology_t h;
    const int count = wanted->count < most ? wanted->count : most;
    for (int i = 0; i < count; i++)
        cpus[i] = (struct base_cpu){.cpu = wanted->cpu[i], .core = -1 - i, .cache = {-1, -1, -1}};
    if (hwloc_topology_init(&h) != 0) return count;
    hwloc_topology_set_flags(h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(h) == 0)
        for (int i = 0; i < count; i++) {
            const hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(h, (unsigned)cpus[i].cpu);
            if (pu) describe(h, pu, &cpus[i]);
        }
    hwloc_topology_destroy(h);
    return count;
}

const char *base_topology_matrix_unit(const char *flags) {
    if (base_text_has_word(flags, "amx_tile") &&
        (base_text_has_word(flags, "amx_bf16") || base_text_has_word(flags, "amx_fp16")))
        return "AMX";
    return base_text_has_word(flags, "sme") || base_text_has_word(flags, "sme2") ? "SME" : NULL;
}

void base_topology_library(char *text, size_t size) {
    const unsigned version = hwloc_get_api_version();
    snprintf(text, size, "%u.%u.%u", version >> 16, version >> 8 & 255, version & 255);
}

/* How many of `threads` threads share one cache, if each cache is shared by `sharing` of the machine's CPUs. */
static int64_t sharers(const struct base_topology *t, int64_t threads, int sharing) {
    const int64_t instances = sharing > 0 && t->cpus > sharing ? t->cpus / sharing : 1;
    return sharing > 0 ? (threads + instances - 1) / instances : 1;
}

void base_topology_caches(const struct base_topology *t, int threads, int ranks, struct kernel_caches *caches) {
    const int64_t all = (int64_t)threads * ranks;
    caches->l1 = t->l1d_bytes / sharers(t, all, t->cores > 0 ? t->cpus / t->cores : 1);
    caches->l2 = t->l2_bytes / sharers(t, all, t->l2_cpus);
    caches->l3 = t->l3_bytes / sharers(t, all, t->l3_cpus) * threads;
}
