/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads records of kind "train". */
#include "run/train_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/record.h"
#include "run/record_set.h"

static json_t *layout_of(const struct plan *p, int nodes, const struct run_identity *id) {
    return json_pack("{s:i, s:i, s:i, s:I, s:I, s:i, s:s, s:I}", "world", p->request.world, "nodes", nodes, "dp",
                     p->data_parallel, "micro_batch", (json_int_t)p->request.micro_batch, "accumulation",
                     (json_int_t)p->accumulation, "threads", p->request.threads, "threads_from", id->threads_from,
                     "bucket_bytes", (json_int_t)(4 * p->request.bucket));
}

static json_t *memory_of(const struct plan *p) {
    json_t *o = json_object();
    for (int i = 0; i < PLAN_ARENAS; i++)
        if (p->arenas[i].bytes > 0) set_number(o, p->arenas[i].name, p->arenas[i].bytes);
    return o;
}

static json_t *op_of(const struct plan_op *op) {
    static const char *const kinds[] = {"gemm", "attention_forward", "attention_backward", "pass", "all_reduce"};
    json_t *o = json_object();
    set(o, "kind", json_string(kinds[op->kind]));
    set(o, "name", json_string(op->name));
    set_number(o, "count", op->count);
    if (op->kind == PLAN_GEMM) {
        set(o, "trans", json_sprintf("%c%c", op->a_trans ? 'T' : 'N', op->b_trans ? 'T' : 'N'));
        set_integer(o, "m", op->m), set_integer(o, "n", op->n), set_integer(o, "k", op->k);
    }
    if (op->batch) {
        set_integer(o, "b", op->batch), set_integer(o, "h", op->heads);
        set_integer(o, "s", op->seq), set_integer(o, "d", op->head_dim);
    }
    if (op->flop > 0) set_number(o, "flop", op->flop);
    set_number(o, "bytes", op->bytes);
    return o;
}

static json_t *ledger_of(const struct plan *p, bool with_ops) {
    struct plan_ledger l;
    plan_ledger_fill(&l, p);
    json_t *o = json_object();
    set_number(o, "model_flop", l.model_flop);
    set_number(o, "model_flop_square", l.model_flop_square);
    if (p->request.config.layers < p->request.config.full_layers)
        set_number(o, "full_model_flop", plan_full_model_flop(p));
    set_number(o, "matmul_flop", l.matmul_flop * p->data_parallel);
    set_number(o, "attention_flop", l.attention_flop * p->data_parallel);
    set_number(o, "pass_bytes_estimate", l.pass_bytes * p->data_parallel);
    set_number(o, "messages_per_rank", l.messages);
    set_number(o, "message_bytes_per_rank", l.message_bytes);
    set_number(o, "memory_bytes_per_rank", p->memory_bytes);
    if (p->gate_bytes > 0) set_number(o, "gate_bytes_per_rank", p->gate_bytes);
    set(o, "memory", memory_of(p));
    if (with_ops) {
        json_t *ops = json_array();
        for (int i = 0; i < l.count; i++) json_array_append_new(ops, op_of(&l.ops[i]));
        set(o, "ops", ops);
    }
    return o;
}

static json_t *residual_of(const struct run_gate *gate) {
    json_t *o = json_object(), *where = json_object();
    for (int i = 0; i < RUN_CHECKS; i++) {
        const double r = gate->residual[i];
        if (isnan(r)) continue;
        set(o, run_check_name((enum run_check)i), isinf(r) ? json_string("inf") : json_real(r));
        if (gate->where[i][0]) set(where, run_check_name((enum run_check)i), json_string(gate->where[i]));
    }
    set_number(o, "threshold", RUN_THRESHOLD);
    set(o, "where", where);
    return o;
}

static json_t *breakdown_of(const double *phase_s, double other) {
    json_t *o = json_object();
    for (int p = 0; p < PARALLEL_PHASES; p++) set_number(o, parallel_phase_name((enum parallel_phase)p), phase_s[p]);
    set_number(o, "other", other);
    return o;
}

