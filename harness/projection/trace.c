/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes one event for each task; gathers and reductions have a track of their own. */
#include "projection/trace.h"

#include "base/file.h"
#include "records/timeline.h"

struct tasks {
    const char *title;
    const struct cost_event *events;
    int64_t count;
};

static bool fill(FILE *file, void *context) {
    static const char *const kinds[] = {"forward", "backward", "weight gradient", "gather", "reduce"};
    const struct tasks *tasks = context;
    struct record_timeline t = record_timeline_begin(file);
    for (int64_t i = 0; i < tasks->count; i++) {
        const struct cost_event *x = &tasks->events[i];
        char name[64];
        snprintf(name, sizeof name, "%c%lld.%d", kinds[x->task][0], (long long)x->micro_batch, x->chunk);
        record_timeline_event(&t, &(struct record_event){.name = name,
                                                         .kind = kinds[x->task],
                                                         .start_s = x->start,
                                                         .seconds = x->end - x->start,
                                                         .process = x->device,
                                                         .track = x->task >= COST_GATHER});
    }
    return record_timeline_end(&t, tasks->title);
}

int projection_trace_write(const char *path, const char *title, const struct cost_event *events, int64_t count,
                           struct base_error *e) {
    struct tasks tasks = {title, events, count};
    return base_file_make_below(path, fill, &tasks, e);
}
