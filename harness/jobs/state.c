/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done: by each job's records, by the list of what was submitted, and by Slurm's queue. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "jobs/jobs.h"
#include "jobs/paths.h"

const char *jobs_state_name(enum jobs_state state) {
    static const char *const names[] = {"new", "waiting", "done", "failed"};
    return names[state];
}

/* The launches of a job's file, by id: whether all their records count. */
struct seen {
    struct jobs_job *job;
    json_t *launches;
};

static int see(void *context, const struct record_line *line) {
    struct seen *s = context;
    const json_t *r = line->record;
    const char *id = record_text(r, "launch.id"), *status = record_text(r, "status");
    if (strcmp(record_text(r, "kind"), s->job->work->command->kind) != 0) return BASE_OK;
    const bool alone = s->job->work->command->alone;
    const long long nodes = record_whole(r, "launch.nodes");
    const bool all = alone || nodes == s->job->nodes;
    const bool counts = (!strcmp(status, "PASSED") || !strcmp(status, "INCONCLUSIVE")) && all;
    const json_t *before = json_object_get(s->launches, id);
    json_object_set_new(s->launches, id, json_boolean(counts && (!before || json_is_true(before))));
    if (counts) return BASE_OK;
    if (!all)
        snprintf(s->job->why, sizeof s->job->why, "a launch ran on %lld nodes", nodes);
    else
        snprintf(s->job->why, sizeof s->job->why, "%s: %.120s", *status ? status : "no status", record_text(r, "why"));
    return BASE_OK;
}

static int look_at(const struct jobs_campaign *c, struct jobs_job *j, struct base_error *e) {
    char path[JOBS_PATH];
    struct seen s = {j, json_object()};
    const char *id;
    json_t *counts;
    int code = BASE_OK;
    jobs_path(c, j->name, ".jsonl", path);
    j->done = j->failed = 0;
    if (!access(path, F_OK)) code = record_read(path, see, &s, e);
    json_object_foreach(s.launches, id, counts) {
        j->done += json_is_true(counts);
        j->failed += !json_is_true(counts);
    }
    if (j->work->command->alone) j->done /= j->nodes; /* a launch is one of each node */
    json_decref(s.launches);
    return code;
}

/* Lines "ID NAME" in the order of submission; the last one of a job counts. */
static void read_submitted(struct jobs_campaign *c) {
    char path[JOBS_PATH], line[512], id[32], name[320];
    jobs_path(c, "submitted", "", path);
    FILE *file = fopen(path, "r");
    for (int at = 1; file && fgets(line, sizeof line, file); at++) {
        if (sscanf(line, "%31s %319s", id, name) != 2) continue;
        for (int i = 0; i < c->count; i++)
            if (!strcmp(c->jobs[i].name, name)) {
                snprintf(c->jobs[i].id, sizeof c->jobs[i].id, "%s", id);
                c->jobs[i].submitted = at;
            }
    }
    if (file) fclose(file);
}

/* Whether the list, one number a line, has this one. */
static bool listed(const char *list, const char *id) {
    const size_t n = strlen(id);
    for (const char *at = list; (at = strstr(at, id)); at += n)
        if ((at == list || at[-1] == '\n') && (at[n] == '\n' || !at[n])) return true;
    return false;
}

/* Slurm's numbers of this user's jobs that wait or run. The caller frees *list. */
static int ask_queue(const struct jobs_job *for_job, char **list, struct base_error *e) {
    const struct passwd *user = getpwuid(geteuid());
    char name[64];
    snprintf(name, sizeof name, "%.63s", user ? user->pw_name : "");
    char *const command[] = {"squeue", "--noheader", "--format=%A", "--user", name, NULL};
    const struct base_child_how how = {.limit_s = 60, .most = 1 << 22};
    struct base_child_end end;
    if (base_child_run(command, &how, &end, e) || end.late || end.code) {
        const bool ran = end.out;
        if (ran) free(end.out);
        return base_fail(e, BASE_USAGE,
                         "squeue does not say whether job %s still waits: %.300s; run this where Slurm's "
                         "commands work",
                         for_job->id, ran && *end.errors ? end.errors : "it does not answer");
    }
    *list = end.out;
    return BASE_OK;
}

int jobs_look(struct jobs_campaign *c, struct base_error *e) {
    char *queue = NULL;
    int code = BASE_OK;
    read_submitted(c);
    for (int i = 0; i < c->count && !code; i++) {
        struct jobs_job *j = &c->jobs[i];
        code = look_at(c, j, e);
        j->state = j->done >= j->work->launches ? JOBS_DONE : j->id[0] || j->failed ? JOBS_FAILED : JOBS_NEW;
        if (j->state != JOBS_FAILED || !j->id[0]) continue;
        if (!code && !queue) code = ask_queue(j, &queue, e);
        if (!code && listed(queue, j->id)) j->state = JOBS_WAITING;
        if (!code && j->state == JOBS_FAILED && !j->why[0])
            snprintf(j->why, sizeof j->why, "job %s ended with %d of %d launches", j->id, j->done, j->work->launches);
    }
    free(queue);
    return code;
}
