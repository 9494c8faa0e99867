/* SPDX-License-Identifier: Apache-2.0
 *
 * Chooses which roofs to measure, on which CPUs, and with which working sets. Computes only; so made-up machines can be
 * tested. */
#include "measure/roofs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "measure/peak.h"

/* APART: a level's share must be so many times that of the level below, or no set lies in between. A pass in turns over
 * a set larger than a cache finds little of it there. ARRAY: each array in memory is so many times the caches. */
enum { APART = 2, ARRAY = 2, LEAST_ARRAY = 64 << 20, PAGE = 4096 };

static const struct base_cpu *cpu_of(const struct measure_roof_place *p, int thread) {
    return &p->cpus[thread % p->count]; /* more threads than CPUs share them */
}

/* A thread's share of its cache of a level: the least and the most over the threads. 0: a thread has no such cache. */
static void shares(const struct measure_roof_place *p, int level, int threads, double *least, double *most) {
    *least = INFINITY, *most = 0;
    for (int i = 0; i < threads; i++) {
        const struct base_cpu *mine = cpu_of(p, i);
        int sharers = 0;
        for (int k = 0; k < threads; k++) sharers += cpu_of(p, k)->cache[level - 1] == mine->cache[level - 1];
        const double share = (double)mine->cache_bytes[level - 1] / sharers;
        *least = fmin(*least, share), *most = fmax(*most, share);
    }
}

double measure_roofs_working_set(const struct measure_roof_place *p, int level, int threads, char *why) {
    double share, most, unused, below = 0;
    char here[32], there[32];
    int under = level;
    shares(p, level, threads, &share, &most);
    why[0] = 0;
    if (share <= 0) {
        snprintf(why, 200, "%s reports no such cache", most > 0 ? "one of these CPUs" : "the system");
        return 0;
    }
    while (below <= 0 && --under >= 1) shares(p, under, threads, &unused, &below);
    if (below <= 0) return floor(share / 2);
    if (share >= APART * below) return floor(sqrt(share * below) / PAGE) * PAGE;
    base_text_bytes(share, here, sizeof here);
    base_text_bytes(below, there, sizeof there);
    snprintf(why, 200, "a thread's share is %s and that of L%d is %s: no working set stays in between", here, under,
             there);
    return 0;
}

/* Bytes of all last caches of a place. */
static double last_caches(const struct measure_roof_place *p) {
    double sum = 0;
    for (int i = 0; i < p->count; i++) {
        int level = BASE_LEVELS, before = 0;
        while (level > 1 && !p->cpus[i].cache_bytes[level - 1]) level--;
        while (before < i && p->cpus[before].cache[level - 1] != p->cpus[i].cache[level - 1]) before++;
        if (before == i) sum += (double)p->cpus[i].cache_bytes[level - 1];
    }
    return sum;
}

static int last_cache(const struct base_cpu *c) {
    int level = BASE_LEVELS;
    while (level > 1 && !c->cache_bytes[level - 1]) level--;
    return c->cache[level - 1];
}

/* A CPU and its turn. */
struct turn {
    struct base_cpu cpu;
    int sibling; /* how many CPUs of its core come before it */
    int turn;    /* how many of its last cache, kind and sibling number do */
};

static int by_turn(const void *left, const void *right) {
    const struct turn *a = left, *b = right;
    if (a->sibling != b->sibling) return a->sibling - b->sibling;
    if (a->cpu.kind != b->cpu.kind) return b->cpu.kind - a->cpu.kind;
    if (a->turn != b->turn) return a->turn - b->turn;
    return a->cpu.cpu - b->cpu.cpu;
}

