/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory: its size, NUMA nodes with their distances, pages and huge pages. */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "inventory/reader.h"

#define NODES "sys/devices/system/node/"
#define HUGE_PAGES "sys/kernel/mm/hugepages"

struct numa {
    json_t *nodes, *distances;
};

/* One NUMA node: its CPUs ("": memory alone), its memory, and its distances to all. */
static void read_node(struct inventory_reader *r, const char *name, void *context) {
    struct numa *numa = context;
    char file[PATH_MAX], path[PATH_MAX], key[64], cpus[2048], distances[1024];
    if (name[4] < '0' || name[4] > '9') return;
    snprintf(file, sizeof file, NODES "%.32s/cpulist", name);
    inventory_line(r, file, cpus, sizeof cpus);
    snprintf(file, sizeof file, NODES "%.32s/distance", name);
    inventory_line(r, file, distances, sizeof distances);
    snprintf(key, sizeof key, "Node %.20s MemTotal", name + 4);
    const long long kib = base_file_field_number(inventory_path(r, path, NODES "%.32s/meminfo", name), key);
    json_array_append_new(numa->nodes, json_pack("{s:s, s:o}", "cpus", cpus, "memory_bytes",
                                                 kib >= 0 ? json_integer(1024 * kib) : json_null()));
    if (distances[0]) json_array_append_new(numa->distances, json_string(distances));
}

static void put_numa(struct inventory_reader *r) {
    struct numa numa = {json_array(), json_array()};
    const char *why = inventory_list(r, "sys/devices/system/node", "node", read_node, &numa);
    const size_t count = json_array_size(numa.nodes);
    if (!why) why = "absent";
    inventory_put_count(r, "numa_nodes", r->topology->numa_nodes, "absent");
    inventory_put(r, "numa", count ? json_incref(numa.nodes) : NULL, why);
    /* one of each node, or they cannot be told apart */
    inventory_put(r, "numa_distances",
                  count && json_array_size(numa.distances) == count ? json_incref(numa.distances) : NULL, why);
    json_decref(numa.nodes);
    json_decref(numa.distances);
    const long long balancing = inventory_number(r, "proc/sys/kernel/numa_balancing");
    inventory_put(r, "numa_balancing", balancing >= 0 ? json_boolean(balancing > 0) : NULL, "absent");
}

/* The bracketed choice in "always [madvise] never" */
static void put_choice(struct inventory_reader *r, const char *path, const char *file) {
    char line[128];
    const char *why = inventory_line(r, file, line, sizeof line);
    char *open = strchr(line, '['), *close = open ? strchr(open, ']') : NULL;
    if (close) *close = '\0';
    inventory_put_text(r, path, close ? open + 1 : "", why ? why : "no choice in brackets");
}

/* Pages of a size that are set apart: "hugepages-2048kB" */
static void read_reserved(struct inventory_reader *r, const char *name, void *context) {
    char file[PATH_MAX];
    long long kib;
    snprintf(file, sizeof file, HUGE_PAGES "/%.64s/nr_hugepages", name);
    const long long pages = inventory_number(r, file);
    if (pages > 0 && sscanf(name, "hugepages-%lldkB", &kib) == 1)
        json_array_append_new(
            context, json_pack("{s:I, s:I}", "size_bytes", (json_int_t)(1024 * kib), "pages", (json_int_t)pages));
}

static void put_huge_pages(struct inventory_reader *r) {
    json_t *reserved = json_array();
    put_choice(r, "transparent_huge_pages", "sys/kernel/mm/transparent_hugepage/enabled");
    put_choice(r, "huge_pages.defrag", "sys/kernel/mm/transparent_hugepage/defrag");
    const char *why = inventory_list(r, HUGE_PAGES, "hugepages-", read_reserved, reserved);
    inventory_put(r, "huge_pages.reserved", why ? NULL : json_incref(reserved), why);
    json_decref(reserved);
}

void inventory_memory(struct inventory_reader *r) {
    char path[PATH_MAX];
    inventory_put_count(r, "memory_bytes", r->topology->memory_bytes, "absent");
    put_numa(r);
    /* the pages of this program's own text */
    const long long kib = base_file_field_number(inventory_path(r, path, "proc/self/smaps"), "KernelPageSize");
    inventory_put_count(r, "page_bytes", 1024 * kib, "absent");
    put_huge_pages(r);
}
