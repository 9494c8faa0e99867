/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures a short step, and multiplies. */
#include "sweep/cost.h"

#include <math.h>

static double micro_s(const struct parallel_result *r) {
    return r->phase_s[PLAN_PHASE_BATCH] + r->phase_s[PLAN_PHASE_FORWARD] + r->phase_s[PLAN_PHASE_HEAD] +
           r->phase_s[PLAN_PHASE_BACKWARD];
}

/* Two steps of one micro-batch; the second is timed, as the first touches memory first. */
static int run(struct sweep_rate *rate, struct parallel_engine *g, uint64_t seed, struct comm *world,
               struct base_error *e) {
    const struct parallel_optimizer optimizer = parallel_optimizer_default();
    const struct data_options options = {
        .vocab = g->plan->request.config.vocab, .seq = g->plan->request.seq, .seed = seed, .shares = 1};
    struct data_source *source = NULL;
    struct parallel_result r;
    const int code = comm_agree(world, data_open(&source, &options, e), e);
    if (!code) {
        parallel_start(g, seed, false);
        parallel_step(g, source, &optimizer, 0, &r);
        world->ops->barrier(world);
        parallel_step(g, source, &optimizer, 1, &r);
        double slowest[2] = {micro_s(&r), r.seconds - micro_s(&r)};
        world->ops->max(world, slowest, 2);
        rate->micro_s = slowest[0];
        rate->update_s = slowest[1];
    }
    data_close(source);
    return code;
}

int sweep_rate_measure(struct sweep_rate *rate, const struct plan_request *request, const struct kernel_ops *ops,
                       uint64_t seed, struct comm *world, struct base_error *e) {
    struct plan_request alone = *request;
    struct parallel_engine g = {0}; /* may be closed without being opened */
    struct comm serial;
    struct plan plan;
    comm_serial(&serial);
    alone.layout = plan_layout_data_parallel(1, request->layout.micro_batch);
    alone.global_batch = request->layout.micro_batch;
    alone.rank = 0;
    int code = plan_make(&plan, &alone, e);
    if (!code) code = parallel_open(&g, &plan, &serial, ops, e);
    code = comm_agree(world, code, e);
    if (!code) code = run(rate, &g, seed, world, e);
    parallel_close(&g);
    return code;
}

/* Of a step, without communication. */
static double step_s(const struct sweep_point *p, const struct sweep_work *w, const struct sweep_rate *rate) {
    if (rate->tokens_per_s > 0) return (double)p->global_batch * (double)w->seq / p->n / rate->tokens_per_s;
    return (double)(p->global_batch / p->ranks / w->micro_batch) * rate->micro_s + rate->update_s;
}

/* Several ranks also run a step without communication after every second timed one (train/loop.c). */
static double run_s(const struct sweep_point *p, const struct sweep_work *w, const struct sweep_rate *rate) {
    const int probes = p->ranks > 1 ? (w->steps + 1) / 2 : 0;
    return (w->warmup + w->steps + probes) * step_s(p, w, rate);
}

json_t *sweep_cost_json(const struct sweep_points *points, const struct sweep_request *r, const struct sweep_work *w,
                        const struct sweep_rate *rate) {
    json_t *o = json_object(), *list = json_array();
    double seconds = 0, apart = 0;
    record_set(o, "mode", json_string(record_scaling_mode_name(r->mode)));
    record_set(o, "unit", json_string(record_scaling_unit_name(r->unit)));
    record_set_integer(o, "units", r->units), record_set_integer(o, "nodes", w->nodes);
    record_set_integer(o, "ranks_per_unit", r->ranks);
    record_set_integer(o, "warmup", w->warmup), record_set_integer(o, "steps", w->steps);
    record_set_integer(o, "repeats", w->repeats);
    for (int i = 0; i < points->count; i++) {
        const struct sweep_point *p = &points->at[i];
        json_t *row =
            json_pack("{s:i, s:i, s:I}", "n", p->n, "ranks", p->ranks, "global_batch", (json_int_t)p->global_batch);
        json_array_append_new(list, row);
        if (p->skipped[0]) {
            record_set(row, "skipped", json_string(p->skipped));
            continue;
        }
        const double all = w->repeats * run_s(p, w, rate);
        record_set_number(row, "step_s", step_s(p, w, rate));
        record_set_number(row, "seconds", all);
        seconds += all;
        apart += all * ceil((double)p->n * w->nodes / r->units); /* a job of its own holds whole nodes */
    }
    record_set(o, "points", list);
    record_set(o, "rate_from", json_string(rate->tokens_per_s > 0 ? "--rate" : "a short step of every rank at once"));
    record_set_number(o, "seconds", seconds);
    record_set_number(o, "node_hours", seconds * w->nodes / 3600);
    record_set_number(o, "node_hours_apart", apart / 3600);
    return o;
}
