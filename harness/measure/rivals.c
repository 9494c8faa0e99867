/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the threads of all processes: first the CPUs that each may use, which is one call, then the state of the few
 * that are pinned to these cores. */
#include "measure/rivals.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

enum { APART_NS = 20000000, SEEN_MOST = 64, KERNEL_THREAD = 0x00200000 /* PF_KTHREAD of Linux */ };

/* The cores of the placement's threads. */
struct cores {
    int of[BASE_CPUS_MAX];    /* of each CPU: its core; -1: unknown */
    bool ours[BASE_CPUS_MAX]; /* a CPU of a core of ours */
};

struct look {
    const struct cores *cores;
    const int *ours;
    int count;
    int seen[SEEN_MOST], seen_count; /* threads that were runnable the first time */
    struct measure_rivals *rivals;   /* NULL: the first time */
};

static bool read_cores(struct cores *c, const struct measure_placement *p) {
    struct base_cpus all = {.count = (int)sysconf(_SC_NPROCESSORS_CONF)}; /* numbers may have gaps where some are off */
    struct base_cpu *cpus = malloc((size_t)all.count * sizeof *cpus);
    if (!cpus || all.count < 1 || all.count > BASE_CPUS_MAX) return free(cpus), false;
    for (int i = 0; i < all.count; i++) all.cpu[i] = i;
    const int known = base_topology_cpus(&all, cpus, all.count);
    for (int i = 0; i < BASE_CPUS_MAX; i++) c->of[i] = -1, c->ours[i] = false;
    for (int i = 0; i < known; i++) c->of[cpus[i].cpu] = cpus[i].core;
    for (int t = 0; t < p->threads; t++) {
        const int mine = p->turns.cpu[t];
        c->ours[mine] = true;
        for (int i = 0; i < BASE_CPUS_MAX; i++) c->ours[i] = c->ours[i] || (c->of[i] >= 0 && c->of[i] == c->of[mine]);
    }
    free(cpus);
    return true;
}

/* The CPU of ours that the thread is pinned to, perhaps with others of that core; -1: it is not. A thread that may run
 * on the whole machine is not. */
static int shared_cpu(const struct cores *c, int id) {
    struct base_cpus may;
    if (!base_cpus_of(id, &may) || !may.count || (may.count > 1 && may.count == base_cpus_online())) return -1;
    for (int i = 0; i < may.count; i++)
        if (!c->ours[may.cpu[i]] || (i && (c->of[may.cpu[i]] < 0 || c->of[may.cpu[i]] != c->of[may.cpu[0]]))) return -1;
    return may.cpu[0];
}

static bool among(const int *all, int count, int one) {
    for (int i = 0; i < count; i++)
        if (all[i] == one) return true;
    return false;
}

/* Whether a thread of another program is running or waiting for its CPU. Sets its name. */
static bool rival_runs(const struct look *l, int process, int thread, char name[16]) {
    char path[64], line[512], state;
    int parent;
    unsigned flags;
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
    if (!base_file_line(path, line, sizeof line)) return false;
    const char *open = strchr(line, '('), *end = strrchr(line, ')'); /* the name may hold both */
    if (!open || !end || sscanf(end, ") %c %d %*d %*d %*d %*d %u", &state, &parent, &flags) != 3) return false;
    snprintf(name, 16, "%.*s", (int)(end - open - 1), open + 1);
    for (char *c = name; *c; c++)
        if (*c < ' ' || *c > '~') *c = '?';
    return state == 'R' && !(flags & KERNEL_THREAD) && !among(l->ours, l->count, parent);
}

static void add(struct measure_rivals *r, int process, int cpu, const char *name) {
    for (int i = 0; i < r->count; i++)
        if (r->at[i].process == process) return;
    if (r->count == MEASURE_RIVALS) return;
    r->at[r->count] = (struct measure_rival){.process = process, .cpu = cpu};
    memcpy(r->at[r->count++].name, name, sizeof r->at->name);
}

static void look_at(struct look *l, int process, int thread) {
    char name[16];
    const int cpu = shared_cpu(l->cores, thread);
    if (cpu < 0 || (l->rivals && !among(l->seen, l->seen_count, thread))) return;
    if (!rival_runs(l, process, thread, name)) return;
    if (l->rivals)
        add(l->rivals, process, cpu, name);
    else if (l->seen_count < SEEN_MOST)
        l->seen[l->seen_count++] = thread;
}

/* Calls itself once: for the threads of each process. process 0: all processes. */
static void walk(struct look *l, const char *path, int process) {
    char tasks[64];
    DIR *folder = opendir(path);
    for (struct dirent *d = folder ? readdir(folder) : NULL; d; d = readdir(folder)) {
        const int id = atoi(d->d_name);
        if (id <= 0) continue;
        snprintf(tasks, sizeof tasks, "/proc/%d/task", id);
        if (process)
            look_at(l, process, id);
        else if (!among(l->ours, l->count, id))
            walk(l, tasks, id);
    }
    if (folder) closedir(folder);
}

void measure_rivals_look(struct measure_rivals *rivals, const struct measure_placement *p, const int *ours, int count) {
    const struct timespec apart = {.tv_nsec = APART_NS};
    struct cores *cores = malloc(sizeof *cores);
    struct look l = {.cores = cores, .ours = ours, .count = count};
    if (cores && p->pinned && p->bind == MEASURE_BIND_CORE && read_cores(cores, p)) {
        walk(&l, "/proc", 0);
        if (l.seen_count) {
            nanosleep(&apart, NULL);
            l.rivals = rivals;
            walk(&l, "/proc", 0);
        }
    }
    free(cores);
}

void measure_rivals_find(struct measure_rivals *rivals, const struct measure_placement *p, struct comm *world) {
    struct {
        int node, process;
    } mine = {world->node, (int)getpid()}, *all = calloc((size_t)world->size, sizeof mine);
    int *ours = calloc((size_t)world->size, sizeof *ours), count = 0;
    if (!all || !ours) comm_abort(world, BASE_BROKEN); /* a few KiB */
    world->ops->all_gather(world, &mine, sizeof mine, all);
    for (int i = 0; i < world->size; i++)
        if (all[i].node == mine.node) ours[count++] = all[i].process;
    measure_rivals_look(rivals, p, ours, count);
    free(all), free(ours);
}

void measure_rivals_text(const struct measure_rivals *r, char *text, size_t size) {
    size_t used = 0;
    if (size) text[0] = '\0';
    for (int i = 0; i < r->count && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%sCPU %d is shared with %s (process %d)", i ? ", " : "",
                                 r->at[i].cpu, r->at[i].name, r->at[i].process);
    if (r->count && used < size)
        snprintf(text + used, size - used, ", pinned there too: move one of them (taskset), or pass --bind none");
}