/* Of what nothing covered: null where it cannot be told from nothing, and never below 0. One rank sends nothing. */
static void set_exposed(json_t *o, const struct run_train_result *r, int ranks, bool with_interval) {
    const struct base_interval *x = &r->exposed;
    const bool known = x->confidence >= RUN_CONFIDENCE;
    set(o, "exposed_s", ranks < 2 ? json_real(0) : run_measurable(x) ? json_real(x->median) : json_null());
    if (!with_interval || ranks < 2) return;
    set(o, "exposed_s_low", known ? json_real(fmax(0, x->low)) : json_null());
    set(o, "exposed_s_high", known ? json_real(fmax(0, x->high)) : json_null());
}

static json_t *rank_of(const struct run_train_result *r, const struct run_rank *k, int ranks) {
    json_t *o = json_pack("{s:s, s:i, s:i, s:b, s:b, s:s, s:f, s:f, s:f}", "host", k->host, "node", k->node, "threads",
                          k->threads, "pinned", k->pinned, "bound", k->bound, "cpus", k->cpus, "compute_s",
                          k->compute_s, "wait_s", k->wait_s, "peak_flop_per_s", k->peak_flop_per_s);
    set_exposed(o, r, ranks, false);
    set_integer(o, "cpu_count", k->cpu_count);
    set_number(o, "steal_s", k->met.steal_s), set_number(o, "other_s", k->met.other_s);
    set_integer(o, "major_faults", k->met.major_faults);
    set_integer(o, "throttled_periods", k->met.throttled_periods);
    set_number(o, "throttled_s", k->met.throttled_s);
    if (k->peak_memory_bytes > 0) set_number(o, "peak_memory_bytes", k->peak_memory_bytes);
    if (k->warning[0]) set(o, "warning", json_string(k->warning));
    return o;
}

/* Everything that is a rate or follows from one: left out of a FAILED record. */
static void set_rates(json_t *o, const struct run_train_result *r, const struct plan *p, const struct comm *world) {
    struct plan_ledger l;
    plan_ledger_fill(&l, p);
    const double tokens = (double)p->request.global_batch * (double)p->request.seq, s = r->mean.mean;
    const double peak = r->peak_flop_per_s, mfu = run_utilisation(r, l.model_flop);
    set_number(o, "step_s", r->step.median);
    set_number(o, "step_s_low", r->step.low);
    set_number(o, "step_s_high", r->step.high);
    set_number(o, "confidence", r->step.confidence);
    set_number(o, "wall_s", s * r->timed);
    set_number(o, "mean_step_s", s);
    /* one step has no interval, and of a few it can reach below zero, which tells nothing */
    const double low = r->timed > 1 && r->mean.low > 0 ? r->mean.low : NAN, high = r->timed > 1 ? r->mean.high : NAN;
    set_number(o, "mean_step_s_low", low);
    set_number(o, "mean_step_s_high", high);
    set_number(o, "tokens_per_s", tokens / s);
    set_number(o, "tokens_per_s_low", tokens / high);
    set_number(o, "tokens_per_s_high", tokens / low);
    set_number(o, "tokens_per_s_per_node", tokens / s / world->nodes);
    set_number(o, "tokens_per_s_per_rank", tokens / s / world->size);
    set_number(o, "model_flop_per_s", l.model_flop / s);
    set_number(o, "model_flop_per_s_per_node", l.model_flop / s / world->nodes);
    set_number(o, "model_flop_per_s_per_rank", l.model_flop / s / world->size);
    set_number(o, "model_flop_per_s_square", l.model_flop_square / s);
    if (p->request.config.layers < p->request.config.full_layers)
        set_number(o, "full_model_tokens_per_s", tokens / s * l.model_flop / plan_full_model_flop(p));
    set_number(o, "mfu", mfu > 1 ? NAN : mfu); /* above 1 only a burst, of a record that is inconclusive */
    set_number(o, "hfu", mfu > 1 ? NAN : mfu); /* nothing is recomputed */
    set_number(o, "peak_flop_per_s", peak);
    if (r->nominal_flop_per_s > 0) {
        set_number(o, "nominal_peak_flop_per_s", r->nominal_flop_per_s);
        set_number(o, "mfu_nominal", l.model_flop / s / r->nominal_flop_per_s);
    }
    set_exposed(o, r, world->size, true);
    set(o, "breakdown", breakdown_of(r->phase_s, r->other_s));
}

