/* SPDX-License-Identifier: Apache-2.0
 *
 * A step of all ranks as a timeline. A process of it is a rank; its first track has the calls, its second the
 * messages. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "profile/profile.h"
#include "records/timeline.h"

/* What rank 0 knows of a rank. offset: seconds to add to its clock to have rank 0's. */
struct track {
    double began, ended, offset;
    int count, rows, lost;
    char host[64];
};

struct gathered {
    const struct profile *profile;
    struct track *tracks;         /* [ranks] */
    struct profile_event *events; /* of all ranks, one after the other */
    struct profile_row *rows;     /* likewise */
};

/* Clocks of one node are one clock. Those of several are aligned where all leave a barrier: to the microseconds that
 * this takes. */
static double clock_offset(const struct profile *p) {
    enum { BARRIERS = 5 }; /* the first ones find ranks that are late */
    struct comm *world = p->world;
    for (int i = 0; i < BARRIERS; i++) world->ops->barrier(world);
    const double mine = base_clock_now();
    double first = mine;
    world->ops->broadcast(world, &first, sizeof first);
    return world->nodes > 1 ? first - mine : 0;
}

static void put_rank(struct record_timeline *t, const struct gathered *g, int rank, const struct profile_event *events,
                     const struct profile_row *rows) {
    const struct track *k = &g->tracks[rank];
    const double zero = g->tracks[0].began;
    char name[96];
    snprintf(name, sizeof name, "rank %d, %s", rank, k->host);
    record_timeline_name(t, rank, -1, name);
    record_timeline_name(t, rank, 0, "calls");
    record_timeline_name(t, rank, 1, "messages");
    record_timeline_event(t, &(struct record_event){.name = "step",
                                                    .kind = "step",
                                                    .start_s = k->began + k->offset - zero,
                                                    .seconds = k->ended - k->began,
                                                    .process = rank});
    for (int i = 0; i < k->count; i++) {
        const struct profile_row *row = &rows[events[i].row];
        record_timeline_event(t, &(struct record_event){.name = events[i].message ? "message in flight" : row->name,
                                                        .kind = plan_phase_name(row->phase),
                                                        .start_s = events[i].begin + k->offset - zero,
                                                        .seconds = events[i].end - events[i].begin,
                                                        .process = rank,
                                                        .track = events[i].message});
    }
}

static bool fill(FILE *file, void *context) {
    const struct gathered *g = context;
    const struct profile_event *events = g->events;
    const struct profile_row *rows = g->rows;
    struct record_timeline t = record_timeline_begin(file);
    char title[96] = "toise train: a step";
    int lost = 0;
    for (int rank = 0; rank < g->profile->world->size; rank++) {
        put_rank(&t, g, rank, events, rows);
        events += g->tracks[rank].count;
        rows += g->tracks[rank].rows;
        lost += g->tracks[rank].lost;
    }
    if (lost) snprintf(title, sizeof title, "toise train: a step without its last %d calls", lost);
    return record_timeline_end(&t, title);
}

/* Rank 0 gets `bytes` bytes of a rank at *to, and moves on to what follows them. */
static void bring(struct comm *world, int rank, const void *mine, size_t bytes, char **to) {
    struct comm_request request = {0};
    if (bytes && rank && world->rank == 0)
        world->ops->receive_start(world, *to, bytes, rank, 0, &request), world->ops->wait(world, &request);
    if (bytes && rank && world->rank == rank)
        world->ops->send_start(world, mine, bytes, 0, 0, &request), world->ops->wait(world, &request);
    if (bytes && !rank && world->rank == 0) memcpy(*to, mine, bytes);
    if (world->rank == 0) *to += bytes;
}

/* Rank 0 receives the calls of all ranks, and their rows: stages of a pipeline have different ones. */
static int gather(const struct profile *p, struct gathered *g, struct base_error *e) {
    struct comm *world = p->world;
    size_t all = 0, rows = 0;
    for (int rank = 0; rank < world->size; rank++)
        all += (size_t)g->tracks[rank].count, rows += (size_t)g->tracks[rank].rows;
    if (world->rank == 0) g->events = malloc(all ? all * sizeof *g->events : 1);
    if (world->rank == 0) g->rows = malloc(rows * sizeof *g->rows);
    int code = world->rank || (g->events && g->rows) ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a trace");
    if ((code = comm_agree(world, code, e))) return code;
    char *event = (char *)g->events, *row = (char *)g->rows;
    for (int rank = 0; rank < world->size; rank++) {
        bring(world, rank, p->events, (size_t)g->tracks[rank].count * sizeof *g->events, &event);
        bring(world, rank, p->rows, (size_t)g->tracks[rank].rows * sizeof *g->rows, &row);
    }
    return BASE_OK;
}

int profile_trace(const struct profile *p, const char *path, struct base_error *e) {
    struct comm *world = p->world;
    struct track mine = {
        .began = p->began, .ended = p->ended, .count = p->event_count, .rows = p->row_count, .lost = p->lost};
    struct gathered g = {.profile = p, .tracks = calloc((size_t)world->size, sizeof mine)};
    int code = comm_agree(world, g.tracks ? BASE_OK : base_fail(e, BASE_BROKEN, "out of memory for a trace"), e);
    if (!code) {
        if (gethostname(mine.host, sizeof mine.host - 1)) mine.host[0] = 0;
        mine.offset = clock_offset(p);
        world->ops->all_gather(world, &mine, sizeof mine, g.tracks);
        code = gather(p, &g, e);
    }
    if (!code && world->rank == 0) code = base_file_make_below(path, fill, &g, e);
    free(g.tracks), free(g.events), free(g.rows);
    return comm_agree(world, code, e);
}
