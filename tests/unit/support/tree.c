/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the files of a made-up machine. */
#define _GNU_SOURCE
#include "unit/support/tree.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CPUS = 256, NOBODY = 65534 };
char tree[64];

int tree_make(void **state) {
    (void)state;
    strcpy(tree, "/tmp/toise-tree-XXXXXX");
    return mkdtemp(tree) == NULL || chmod(tree, 0755);
}

int tree_remove(void **state) {
    char command[128];
    (void)state;
    if (getuid() == 0 && seteuid(0)) return 1;
    snprintf(command, sizeof command, "rm -rf %s", tree);
    return system(command);
}

/* The path below the root, with its folders made */
static const char *made(const char *path) {
    static char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", tree, path);
    for (char *at = full + strlen(tree) + 1; (at = strchr(at, '/')) != NULL; *at++ = '/') {
        *at = '\0';
        mkdir(full, 0755);
    }
    return full;
}

void tree_put_bytes(const char *path, const void *bytes, size_t size) {
    char full[PATH_MAX];
    snprintf(full, sizeof full, "%s/%s", tree, path);
    FILE *file = fopen(full, "w");
    if (file == NULL) file = fopen(made(path), "w"); /* its folder was not there */
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file)) abort();
}

void tree_put(const char *path, const char *text) {
    tree_put_bytes(path, text, strlen(text));
}

void tree_link(const char *path, const char *target) {
    if (symlink(target, made(path))) abort();
}

void tree_drop(const char *path) {
    if (unlink(made(path))) abort();
}

void tree_lock(const char *path) {
    if (chmod(made(path), 0) || (geteuid() == 0 && seteuid(NOBODY))) abort();
}

static void put(const char *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(const char *text, const char *format, ...) {
    char path[PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(path, sizeof path, format, arguments);
    va_end(arguments);
    tree_put(path, text);
}

/* The CPUs of cores [first, first + cores) as the kernel's mask and list */
static void cpus_of(const struct tree_shape *s, int first, int cores, char mask[128], char list[128]) {
    unsigned words[CPUS / 32] = {0};
    list[0] = mask[0] = '\0';
    for (int t = 0; t < s->threads; t++) {
        const int from = first + t * s->cores;
        for (int i = from; i < from + cores; i++) words[i / 32] |= 1u << i % 32;
        sprintf(list + strlen(list), cores == 1 ? "%s%d" : "%s%d-%d", t ? "," : "", from, from + cores - 1);
    }
    for (int i = CPUS / 32; i-- > 0;) sprintf(mask + strlen(mask), "%08x%s", words[i], i ? "," : "\n");
    strcat(list, "\n");
}

static void put_cache(const struct tree_shape *s, int cpu, int index, int level, const char *size, int cores) {
    char mask[128], list[128], text[16];
    const int core = cpu % s->cores;
    cpus_of(s, core / cores * cores, cores, mask, list);
    snprintf(text, sizeof text, "%d\n", level);
    put(text, "sys/devices/system/cpu/cpu%d/cache/index%d/level", cpu, index);
    put(level == 1 ? "Data\n" : "Unified\n", "sys/devices/system/cpu/cpu%d/cache/index%d/type", cpu, index);
    put(size, "sys/devices/system/cpu/cpu%d/cache/index%d/size", cpu, index);
    put(mask, "sys/devices/system/cpu/cpu%d/cache/index%d/shared_cpu_map", cpu, index);
}

static void put_cpu(const struct tree_shape *s, int cpu) {
    const int core = cpu % s->cores, package = core / (s->cores / s->sockets);
    char mask[128], list[128], text[16];
    cpus_of(s, core, 1, mask, list);
    put(mask, "sys/devices/system/cpu/cpu%d/topology/thread_siblings", cpu);
    cpus_of(s, package * (s->cores / s->sockets), s->cores / s->sockets, mask, list);
    put(mask, "sys/devices/system/cpu/cpu%d/topology/core_siblings", cpu);
    snprintf(text, sizeof text, "%d\n", package);
    put(text, "sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
    snprintf(text, sizeof text, "%d\n", core);
    put(text, "sys/devices/system/cpu/cpu%d/topology/core_id", cpu);
    put_cache(s, cpu, 0, 1, s->l1, 1);
    put_cache(s, cpu, 1, 2, s->l2, 1);
    if (s->l3) put_cache(s, cpu, 2, 3, s->l3, s->l3_cores);
}

static void put_node(const struct tree_shape *s, int node) {
    char mask[128], list[128], text[256] = "";
    const int cores = s->cores / s->nodes, nodes = s->nodes / s->sockets;
    cpus_of(s, node * cores, cores, mask, list);
    put(mask, "sys/devices/system/node/node%d/cpumap", node);
    put(list, "sys/devices/system/node/node%d/cpulist", node);
    snprintf(text, sizeof text, "Node %d MemTotal:       %lld kB\nNode %d MemFree: 1 kB\n", node, s->node_kib, node);
    put(text, "sys/devices/system/node/node%d/meminfo", node);
    text[0] = '\0';
    for (int i = 0; i < s->nodes; i++)
        sprintf(text + strlen(text), "%s%d", i ? " " : "", i == node ? 10 : i / nodes == node / nodes ? 12 : 32);
    put(text, "sys/devices/system/node/node%d/distance", node);
}

void tree_shape(const struct tree_shape *s) {
    const int cpus = s->cores * s->threads;
    char range[32], *text = calloc((size_t)cpus, strlen(s->cpuinfo) + 64), *end = text;
    for (int cpu = 0; cpu < cpus; cpu++) {
        end += sprintf(end, "processor\t: %d\n%s\n", cpu, s->cpuinfo);
        put_cpu(s, cpu);
    }
    tree_put("proc/cpuinfo", text);
    free(text);
    snprintf(range, sizeof range, "0-%d\n", cpus - 1);
    put(range, "sys/devices/system/cpu/online");
    put(range, "sys/devices/system/cpu/possible");
    put(range, "sys/devices/system/cpu/present");
    for (int node = 0; node < s->nodes; node++) put_node(s, node);
    snprintf(range, sizeof range, "0-%d\n", s->nodes - 1);
    put(range, "sys/devices/system/node/online");
    put(range, "sys/devices/system/node/possible");
}
