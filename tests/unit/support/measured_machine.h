/* SPDX-License-Identifier: Apache-2.0
 *
 * A machine of made records, with constant rates, and plans of gpt2-124m that it prices. */
#ifndef TOISE_TESTS_MEASURED_MACHINE_H
#define TOISE_TESTS_MEASURED_MACHINE_H

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "projection/measured.h"
#include "unit/support/config_json.h"

enum { MOST = 96 };
static struct machine_point points[MOST];
static struct machine_message messages[MOST];
static struct machine_contention contentions[4];
static struct machine machine;

static const double FAST = 100e9, SLOW = 25e9, MEMORY = 20e9;

static inline int empty(void **state) {
    (void)state;
    machine = (struct machine){
        .name = "m", .path = "m.jsonl", .points = points, .messages = messages, .contentions = contentions};
    return 0;
}

static inline struct machine_point *point(const char *op, const char *trans, int64_t a, int64_t b, int64_t c, int64_t d,
                                          double call_s) {
    struct machine_point *p = &points[machine.point_count++];
    *p = (struct machine_point){.dtype = MACHINE_FP32,
                                .threads = 1,
                                .sizes = {a, b, c, d},
                                .call_s = call_s,
                                .bytes = 1,
                                .peak_flop_per_s = 2 * FAST,
                                .bandwidth_byte_per_s = MEMORY};
    snprintf(p->op, sizeof p->op, "%s", op);
    snprintf(p->trans, sizeof p->trans, "%s", trans);
    return p;
}

/* One shape of each matmul, at rate FAST, and of attention, at rate SLOW. No passes. */
static inline void plain(void) {
    static const char *const trans[] = {"NN", "NT", "TN"};
    for (int i = 0; i < 3; i++) point("gemm", trans[i], 64, 64, 64, 1, plan_gemm_flop(64, 64, 64) / FAST);
    point("attention_forward", "", 1, 12, 256, 64, plan_attention_flop(1, 12, 256, 0, 64, false) / SLOW);
    point("attention_backward", "", 1, 12, 256, 64, plan_attention_flop(1, 12, 256, 0, 64, true) / SLOW);
}

static inline void message(int ranks, double bytes, double time_s, double hidden) {
    messages[machine.message_count++] = (struct machine_message){
        .ranks = ranks, .nodes = 1, .threads = 1, .bytes = bytes, .time_s = time_s, .hidden = hidden};
}

static inline void plan_of(struct plan *plan, int64_t seq, int64_t micro, int64_t global, int world) {
    struct plan_request r = {
        .seq = seq, .layout = plan_layout_data_parallel(world, micro), .global_batch = global, .threads = 1};
    struct base_error e = {0};
    json_t *json = config_json_preset("gpt2-124m");
    r.config = config_json_accepted(json);
    if (plan_make(plan, &r, &e)) fail_msg("%s", e.text);
}

static inline struct projection_measured priced(const struct plan *plan) {
    struct projection_measured r;
    struct base_error e = {0};
    if (projection_measured_price(&machine, plan, &r, &e)) fail_msg("%s", e.text);
    return r;
}

static inline void near(double x, double wanted) {
    if (!(fabs(x / wanted - 1) < 1e-9)) fail_msg("%.12g is not %.12g", x, wanted);
}

static inline const struct projection_priced *line(const struct projection_measured *r, const char *name,
                                                   const char *op) {
    for (int i = 0; i < r->count; i++)
        if (!strcmp(r->ops[i].name, name) && !strcmp(r->ops[i].op, op)) return &r->ops[i];
    fail_msg("no line %s, %s", name, op);
    return NULL;
}

static const double ALPHA = 10e-6, BETA = 1 / 5e9;

static inline double ring(int ranks, double bytes) {
    return 2.0 * (ranks - 1) * (ALPHA + BETA * bytes / ranks);
}

#endif
