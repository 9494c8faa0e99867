/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks from the process's cgroup up to the mount, in both hierarchies (v1 and v2), and keeps the tightest limit. */
#include "base/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum { PATH_ROOM = PATH_MAX + 64, MOUNTS = 3 };

struct controller {
    const char *name;
    const char *mounts[MOUNTS]; /* v1 mounts, relative to the root */
};
static const struct controller memory = {"memory", {"/memory"}};
static const struct controller cpuset = {"cpuset", {"/cpuset"}};
static const struct controller cpu = {"cpu", {"/cpu", "/cpu,cpuacct", "/cpuacct,cpu"}};

/* Visits `group` and its ancestors, up to the mount. In a container the group's own folder may be hidden; its ancestors
 * are visited all the same. */
static void visit_group(const char *root, const char *mount, const char *group, base_cgroup_visit *visit,
                        void *context) {
    char folder[PATH_MAX];
    size_t top = strlen(root) + strlen(mount);
    if ((size_t)snprintf(folder, sizeof folder, "%s%s%s", root, mount, group) >= sizeof folder) return;
    for (size_t end = strlen(folder); end > top; folder[end] = '\0') {
        if (folder[end - 1] != '/') visit(folder, context);
        while (end > top && folder[end - 1] != '/') end--;
        if (end > top) end--;
    }
    folder[top] = '\0';
    visit(folder, context);
}

/* Whether a comma-separated list such as "cpu,cpuacct" contains the name */
static bool holds(const char *list, const char *name) {
    const size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) return true;
    }
    return false;
}

/* The first existing mount; the others are links to it */
static const char *mount_of(const char *root, const struct controller *c) {
    char path[PATH_ROOM];
    for (int i = 0; i < MOUNTS && c->mounts[i] != NULL; i++) {
        snprintf(path, sizeof path, "%s%s", root, c->mounts[i]);
        if (access(path, F_OK) == 0) return c->mounts[i];
    }
    return NULL;
}

static void walk(const char *membership, const char *root, const struct controller *c, base_cgroup_visit *visit,
                 void *context) {
    FILE *file = fopen(membership, "re");
    if (file == NULL) return;
    char *line = NULL;
    size_t capacity = 0;
    /* lines are hierarchy:controllers:group; v2 is 0 with no controllers */
    while (getline(&line, &capacity, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *group++ = '\0';
        controllers++;
        const char *mount = controllers[0] == '\0' ? "" : holds(controllers, c->name) ? mount_of(root, c) : NULL;
        if (mount != NULL) visit_group(root, mount, group, visit, context);
    }
    free(line);
    fclose(file);
}

/* A folder has either v2's file or v1's, never both. */
static long long number_of(const char *folder, const char *v2, const char *v1) {
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/%s", folder, v2);
    long long n = base_file_number(path);
    if (n >= 0) return n;
    snprintf(path, sizeof path, "%s/%s", folder, v1);
    return base_file_number(path);
}

/* -1: none; v1 writes "no limit" as a huge number */
static long long memory_limit(const char *folder) {
    long long limit = number_of(folder, "memory.max", "memory.limit_in_bytes");
    return limit < LLONG_MAX / 2 ? limit : -1;
}

/* *context: the smallest figure so far; -1: none */
static void visit_memory(const char *folder, void *context) {
    long long limit = memory_limit(folder), *room = context;
    if (limit < 0) return;
    long long usage = number_of(folder, "memory.current", "memory.usage_in_bytes");
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    /* v1's total_ figure includes descendant groups, as v2's plain one does */
    long long droppable = base_file_field_number(path, "total_inactive_file");
    if (droppable < 0) droppable = base_file_field_number(path, "inactive_file");
    long long here = limit - (usage > 0 ? usage : 0) + (droppable > 0 ? droppable : 0);
    here = here < 0 ? 0 : here < limit ? here : limit;
    if (*room < 0 || here < *room) *room = here;
}

long long base_cgroup_memory_room(const char *membership, const char *root) {
    long long room = -1;
    walk(membership, root, &memory, visit_memory, &room);
    return room;
}

/* As visit_memory */
static void visit_memory_limit(const char *folder, void *context) {
    long long limit = memory_limit(folder), *least = context;
    if (limit >= 0 && (*least < 0 || limit < *least)) *least = limit;
}

long long base_cgroup_memory_limit(const char *membership, const char *root) {
    long long least = -1;
    walk(membership, root, &memory, visit_memory_limit, &least);
    return least;
}

/* The nearest group decides: its set is already cut to those of its ancestors. */
static void list_of(const char *folder, const char *v2, const char *v1, char *list, int size) {
    char path[PATH_ROOM];
    if (list[0]) return;
    snprintf(path, sizeof path, "%s/%s", folder, v2);
    if (base_file_line(path, list, size)) return;
    snprintf(path, sizeof path, "%s/%s", folder, v1);
    base_file_line(path, list, size);
}

static void visit_cpuset(const char *folder, void *context) {
    struct base_cgroup_sets *sets = context;
    list_of(folder, "cpuset.cpus.effective", "cpuset.effective_cpus", sets->cpus, sizeof sets->cpus);
    list_of(folder, "cpuset.mems.effective", "cpuset.effective_mems", sets->memory_nodes, sizeof sets->memory_nodes);
}

void base_cgroup_cpuset(const char *membership, const char *root, struct base_cgroup_sets *sets) {
    *sets = (struct base_cgroup_sets){0};
    walk(membership, root, &cpuset, visit_cpuset, sets);
}

/* In microseconds. v2's cpu.max holds quota and period, or "max". In v1 a quota of -1 means none. */
static void visit_quota(const char *folder, void *context) {
    struct base_cgroup_quota *tightest = context;
    char path[PATH_ROOM], line[64];
    long long quota = -1, period = -1;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (!base_file_line(path, line, sizeof line) || sscanf(line, "%lld %lld", &quota, &period) != 2) {
        snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder);
        quota = base_file_number(path);
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        period = base_file_number(path);
    }
    if (quota <= 0 || period <= 0) return;
    const double cpus = (double)quota / (double)period;
    if (tightest->cpus > 0 && cpus >= tightest->cpus) return;
    tightest->cpus = cpus;
    tightest->period_s = 1e-6 * (double)period;
    snprintf(tightest->group, sizeof tightest->group, "%s", folder);
}

void base_cgroup_quota(const char *membership, const char *root, struct base_cgroup_quota *quota) {
    *quota = (struct base_cgroup_quota){0};
    walk(membership, root, &cpu, visit_quota, quota);
}

void base_cgroup_cpu_groups(const char *membership, const char *root, base_cgroup_visit *visit, void *context) {
    walk(membership, root, &cpu, visit, context);
}