/* Fills a place with the CPUs of a node (-1: all) in the order in which threads take them. */
static int fill_place(struct measure_roof_place *p, int node, const struct base_cpu *cpus, int count,
                      struct base_error *e) {
    struct turn *turns = calloc((size_t)count + 1, sizeof *turns);
    *p = (struct measure_roof_place){.node = node, .cpus = calloc((size_t)count + 1, sizeof *p->cpus)};
    if (!turns || !p->cpus) {
        free(turns);
        return base_fail(e, BASE_BROKEN, "out of memory for the list of CPUs");
    }
    for (int i = 0; i < count; i++) {
        if (node >= 0 && cpus[i].node != node) continue;
        struct turn *t = &turns[p->count++];
        t->cpu = cpus[i];
        for (struct turn *k = turns; k < t; k++) t->sibling += k->cpu.core == t->cpu.core;
        for (struct turn *k = turns; k < t; k++)
            t->turn +=
                k->sibling == t->sibling && k->cpu.kind == t->cpu.kind && last_cache(&k->cpu) == last_cache(&t->cpu);
    }
    qsort(turns, (size_t)p->count, sizeof *turns, by_turn);
    for (int i = 0; i < p->count; i++) p->cpus[i] = turns[i].cpu;
    free(turns);
    return BASE_OK;
}

/* The place of all CPUs, and one for each node if there are several. */
static int find_places(struct measure_roofs *r, const struct base_cpu *cpus, int count, struct base_error *e) {
    r->places = calloc((size_t)count + 1, sizeof *r->places);
    if (!r->places) return base_fail(e, BASE_BROKEN, "out of memory for the list of NUMA nodes");
    int code = fill_place(&r->places[0], -1, cpus, count, e);
    r->place_count = 1;
    for (int i = 0; i < count && !code; i++) {
        int known = 1;
        while (known < r->place_count && r->places[known].node != cpus[i].node) known++;
        if (known < r->place_count) continue;
        code = fill_place(&r->places[known], cpus[i].node, cpus, count, e);
        r->place_count++;
    }
    if (r->place_count == 2) free(r->places[--r->place_count].cpus); /* one node: the same as all */
    return code;
}

/* Room for all rows that choose() can add. */
static int make_rows(struct measure_roofs *r, struct base_error *e) {
    enum { COUNTS = 14 }; /* of threads: 1, 2, 4 ... BASE_CPUS_MAX */
    const int n = r->place_count;
    r->capacity = COUNTS * (KERNEL_ISA_COUNT + 3 * BASE_LEVELS + 3 * n) + 3 * n * n;
    r->rows = calloc((size_t)r->capacity, sizeof *r->rows);
    return r->rows ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for %d roofs", r->capacity);
}

static void add(struct measure_roofs *r, struct measure_roof row) {
    if (r->count < r->capacity) r->rows[r->count++] = row;
}

/* 1, 2, 4 ... and all; 0 after the last */
static int next_threads(int threads, int most) {
    return threads >= most ? 0 : 2 * threads < most ? 2 * threads : most;
}

/* Every loop once: FP32 of each set, and BF16's dot, which only AVX512_BF16 has. */
static void add_peaks(struct measure_roofs *r, const struct measure_roofs_limits *l) {
    for (int isa = KERNEL_ISA_ref; isa <= (int)l->cap; isa++) {
        if (!kernel_isa_within((enum kernel_isa)isa, l->cap)) continue;
        struct measure_roof row = {.kind = MEASURE_ROOF_PEAK,
                                   .isa = (enum kernel_isa)isa,
                                   .dtype = isa == KERNEL_ISA_avx512bf16 ? KERNEL_BF16 : KERNEL_F32};
        const bool usable = kernel_isa_usable(row.isa);
        if (!usable) snprintf(row.skipped, sizeof row.skipped, "this CPU or build lacks %s", kernel_isa_name(row.isa));
        for (row.threads = 1; row.threads; row.threads = usable ? next_threads(row.threads, l->threads) : 0)
            add(r, row);
    }
}

static void add_passes(struct measure_roofs *r, struct measure_roof row) {
    row.pass = MEASURE_PASSES;
    if (row.skipped[0]) add(r, row);
    for (int pass = 0; pass < MEASURE_ROOF_PASSES && !row.skipped[0]; pass++) {
        row.pass = (enum measure_pass)pass;
        add(r, row);
    }
}

