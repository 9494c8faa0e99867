/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes records: times of the parts, noise, and the rate of their sum. */
#include "unit/support/made_launches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "unit/support/folder.h"
#include "unit/support/machine_json.h"

static double at_least_one(double x) {
    return x > 0 ? x : 1;
}

/* The record of a launch, whose steps take `slow` times as long as they should. */
static json_t *make(const struct made_side *s, int launch, const float *noise) {
    const double sd = s->sd > 0 ? s->sd : 0.01, slow = exp(sd * noise[0]);
    const double lost = s->steal + s->other + s->throttled, own = 0.3 * sd, more = slow / (1 - lost);
    const double matmul = 2.0 / at_least_one(s->matmul) * more * exp(own * noise[1]);
    const double passes = 0.08 / at_least_one(s->passes) * more * exp(own * noise[2]);
    const int ranks = (int)at_least_one(s->ranks), steps = 10;
    const double communication = ranks > 1 ? 0.1 / at_least_one(s->communication) * more * exp(own * noise[3]) : 6e-6;
    const double step = matmul + passes + communication;
    char id[64], job[64], host[64];
    snprintf(id, sizeof id, "2026-11-29T00:00:%02dZ-%llu-%d", launch % 60, (unsigned long long)s->seed, launch);
    snprintf(job, sizeof job, "%s", id);
    if (s->jobs) snprintf(job, sizeof job, "job-%llu-%d", (unsigned long long)s->seed, launch % s->jobs);
    snprintf(host, sizeof host, "%s%d", s->name ? s->name : "node", launch % (int)at_least_one(s->nodes));
    json_t *ranks_list = json_array();
    for (int i = 0; i < ranks; i++)
        json_array_append_new(ranks_list,
                              json_pack("{s:s,s:i,s:b,s:b,s:f,s:f,s:f}", "host", host, "threads", 2, "pinned", 1,
                                        "bound", 1, "steal_s", s->steal * step * steps * 2, "other_s",
                                        s->other * step * steps * 2, "throttled_s", s->throttled * step * steps * 2));
    json_t *result =
        json_pack("{s:f, s:f, s:f, s:f, s:o, s:{s:f}, s:{s:f,s:f,s:f,s:f,s:f,s:f,s:f}}", "step_s", step, "wall_s",
                  steps * step, "tokens_per_s", 1024 / step, "peak_flop_per_s",
                  5e11 * at_least_one(s->peak) * exp(own * noise[4]) / slow, "per_rank", ranks_list, "residual", "loss",
                  0.1, "breakdown", "zero", 0.15 * passes, "forward", 0.23 * matmul, "head", 0.3 * matmul, "backward",
                  0.47 * matmul, "communication", communication, "clip", 0.15 * passes, "update", 0.7 * passes);
    json_t *machine =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:n, s:s, s:s, s:s, s:f, s:b, s:i, s:{s:s}, s:{s:s,s:s}, s:{}}", "host",
                  host, "cpu", "Made CPU", "isa", "avx512", "kernel", "Linux 6.1", "governor", "performance",
                  "cpu_quota", "transparent_huge_pages", "always", "mpi", "Open MPI v4.1.4", "compiler", "gcc 12.2.0",
                  "max_hz", 3e9, "smt", 0, "numa_nodes", 1, "kernels", "gemm", "avx512", "openblas", "config",
                  "OpenBLAS 0.3.21", "core", "SkylakeX", "environment");
    return json_pack(
        "{s:s,s:s,s:s,s:s,s:s, s:{s:s,s:i,s:s}, s:o, s:{s:s,s:i,s:s}, s:{s:s}, s:{s:i,s:i,s:i}, s:{}, s:o}", "schema",
        "toise/1", "kind", "train", "status", "PASSED", "time", "2026-11-29T00:00:00Z", "version", "0.1.0", "launch",
        "id", id, "nodes", 1, "job", job, "machine", machine, "workload", "name", "node-s", "version", 1, "precision",
        "fp32", "config", "model", "gpt2-124m", "layout", "world", ranks, "threads", 2, "nodes", 1, "samples", "result",
        result);
}

const char *made_launches(const char *file, const struct made_side *side) {
    static char paths[16][512];
    static int turn;
    char *path = paths[turn++ % 16];
    snprintf(path, sizeof *paths, "%s", folder_name(file));
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    for (int i = 0; i < side->launches; i++) {
        float noise[8];
        base_random_normal(side->seed, BASE_STREAM_TEST, (uint64_t)i * 8, 8, noise);
        json_t *record = make(side, i, noise);
        assert_non_null(record);
        char *text = json_dumps(record, JSON_COMPACT);
        json_decref(record);
        for (int k = 0; k < MADE_CHANGES; k++) {
            if (!side->change[k].path) continue;
            char *changed = machine_json_changed(text, side->change[k].path, side->change[k].value);
            free(text);
            text = changed;
        }
        json_t *flat = json_loads(text, 0, NULL); /* on one line */
        free(text);
        text = json_dumps(flat, JSON_COMPACT);
        assert_non_null(text);
        fprintf(out, "%s\n", text);
        free(text);
        json_decref(flat);
    }
    assert_int_equal(fclose(out), 0);
    return path;
}
