/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes the records. */
#include "unit/support/made_curve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/random.h"
#include "records/set.h"

enum { SEQ = 64, STEPS = 20 };

double made_curve_tokens(const struct made_law *law, double n) {
    return SEQ * law->batch * (law->mode == RECORD_WEAK ? n : 1);
}

double made_curve_rate(const struct made_law *law, double n) {
    if (law->step_s) return made_curve_tokens(law, n) / law->step_s(n);
    return law->rate * n / (1 + law->serial * (n - 1) + law->coherence * n * (n - 1));
}

/* A standard normal number of (seed, which). */
static double normal(uint64_t seed, uint64_t which) {
    float z[2];
    base_random_normal(seed, BASE_STREAM_TEST, 2 * which, 2, z);
    return z[0];
}

void made_curve_take(struct made_curve *m, json_t *record) {
    assert_non_null(record);
    assert_true(m->count < MADE_RECORDS);
    m->at[m->count++] = (struct record_loaded){.record = record};
}

static json_t *list_of(double value, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++) json_array_append_new(list, json_real(value + 0.01 * i));
    return list;
}

static void add_run(struct made_curve *m, const struct made_law *law, int n, int run) {
    const int ranks = n * (law->unit_ranks ? law->unit_ranks : 1), nodes = law->unit == RECORD_NODE ? n : 1;
    const double noise = law->run_sd * normal(law->seed, (uint64_t)(n * 64 + run)) +
                         law->repeat_sd * normal(law->seed, (uint64_t)(1000000 + run));
    const double rate = made_curve_rate(law, n) * exp(noise), tokens = made_curve_tokens(law, n), step = tokens / rate;
    char id[64], time[32];
    snprintf(id, sizeof id, law->jobs ? "job-%d-%d" : "sweep", n, run);
    snprintf(time, sizeof time, "2026-01-01T00:%02d:%02dZ", n % 60, run % 60);
    json_t *r = json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:s, s:s, s:i}, s:{s:s, s:s, s:i, s:s}, s:n}", "schema",
                          "toise/1", "kind", "train", "status", "PASSED", "time", time, "version", "0.1.0", "launch",
                          "id", id, "job", "j", "nodes", nodes, "machine", "cpu", "Made CPU", "isa", "avx2", "cpus", 64,
                          "fingerprint", "f00d", "workload");
    json_t *config = json_pack("{s:s, s:i, s:s, s:i, s:i, s:i}", "model", "tiny", "parameters", 1000000, "precision",
                               "fp32", "seq", SEQ, "global_batch", (int)(tokens / SEQ), "seed", 1);
    json_t *layout = json_pack("{s:i, s:i, s:i, s:i, s:i}", "world", ranks, "nodes", nodes, "threads", 2, "micro_batch",
                               1, "bucket_bytes", 1 << 20);
    json_t *result =
        json_pack("{s:f, s:f, s:f, s:f, s:o, s:o, s:{s:f, s:f, s:f, s:f, s:f}}", "tokens_per_s", rate,
                  "tokens_per_s_low", rate * 0.98, "tokens_per_s_high", rate * 1.02, "peak_flop_per_s", 1e11 * ranks,
                  "loss", list_of(5, STEPS), "grad_norm", list_of(2, STEPS), "breakdown", "forward", 0.3 * step,
                  "backward", 0.6 * step, "zero", 0.02 * step, "update", 0.08 * step, "communication", 0.0);
    record_set(result, "per_rank",
               json_pack("[{s:s, s:f, s:f}]", "host", "n1", "compute_s", 0.9 * step, "wait_s", 0.01 * step));
    assert_true(r && config && layout && result);
    record_set(r, "config", config), record_set(r, "layout", layout), record_set(r, "result", result);
    if (!law->jobs) {
        const struct record_scaling s = {law->mode, law->unit, n, run + 1, 1};
        record_set(r, "scaling", record_scaling_json(&s));
    }
    made_curve_take(m, r);
}

void made_curve_add(struct made_curve *m, const struct made_law *law) {
    for (int k = 0; k < MADE_POINTS && law->n[k]; k++)
        for (int run = 0; run < law->runs; run++) add_run(m, law, law->n[k], run);
}

void made_curve_comm(struct made_curve *m, int ranks, int nodes, double alpha, double beta, double sd, uint64_t seed) {
    static const double sizes[] = {1e5, 3e5, 1e6, 2e6, 4e6, 1e7};
    for (int i = 0; i < 6; i++) {
        const double time = (2 * (ranks - 1) * alpha + 2.0 * (ranks - 1) / ranks * sizes[i] * beta) *
                            exp(sd * normal(seed, (uint64_t)i));
        made_curve_take(m, json_pack("{s:s, s:s, s:s, s:{s:i, s:i, s:i}, s:{s:s, s:s, s:f, s:f, s:f}}", "kind", "comm",
                                     "status", "PASSED", "time", "2026-01-01T00:00:00Z", "layout", "world", ranks,
                                     "nodes", nodes, "threads", 2, "result", "op", "all_reduce", "group", "all",
                                     "bytes", sizes[i], "time_s", time, "cost_s", 0.5 * time));
    }
}

void made_curve_close(struct made_curve *m) {
    for (size_t i = 0; i < m->count; i++) json_decref(m->at[i].record);
    m->count = 0;
}
