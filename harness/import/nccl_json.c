/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON file of nccl-tests (option -J; jsonOutputInit() and what follows in its src/util.cu, file version 2). With
 * per-iteration timing it has every sample. The environment that it lists is not copied. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "import/nccl.h"

static void read_run(const json_t *json, struct nccl_run *run) {
    const json_t *devices = record_at(json, "config.devices"), *first = json_array_get(devices, 0), *device;
    const long each = record_whole(json, "config.nthreads") * record_whole(json, "config.ngpus");
    const char *program = json_string_value(json_array_get(json_object_get(json, "args"), 0));
    json_t *hosts = json_object();
    size_t i;
    json_array_foreach(devices, i, device) json_object_set_new(hosts, record_text(device, "hostname"), json_true());
    *run = (struct nccl_run){.ranks = (int)(json_array_size(devices) * (size_t)(each > 0 ? each : 1)),
                             .nodes = (int)json_object_size(hosts),
                             .iterations = record_whole(json, "config.iterations"),
                             .warmup = record_whole(json, "config.warmup_iters")};
    snprintf(run->host, sizeof run->host, "%s", record_text(first, "hostname"));
    snprintf(run->device, sizeof run->device, "%s", record_text(first, "device_info"));
    if (program) import_nccl_program(program, run->op);
    json_decref(hosts);
}

/* One of "out_of_place" and "in_place" of a row. */
static int take_place(struct import_job *job, struct nccl_run *run, const json_t *row, size_t number, bool in_place) {
    const json_t *body = json_object_get(row, in_place ? "in_place" : "out_of_place");
    const json_t *each = json_object_get(row, in_place ? "in_place_per_iter" : "out_of_place_per_iter");
    struct nccl_point p = {.bytes = record_real(row, "size"), .count = record_real(row, "count"), .in_place = in_place};
    if (!json_is_object(body)) return BASE_OK; /* null: it was not run */
    p.time_s = 1e-6 * record_real(body, "time"), p.wrong = record_real(body, "nwrong");
    p.min_s = 1e-6 * record_real(each, "min_us"), p.max_s = 1e-6 * record_real(each, "max_us");
    p.p99_s = 1e-6 * record_real(each, "p99_us"), p.cv = 1e-2 * record_real(each, "cv_pct");
    p.algbw = 1e9 * record_real(body, "alg_bw"), p.busbw = 1e9 * record_real(body, "bus_bw");
    p.times_us = json_array_size(json_object_get(each, "times_us")) ? json_object_get(each, "times_us") : NULL;
    p.root = strtol(record_text(row, "root"), NULL, 10);
    snprintf(p.type, sizeof p.type, "%s", record_text(row, "type"));
    snprintf(p.redop, sizeof p.redop, "%s", record_text(row, "redop"));
    if (!(p.time_s > 0) || !(p.bytes >= 0))
        return import_bad(job, 0, "results[%zu].%s has no time above 0, or no size", number,
                          in_place ? "in_place" : "out_of_place");
    const long own = record_whole(row, "actual_iterations");
    if (own > 0) run->iterations = own;
    import_nccl_record(job, run, &p, 1);
    return BASE_OK;
}

int import_nccl_json(struct import_job *job, const json_t *json) {
    const json_t *rows = json_object_get(json, "results"), *row;
    struct nccl_run run;
    size_t i;
    read_run(json, &run);
    int code = import_nccl_op(job, &run, 1);
    json_array_foreach(rows, i, row) {
        if (!code) code = take_place(job, &run, row, i, false);
        if (!code) code = take_place(job, &run, row, i, true);
    }
    if (!code && json_array_size(job->records) == job->first)
        code = base_fail(job->e, BASE_USAGE, "%s: \"results\" has no row that can be used", job->path);
    return code;
}
