/* SPDX-License-Identifier: Apache-2.0
 *
 * The record of a campaign's jobs. */
#include "jobs/jobs.h"
#include "records/set.h"

static json_t *job_json(const struct jobs_job *j) {
    json_t *o = json_object();
    record_set(o, "name", json_string(j->name));
    record_set(o, "command", json_string(j->work->command->name));
    record_set(o, "workload", j->work->workload ? json_string(j->work->workload) : json_null());
    record_set_integer(o, "nodes", j->nodes);
    record_set_integer(o, "day", j->day);
    record_set_integer(o, "launches", j->work->launches);
    record_set_integer(o, "done", j->done);
    record_set_integer(o, "failed", j->failed);
    record_set(o, "state", json_string(jobs_state_name(j->state)));
    record_set(o, "slurm_job", j->id[0] ? json_string(j->id) : json_null());
    if (j->state == JOBS_FAILED) record_set(o, "why", json_string(j->why));
    return o;
}

json_t *jobs_record(const struct jobs_campaign *c) {
    int count[JOBS_STATES] = {0};
    json_t *jobs = json_array(), *result = json_object();
    for (int i = 0; i < c->count; i++) {
        count[c->jobs[i].state]++;
        json_array_append_new(jobs, job_json(&c->jobs[i]));
    }
    const bool done = count[JOBS_DONE] == c->count;
    json_t *o = record_head("jobs",
                            done                 ? RECORD_PASSED
                            : count[JOBS_FAILED] ? RECORD_FAILED
                                                 : RECORD_INCONCLUSIVE,
                            done                 ? ""
                            : count[JOBS_FAILED] ? "jobs ended without their launches"
                                                 : "jobs are missing");
    record_set(o, "config", json_pack("{s:s, s:s, s:s}", "campaign", c->name, "file", c->path, "folder", c->folder));
    for (int s = 0; s < JOBS_STATES; s++) record_set_integer(result, jobs_state_name((enum jobs_state)s), count[s]);
    record_set(result, "jobs", jobs);
    record_set(o, "result", result);
    return o;
}
