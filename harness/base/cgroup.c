/* SPDX-License-Identifier: Apache-2.0
 *
 * The room is the least over the process's group and all its parents, in both hierarchies. */
#include "base/cgroup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

struct hierarchy {
    const char *mount; /* below the root */
    const char *limit, *usage, *droppable;
};

static const struct hierarchy v2 = {"", "memory.max", "memory.current", "inactive_file"};
static const struct hierarchy v1 = {"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

static long long least(long long a, long long b) {
    if (a < 0 || b < 0) return a < 0 ? b : a;
    return a < b ? a : b;
}

static long long room_of_folder(const char *folder, const struct hierarchy *h) {
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", folder, h->limit);
    long long limit = base_file_number(path);
    if (limit < 0 || limit >= LLONG_MAX / 2) return -1; /* v1 writes "no limit" as a huge number */
    snprintf(path, sizeof path, "%s/%s", folder, h->usage);
    long long usage = base_file_number(path);
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    long long droppable = base_file_field_number(path, h->droppable);
    long long room = limit - (usage > 0 ? usage : 0) + (droppable > 0 ? droppable : 0);
    return room < 0 ? 0 : room < limit ? room : limit;
}

/* Over `group` and its parents up to the mount. A container may not see its own group's folder; what lies above
 * is then looked at all the same. */
static long long room_of_group(const char *root, const char *group, const struct hierarchy *h) {
    char folder[PATH_MAX];
    size_t top = strlen(root) + strlen(h->mount);
    if ((size_t)snprintf(folder, sizeof folder, "%s%s%s", root, h->mount, group) >= sizeof folder) return -1;
    long long room = -1;
    for (size_t end = strlen(folder); end > top; folder[end] = '\0') {
        room = least(room, room_of_folder(folder, h));
        while (end > top && folder[end - 1] != '/') end--;
        if (end > top) end--;
    }
    folder[top] = '\0';
    return least(room, room_of_folder(folder, h));
}

long long base_cgroup_memory_room(const char *membership, const char *root) {
    FILE *file = fopen(membership, "re");
    if (file == NULL) return -1;
    char *line = NULL;
    size_t capacity = 0;
    long long room = -1;
    /* lines are hierarchy:controllers:group; v2 is 0 with no controllers */
    while (getline(&line, &capacity, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL) continue;
        *group++ = '\0';
        controllers++;
        if (controllers[0] == '\0') room = least(room, room_of_group(root, group, &v2));
        if (strcmp(controllers, "memory") == 0) room = least(room, room_of_group(root, group, &v1));
    }
    free(line);
    fclose(file);
    return room;
}
