/* SPDX-License-Identifier: Apache-2.0
 *
 * Arenas are anonymous mappings. They start at a huge page's boundary, so that the kernel can use huge pages. */
#include "base/arena.h"

#include <errno.h>
#include <math.h>
#include <numa.h>
#include <numaif.h>
#include <omp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/text.h"
#include "base/threads.h"

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

static size_t mapping_bytes(size_t size) {
    return round_up(size > 0 ? size : 1, page_size());
}

size_t base_arena_piece(size_t bytes) {
    return round_up(bytes, BASE_ALIGN);
}

static void add_nodes_of(struct bitmask *nodes, const struct base_cpus *cpus) {
    for (int i = 0; i < cpus->count; i++) {
        int node = numa_node_of_cpu(cpus->cpu[i]);
        if (node >= 0) numa_bitmask_setbit(nodes, (unsigned)node);
    }
}

/* The NUMA nodes of the CPUs that the team's threads may run on. Each thread asks for itself: pinned threads each have
 * a mask of one CPU. */
static void add_nodes(struct bitmask *nodes, int threads) {
#pragma omp parallel num_threads(threads)
    {
        struct base_cpus mask;
        base_cpus_mask(&mask);
#pragma omp critical(base_arena_nodes)
        add_nodes_of(nodes, &mask);
    }
}

/* Calls mbind directly: libnuma's own functions print to stderr when the kernel refuses, as in most containers. */
static bool bind(void *base, size_t bytes, int threads) {
    if (numa_available() < 0) return false;
    struct bitmask *nodes = numa_allocate_nodemask();
    if (nodes == NULL) return false;
    add_nodes(nodes, threads);
    bool bound = numa_bitmask_weight(nodes) > 0 && mbind(base, bytes, MPOL_BIND, nodes->maskp, nodes->size + 1, 0) == 0;
    numa_free_nodemask(nodes);
    return bound;
}

/* Maps `bytes` (whole pages) from a huge page's boundary: maps one huge page more, then unmaps the excess. */
static char *map(size_t bytes) {
    if (bytes > SIZE_MAX - BASE_HUGE_PAGE) return NULL;
    char *raw =
        mmap(NULL, bytes + BASE_HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) return NULL;
    size_t head = round_up((uintptr_t)raw, BASE_HUGE_PAGE) - (uintptr_t)raw;
    if (head > 0) munmap(raw, head);
    if (head < BASE_HUGE_PAGE) munmap(raw + head + bytes, BASE_HUGE_PAGE - head);
    madvise(raw + head, bytes, MADV_HUGEPAGE);
    return raw + head;
}

static void touch(char *base, size_t bytes, int threads) {
    size_t page = page_size(), pages = bytes / page;
#pragma omp parallel num_threads(threads)
    {
        size_t team = (size_t)omp_get_num_threads(), me = (size_t)omp_get_thread_num();
        for (size_t i = pages * me / team; i < pages * (me + 1) / team; i++) *(volatile char *)(base + i * page) = 0;
    }
}

int base_arena_open(struct base_arena *arena, size_t size, int threads, struct base_error *e) {
    char need[32], have[32];
    long long available = base_memory_available();
    if (available >= 0 && size > (size_t)available) {
        base_text_bytes((double)size, need, sizeof need);
        base_text_bytes((double)available, have, sizeof have);
        return base_fail(e, BASE_BROKEN,
                         "memory: %s needed, %s available on this machine: use a smaller model or batch, or more nodes",
                         need, have);
    }
    size_t bytes = mapping_bytes(size);
    char *base = map(bytes);
    if (base == NULL) {
        base_text_bytes((double)size, need, sizeof need);
        return base_fail(e, BASE_BROKEN, "memory: cannot reserve %s: %s (see ulimit -v)", need, strerror(errno));
    }
    bool bound = bind(base, bytes, threads);
    touch(base, bytes, threads);
    *arena = (struct base_arena){.base = base, .size = size, .used = 0, .bound = bound};
    return BASE_OK;
}

/* -1: the kernel does not say. */
static int node_of(char *page) {
    void *at = page;
    int node = -1;
    return move_pages(0, 1, &at, NULL, &node, 0) == 0 ? node : -1;
}

double base_arenas_near(const struct base_arena *arenas, int count, const struct base_cpus *cpus) {
    enum { PAGES = 4096 };
    size_t all = 0, known = 0, near = 0;
    if (numa_available() < 0) return NAN;
    struct bitmask *nodes = numa_allocate_nodemask();
    if (nodes == NULL) return NAN;
    add_nodes_of(nodes, cpus);
    for (int i = 0; i < count; i++) all += arenas[i].size / page_size();
    const size_t step = page_size() * (all / PAGES + 1);
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < arenas[i].size; at += step) {
            const int node = node_of(arenas[i].base + at);
            known += node >= 0;
            near += node >= 0 && numa_bitmask_isbitset(nodes, (unsigned)node);
        }
    numa_free_nodemask(nodes);
    return known ? (double)near / (double)known : NAN;
}

void *base_arena_take(struct base_arena *arena, size_t bytes) {
    size_t left = arena->size - arena->used;
    if (bytes > left) return NULL;
    char *piece = arena->base + arena->used;
    size_t taken = base_arena_piece(bytes);
    arena->used += taken < left ? taken : left; /* the last piece may have no padding behind it */
    return piece;
}

void base_arena_close(struct base_arena *arena) {
    if (arena->base != NULL) munmap(arena->base, mapping_bytes(arena->size));
    *arena = (struct base_arena){0};
}