static json_t *windows_of(const struct run_train_result *r) {
    const double *s = r->window_s;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "step_s", s[RUN_WINDOW_STEP], "peak_s", s[RUN_WINDOW_PEAK],
                     "probe_s", s[RUN_WINDOW_PROBE], "watch_s", s[RUN_WINDOW_WATCH], "report_s", s[RUN_WINDOW_REPORT],
                     "covered", r->covered);
}

static json_t *result_of(const struct run_train_result *r, const struct plan *p, const struct comm *world) {
    json_t *o = json_object(), *ranks = json_array();
    double peak = 0;
    if (r->status != RUN_FAILED) set_rates(o, r, p, world);
    if (r->steps) {
        set_number(o, "loss_first", r->loss[0]);
        set_number(o, "loss_last", r->loss[r->steps - 1]);
        set(o, "loss", numbers(r->loss, r->steps));
        set(o, "grad_norm", numbers(r->grad_norm, r->steps));
    }
    if (r->source[0]) set(o, "source", json_string(r->source));
    set(o, "entropy", number(r->entropy));
    for (int i = 0; r->timed && r->status != RUN_FAILED && i < world->size; i++) {
        json_array_append_new(ranks, rank_of(r, &r->ranks[i], world->size));
        peak = fmax(peak, r->ranks[i].peak_memory_bytes);
    }
    if (peak > 0) set_number(o, "peak_memory_bytes", peak);
    set_number(o, "predicted_memory_bytes", p->memory_bytes);
    if (r->timed && r->status != RUN_FAILED) set(o, "windows", windows_of(r));
    set(o, "residual", residual_of(&r->gate));
    set(o, "per_rank", ranks);
    return o;
}

/* Steps by their slowest rank, as rates use them; the rest is rank 0's own. */
static json_t *samples_of(const struct run_train_result *r) {
    json_t *o = measure_samples_json(&r->samples);
    set(o, "rank0_step_s", json_incref(json_object_get(o, "step_s")));
    set(o, "step_s", numbers(r->step_s, r->timed));
    set(o, "peak_flop_per_s", numbers(r->peaks, r->peak_count));
    return o;
}

static json_t *head_of(const struct plan *p, const struct run_identity *id, const char *kind, enum run_status status,
                       const char *why) {
    json_t *o = run_record_head(kind, status, why);
    set(o, "workload",
        id->workload ? json_pack("{s:s, s:i, s:s}", "name", id->workload, "version", id->workload_version, "precision",
                                 run_precision(p))
                     : json_null());
    return o;
}

json_t *run_train_record(const struct run_train_result *r, const struct plan *p, const struct run_train_options *o,
                         const struct run_identity *id, const struct comm *world, json_t *machine) {
    json_t *record = head_of(p, id, "train", r->status, r->why);
    set(record, "launch", json_pack("{s:s, s:i}", "id", id->launch, "nodes", world->nodes));
    set(record, "machine", machine);
    set(record, "config", run_train_config(p, o));
    set(record, "layout", layout_of(p, world->nodes, id));
    set(record, "ledger", ledger_of(p, false));
    if (r->status == RUN_FAILED)
        set(record, "samples", json_object()); /* a rate could be had from them */
    else
        set(record, "samples", samples_of(r));
    set(record, "result", result_of(r, p, world));
    return record;
}

json_t *run_plan_record(const struct plan *p, const struct run_identity *id) {
    json_t *record = head_of(p, id, "plan", RUN_PASSED, "");
    set(record, "config", run_plan_config(p));
    set(record, "layout", layout_of(p, 0, id));
    set(record, "ledger", ledger_of(p, true));
    return record;
}
