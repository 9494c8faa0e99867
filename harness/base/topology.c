/* SPDX-License-Identifier: Apache-2.0
 *
 * Containers and virtual machines hide parts of the topology. What cannot be read is 0 or "", and that is no error. */
#include "base/topology.h"

#include <hwloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/file.h"
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
    if (cpus != NULL && cache->cpuset != NULL) *cpus = hwloc_bitmap_weight(cache->cpuset);
}

static void read_shape(struct base_topology *t) {
    hwloc_topology_t h;
    if (hwloc_topology_init(&h) != 0) return;
    /* report the whole machine, including what this job may not use */
    hwloc_topology_set_flags(h, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(h) == 0) {
        t->sockets = count(h, HWLOC_OBJ_PACKAGE);
        t->numa_nodes = count(h, HWLOC_OBJ_NUMANODE);
        t->cores = count(h, HWLOC_OBJ_CORE);
        t->cpus = count(h, HWLOC_OBJ_PU);
        read_cache(h, HWLOC_OBJ_L1CACHE, &t->l1d_bytes, NULL);
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

static void read_names(struct base_topology *t) {
    struct utsname names;
    char vendor[64], product[64];
    if (gethostname(t->host, sizeof t->host) != 0) t->host[0] = '\0';
    t->host[sizeof t->host - 1] = '\0';
    if (uname(&names) == 0) snprintf(t->kernel, sizeof t->kernel, "%.60s %.60s", names.sysname, names.release);
    base_file_line("/sys/class/dmi/id/sys_vendor", vendor, sizeof vendor);
    base_file_line("/sys/class/dmi/id/product_name", product, sizeof product);
    snprintf(t->board, sizeof t->board, "%s%s%s", vendor, vendor[0] && product[0] ? " " : "", product);
    if (t->cpu[0] == '\0') base_file_field("/proc/cpuinfo", "model name", t->cpu, sizeof t->cpu);
}

/* The maximum over the CPUs: some cores may be slower than others. */
static double read_max_hz(int cpus) {
    long long khz = 0;
    for (int i = 0; i < cpus; i++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/cpufreq/cpuinfo_max_freq", i);
        long long mine = base_file_number(path);
        if (mine > khz) khz = mine;
    }
    return 1e3 * (double)khz;
}

int base_topology_read(struct base_topology *t, struct base_error *e) {
    (void)e; /* nothing fails yet; kept for machines on which something can */
    struct base_topology read = {0};
    read_shape(&read);
    read_names(&read);
    if (read.cpus == 0) read.cpus = base_cpus_online();
    if (read.memory_bytes == 0) {
        long long kib = base_file_field_number("/proc/meminfo", "MemTotal");
        read.memory_bytes = kib > 0 ? kib * 1024 : 0;
    }
    read.max_hz = read_max_hz(read.cpus);
    *t = read;
    return BASE_OK;
}

static bool has_flag(const char *flags, const char *flag) {
    const size_t length = strlen(flag);
    for (const char *at = flags; (at = strstr(at, flag)); at += length)
        if ((at == flags || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) return true;
    return false;
}

const char *base_topology_matrix_unit(const char *flags) {
    if (has_flag(flags, "amx_tile") && (has_flag(flags, "amx_bf16") || has_flag(flags, "amx_fp16"))) return "AMX";
    return has_flag(flags, "sme") || has_flag(flags, "sme2") ? "SME" : NULL;
}

const char *base_topology_own_matrix_unit(void) {
    char flags[8192];
    if (!base_file_field("/proc/cpuinfo", "flags", flags, sizeof flags))
        base_file_field("/proc/cpuinfo", "Features", flags, sizeof flags);
    return base_topology_matrix_unit(flags);
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