static void add_caches(struct measure_roofs *r, const struct measure_roofs_limits *l, enum kernel_isa isa) {
    for (int level = 1; level <= BASE_LEVELS; level++)
        for (int t = 1; t; t = next_threads(t, l->threads)) {
            struct measure_roof row = {.kind = MEASURE_ROOF_CACHE, .isa = isa, .level = level, .threads = t};
            char need[32];
            row.bytes = measure_roofs_working_set(&r->places[0], level, t, row.skipped);
            if (row.bytes > 0 && l->memory >= 0 && 2 * t * row.bytes > l->memory) {
                base_text_bytes(t * row.bytes, need, sizeof need);
                snprintf(row.skipped, sizeof row.skipped, "%s needed, more than half of the free memory", need);
            }
            add_passes(r, row);
        }
}

/* Sizes the arrays: ARRAY times the last caches, or what half of the free memory holds. */
static void size_memory(const struct measure_roofs *r, const struct measure_roofs_limits *l, struct measure_roof *row) {
    const double caches = last_caches(&r->places[row->place]);
    double free_bytes = l->memory >= 0 ? l->memory : INFINITY;
    char said[32], have[32];
    if (r->place_count > 1 && l->node_memory >= 0) free_bytes = fmin(free_bytes, l->node_memory);
    row->bytes = fmax(ARRAY * caches, LEAST_ARRAY);
    if (3 * row->bytes <= free_bytes / 2) return;
    row->bytes = floor(free_bytes / 6 / PAGE) * PAGE;
    base_text_bytes(caches, said, sizeof said);
    base_text_bytes(free_bytes, have, sizeof have);
    if (row->bytes < caches || row->bytes < LEAST_ARRAY / 8)
        snprintf(row->skipped, sizeof row->skipped,
                 "caches of %s are reported, and with %s free no array may be larger than they", said, have);
    else
        snprintf(row->note, sizeof row->note, "each array is only %.1f times the reported caches of %s, as %s are free",
                 row->bytes / fmax(caches, 1), said, have);
}

/* Threads of place `from` on the memory of place `memory`. */
static void add_memory(struct measure_roofs *r, const struct measure_roofs_limits *l, enum kernel_isa isa, int from,
                       int memory, bool every_count) {
    const int most = from && r->places[from].count < l->threads ? r->places[from].count : l->threads;
    struct measure_roof row = {.kind = MEASURE_ROOF_MEMORY, .isa = isa, .place = from, .memory = memory};
    size_memory(r, l, &row);
    if (r->place_count > 1 && from && !l->pinned)
        snprintf(row.skipped, sizeof row.skipped,
                 "threads are not pinned, so they belong to no NUMA node: unset OMP_PROC_BIND and the like");
    const bool once = row.skipped[0] || !every_count;
    for (row.threads = once ? most : 1; row.threads; row.threads = next_threads(row.threads, most)) add_passes(r, row);
}

int measure_roofs_choose(struct measure_roofs *r, const struct base_cpu *cpus, int count,
                         const struct measure_roofs_limits *l, struct base_error *e) {
    *r = (struct measure_roofs){.pinned = l->pinned};
    int code = find_places(r, cpus, count, e);
    if (!code) code = make_rows(r, e);
    if (code) return code;
    enum kernel_isa isa = l->cap;
    while (!kernel_isa_usable(isa)) isa = kernel_isa_base(isa);
    add_peaks(r, l);
    add_caches(r, l, isa);
    if (r->place_count == 1) add_memory(r, l, isa, 0, 0, true);
    for (int memory = 1; memory < r->place_count; memory++) { /* arrays are made once for each node */
        add_memory(r, l, isa, memory, memory, true);
        for (int from = 1; from < r->place_count; from++)
            if (from != memory) add_memory(r, l, isa, from, memory, false);
    }
    if (r->place_count > 1) add_memory(r, l, isa, 0, 0, false);
    return BASE_OK;
}

void measure_roofs_close(struct measure_roofs *r) {
    for (int i = 0; i < r->count; i++) measure_samples_close(&r->rows[i].timed.samples);
    for (int i = 0; i < r->place_count; i++) free(r->places[i].cpus);
    free(r->rows), free(r->places);
    *r = (struct measure_roofs){0};
}
