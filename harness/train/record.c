/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records of kind "train", and of kind "plan" for --dry-run. */
#include "train/record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plan/record.h"
#include "records/record.h"
#include "records/set.h"
#include "train/warmup.h"

json_t *train_layout(const struct plan *p, int nodes, const struct train_identity *id) {
    json_t *o = plan_layout_record(p);
    record_set(o, "threads_from", json_string(id->threads_from));
    record_set_integer(o, "nodes", nodes);
    record_set_integer(o, "bucket_bytes", 4 * p->request.bucket);
    if (plan_layout_replicas(&p->request.layout) > 1 && id->overlap)
        record_set(o, "overlap", json_string(train_overlap_name((int)id->overlap)));
    return o;
}

/* process: bytes of a rank before its arenas; 0 or less: unknown. saving: bytes of checkpoints' buffers. */
static json_t *memory_of(const struct plan *p, double process, double saving) {
    json_t *o = json_object();
    for (int i = 0; i < PLAN_ARENAS; i++)
        if (p->arenas[i].bytes > 0) record_set_number(o, p->arenas[i].name, p->arenas[i].bytes);
    if (process > 0) record_set_number(o, "process, before", process);
    if (saving > 0) record_set_number(o, "checkpoint buffers", saving);
    return o;
}

static json_t *op_of(const struct plan_op *op) {
    static const char *const kinds[] = {"gemm", "attention_forward", "attention_backward", "pass", "message"};
    json_t *o = json_object();
    record_set(o, "kind", json_string(op->kind == PLAN_MESSAGE ? op->op : kinds[op->kind]));
    record_set(o, "phase", json_string(plan_phase_name(op->phase)));
    record_set(o, "op", json_string(op->op));
    record_set(o, "name", json_string(op->name));
    record_set_number(o, "count", op->count);
    if (op->again) record_set(o, "again", json_true());
    if (op->kind == PLAN_GEMM) {
        record_set(o, "trans", json_sprintf("%c%c", op->a_trans ? 'T' : 'N', op->b_trans ? 'T' : 'N'));
        record_set_integer(o, "m", op->m), record_set_integer(o, "n", op->n), record_set_integer(o, "k", op->k);
    }
    if (op->batch) {
        record_set_integer(o, "b", op->batch), record_set_integer(o, "h", op->heads);
        record_set_integer(o, "s", op->seq), record_set_integer(o, "d", op->head_dim);
        if (op->ahead) record_set_integer(o, "ahead", op->ahead);
    }
    if (op->rows) record_set_integer(o, "rows", op->rows), record_set_integer(o, "cols", op->cols);
    if (op->flop > 0) record_set_number(o, "flop", op->flop);
    record_set_number(o, "bytes", op->bytes);
    if (op->group) record_set(o, "group", json_string(op->group));
    return o;
}

/* The plan of the rank that holds most. */
static struct plan largest(const struct plan *p) {
    struct plan most = *p;
    plan_make_largest(&most, &p->request, NULL);
    return most;
}

static json_t *ledger_of(const struct plan *p, double process, double saving, bool with_ops) {
    const struct plan_ledger *l = &p->ledger;
    json_t *o = json_object();
    record_set_number(o, "model_flop", l->model_flop);
    record_set_number(o, "model_flop_square", l->model_flop_square);
    if (model_config_is_slice(&p->request.config)) record_set_number(o, "full_model_flop", plan_full_model_flop(p));
    const double world = plan_layout_world(&p->request.layout);
    record_set_number(o, "matmul_flop", l->model_flop - l->model_attention_flop);
    record_set_number(o, "attention_flop", l->model_attention_flop);
    if (l->hardware_flop > l->model_flop) record_set_number(o, "recomputed_flop", l->hardware_flop - l->model_flop);
    record_set_number(o, "pass_bytes_estimate", l->pass_bytes * world);
    record_set_number(o, "messages_per_rank", l->messages);
    record_set_number(o, "message_bytes_per_rank", l->message_bytes);
    const struct plan most = largest(p);
    record_set_number(o, "memory_bytes_per_rank", most.memory_bytes + fmax(0, process) + saving);
    if (most.gate_bytes > 0) record_set_number(o, "gate_bytes_per_rank", most.gate_bytes);
    record_set(o, "memory", memory_of(&most, process, saving));
    if (with_ops) {
        json_t *ops = json_array();
        for (int i = 0; i < l->count; i++) json_array_append_new(ops, op_of(&l->ops[i]));
        record_set(o, "ops", ops);
    }
    return o;
}

/* Bytes of a rank that checkpoints needed. */
static double saving_of(const struct train_result *r) {
    double most = 0;
    for (int i = 0; i < r->save_count; i++) most = fmax(most, r->saves[i].buffers);
    return most;
}

static json_t *residual_of(const struct gate *gate) {
    json_t *o = json_object(), *where = json_object();
    for (int i = 0; i < CHECK_COUNT; i++) {
        const double r = gate->residual[i];
        if (isnan(r)) continue;
        record_set(o, check_name((enum check)i), isinf(r) ? json_string("inf") : json_real(r));
        if (gate->where[i][0]) record_set(where, check_name((enum check)i), json_string(gate->where[i]));
    }
    record_set_number(o, "threshold", CHECK_THRESHOLD);
    record_set(o, "where", where);
    return o;
}

/* stages: there are several pipeline stages. */
static json_t *breakdown_of(const double *phase_s, double other, bool stages) {
    json_t *o = json_object();
    for (int p = 0; p < PLAN_PHASES; p++)
        record_set_number(o, plan_phase_name((enum plan_phase)p), stages || p != PLAN_PHASE_PIPELINE ? phase_s[p] : 0);
    record_set_number(o, "other", other);
    return o;
}

/* Writes the exposed time: null if it cannot be told from zero, and never below 0. One rank sends nothing. */
static void set_exposed(json_t *o, const struct train_result *r, int ranks, bool with_interval) {
    const struct base_interval *x = &r->exposed;
    const bool known = x->confidence >= MEASURE_CONFIDENCE;
    record_set(o, "exposed_s", ranks < 2 ? json_real(0) : measure_measurable(x) ? json_real(x->median) : json_null());
    if (!with_interval || ranks < 2) return;
    record_set(o, "exposed_s_low", known ? json_real(fmax(0, x->low)) : json_null());
    record_set(o, "exposed_s_high", known ? json_real(fmax(0, x->high)) : json_null());
}

static json_t *rivals_of(const struct measure_rivals *r) {
    json_t *all = json_array();
    for (int i = 0; i < r->count; i++)
        json_array_append_new(
            all, json_pack("{s:i, s:i, s:s}", "cpu", r->at[i].cpu, "process", r->at[i].process, "name", r->at[i].name));
    return all;
}

static json_t *rank_of(const struct train_result *r, const struct train_rank *k, int ranks) {
    json_t *o = json_pack("{s:s, s:i, s:i, s:b, s:b, s:s, s:f, s:f, s:f}", "host", k->host, "node", k->node, "threads",
                          k->threads, "pinned", k->pinned, "bound", k->bound, "cpus", k->cpus, "compute_s",
                          k->compute_s, "wait_s", k->wait_s, "peak_flop_per_s", k->peak_flop_per_s);
    set_exposed(o, r, ranks, false);
    record_set_number(o, "loss_first", k->loss_first);
    record_set_integer(o, "cpu_count", k->cpu_count);
    record_set_integer(o, "core_count", k->cores);
    record_set(o, "bind", json_string(measure_bind_name((int)k->bind)));
    record_set_number(o, "pages_near", k->near);
    record_set_number(o, "pages_huge", k->huge);
    if (k->huge_why[0]) record_set(o, "pages_huge_why", json_string(k->huge_why));
    record_set_number(o, "steal_s", k->met.steal_s), record_set_number(o, "other_s", k->met.other_s);
    record_set_integer(o, "major_faults", k->met.major_faults);
    record_set_integer(o, "throttled_periods", k->met.throttled_periods);
    record_set_number(o, "throttled_s", k->met.throttled_s);
    if (k->peak_memory_bytes > 0) record_set_number(o, "peak_memory_bytes", k->peak_memory_bytes);
    if (k->rivals.count) record_set(o, "shared_cores", rivals_of(&k->rivals));
    if (k->warning[0]) record_set(o, "warning", json_string(k->warning));
    return o;
}

/* How well this launch knows its own mean step. It says nothing about the next launch. */
static json_t *interval_of(const struct train_result *r, const struct train_options *asked) {
    json_t *o = json_pack("{s:s, s:s, s:f}", "of", "mean_step_s", "within", "launch", "confidence", MEASURE_CONFIDENCE);
    record_set_number(o, "half_width", train_half_width(r));
    record_set_number(o, "asked", asked->ci);
    record_set(o, "too_wide", json_boolean(r->too_wide));
    return o;
}

static json_t *warmup_of(const struct train_result *r, const struct train_options *asked) {
    const bool rule = asked->warmup < 0;
    json_t *o = json_object();
    double seconds = 0;
    for (int i = 0; i < r->warmup.count; i++) seconds += r->warm_s[i];
    record_set_integer(o, "steps", r->warmup.count);
    record_set_number(o, "seconds", seconds);
    record_set(o, "rule", json_string(rule ? TRAIN_WARMUP_RULE : "a fixed number of steps"));
    if (asked->overlap_pairs && r->overlap.pairs) record_set_integer(o, "added", 2 * r->overlap.pairs);
    record_set(o, "warm", rule ? json_boolean(r->warm) : json_null());
    return o;
}

/* The name of the peak that MFU and HFU are shares of. */
static json_t *peak_of(const struct train_result *r, const struct plan *p, int ranks) {
    char text[128];
    int threads = 0;
    for (int i = 0; i < ranks; i++) threads += r->ranks[i].threads;
    measure_peak_text(p->shape.dtype, r->peak_isa, threads, r->quota_period_s > 0, text, sizeof text);
    return json_string(text);
}

/* FAILED records have no rate, and a run that was stopped before its first timed step has none. */
static bool rated(const struct train_result *r) {
    return r->status != RECORD_FAILED && r->timed;
}

/* The mean of the ranks' waits for other stages, as a share of the step, beside the schedule's own. A recovered run
 * knows one rank's. */
static void set_bubble(json_t *o, const struct train_result *r, const struct plan *p, int ranks) {
    struct plan_pipeline pipeline;
    double wait = 0;
    plan_pipeline_of(p, &pipeline);
    for (int i = 0; i < ranks && !r->recovered; i++) wait += r->ranks[i].phase_s[PLAN_PHASE_PIPELINE] / ranks;
    if (!r->recovered) record_set_number(o, "bubble", wait / r->step.median);
    record_set_number(o, "bubble_of_schedule", plan_pipeline_bubble(&pipeline));
}

/* How uneven the loads of experts, and of the ranks that share them out, were over the timed steps. */
static json_t *experts_of(const struct train_result *r) {
    json_t *o = json_object();
    record_set_number(o, "balance_loss", r->balance);
    record_set_number(o, "busiest_expert", r->busiest_expert);
    record_set_number(o, "busiest_rank", r->busiest_rank);
    return o;
}

/* Writes everything that is a rate or follows from one. */
static void set_rates(json_t *o, const struct train_result *r, const struct plan *p, const struct train_options *asked,
                      const struct comm *world) {
    const struct plan_ledger *l = &p->ledger;
    const double tokens = (double)p->request.global_batch * (double)p->request.seq, s = r->mean.mean;
    const double peak = r->peak_flop_per_s, mfu = train_utilisation(r, l->model_flop);
    const double hfu = train_utilisation(r, l->hardware_flop);
    record_set_number(o, "step_s", r->step.median);
    record_set_number(o, "step_s_low", r->step.low);
    record_set_number(o, "step_s_high", r->step.high);
    record_set_number(o, "confidence", r->step.confidence);
    record_set_number(o, "wall_s", s * r->timed);
    record_set_number(o, "mean_step_s", s);
    /* one step has no interval; with few steps it can reach below zero and says nothing */
    const double low = r->timed > 1 && r->mean.low > 0 ? r->mean.low : NAN, high = r->timed > 1 ? r->mean.high : NAN;
    record_set_number(o, "mean_step_s_low", low);
    record_set_number(o, "mean_step_s_high", high);
    record_set(o, "interval", interval_of(r, asked));
    record_set_number(o, "tokens_per_s", tokens / s);
    record_set_number(o, "tokens_per_s_low", tokens / high);
    record_set_number(o, "tokens_per_s_high", tokens / low);
    record_set_number(o, "tokens_per_s_per_node", tokens / s / world->nodes);
    record_set_number(o, "tokens_per_s_per_rank", tokens / s / world->size);
    record_set_number(o, "model_flop_per_s", l->model_flop / s);
    record_set_number(o, "model_flop_per_s_per_node", l->model_flop / s / world->nodes);
    record_set_number(o, "model_flop_per_s_per_rank", l->model_flop / s / world->size);
    record_set_number(o, "model_flop_per_s_square", l->model_flop_square / s);
    if (model_config_is_slice(&p->request.config))
        record_set_number(o, "full_model_tokens_per_s", tokens / s * l->model_flop / plan_full_model_flop(p));
    record_set_number(o, "mfu", mfu > 1 ? NAN : mfu); /* above 1: a burst, inconclusive, or a library */
    record_set_number(o, "hfu", hfu > 1 ? NAN : hfu);
    record_set(o, "mfu_of", peak_of(r, p, world->size));
    record_set_number(o, "peak_flop_per_s", peak);
    if (r->nominal_flop_per_s > 0) {
        record_set_number(o, "nominal_peak_flop_per_s", r->nominal_flop_per_s);
        record_set_number(o, "mfu_nominal", l->model_flop / s / r->nominal_flop_per_s);
        record_set(o, "mfu_nominal_of", json_sprintf("nominal %s peak", p->shape.dtype == KERNEL_F32 ? "f32" : "bf16"));
    }
    set_exposed(o, r, world->size, true);
    record_set(o, "breakdown", breakdown_of(r->phase_s, r->other_s, p->request.layout.pp > 1));
    if (world->size > 1 && !r->recovered)
        record_set(o, "communication", plan_communication_record(&p->request.layout, r->busy_s, r->waited_s));
    if (p->request.layout.pp > 1) set_bubble(o, r, p, world->size);
    if (p->request.config.experts > 0 && !r->recovered) record_set(o, "experts", experts_of(r));
}

static json_t *windows_of(const struct train_result *r) {
    const double *s = r->window_s;
    json_t *o =
        json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "step_s", s[TRAIN_WINDOW_STEP], "peak_s", s[TRAIN_WINDOW_PEAK],
                  "probe_s", s[TRAIN_WINDOW_PROBE], "watch_s", s[TRAIN_WINDOW_WATCH], "report_s",
                  s[TRAIN_WINDOW_REPORT], "journal_s", s[TRAIN_WINDOW_JOURNAL], "covered", r->covered);
    if (r->save_count) record_set_number(o, "save_s", s[TRAIN_WINDOW_SAVE]);
    return o;
}

static json_t *result_of(const struct train_result *r, const struct plan *p, const struct train_options *asked,
                         const struct comm *world) {
    json_t *o = json_object(), *ranks = json_array();
    double peak = 0;
    if (rated(r)) set_rates(o, r, p, asked, world);
    if (r->recovered) record_set(o, "recovered", json_true());
    if (r->stopped) record_set(o, "stopped", json_string(train_stopped_text(r->stopped)));
    if (r->steps) record_set(o, "warmup", warmup_of(r, asked));
    if (rated(r) && r->overlap.chosen) record_set(o, "overlap", train_overlap_json(&r->overlap));
    if (asked->first_step) record_set_integer(o, "first_step", asked->first_step);
    if (r->save_count) record_set(o, "checkpoints", train_saves_json(r, p, asked, rated(r) ? r->mean.mean : 0));
    if (r->steps) {
        record_set_number(o, "loss_first", r->loss[0]);
        record_set_number(o, "loss_last", r->loss[r->steps - 1]);
        record_set(o, "loss", record_numbers(r->loss, r->steps));
        record_set(o, "grad_norm", record_numbers(r->grad_norm, r->steps));
    }
    if (r->source[0]) record_set(o, "source", json_string(r->source));
    record_set(o, "entropy", record_number(r->entropy));
    for (int i = 0; rated(r) && !r->recovered && i < world->size; i++) {
        json_array_append_new(ranks, rank_of(r, &r->ranks[i], world->size));
        peak = fmax(peak, r->ranks[i].peak_memory_bytes);
    }
    if (peak > 0) record_set_number(o, "peak_memory_bytes", peak);
    record_set_number(o, "predicted_memory_bytes", largest(p).memory_bytes + fmax(0, r->process_bytes) + saving_of(r));
    if (rated(r) && !r->recovered) record_set(o, "windows", windows_of(r));
    if (rated(r) && r->profile && asked->profile) record_set(o, "profile", profile_record(r->profile));
    record_set(o, "residual", residual_of(&r->gate));
    record_set(o, "per_rank", ranks);
    return o;
}

/* Steps are those of the slowest rank, as in rates. The rest is rank 0's. */
static json_t *steps_of(const struct measure_samples *samples, const double *step_s) {
    json_t *o = measure_samples_json(samples);
    record_set(o, "rank0_step_s", json_incref(json_object_get(o, "step_s")));
    record_set(o, "step_s", record_numbers(step_s, samples->count));
    return o;
}

static json_t *samples_of(const struct train_result *r) {
    json_t *o = steps_of(&r->samples, r->step_s);
    record_set(o, "warmup", steps_of(&r->warmup, r->warm_s));
    record_set(o, "peak_flop_per_s", record_numbers(r->peaks, r->peak_count));
    return o;
}

static json_t *head_of(const struct plan *p, const struct train_identity *id, const char *kind,
                       enum record_status status, const char *why) {
    json_t *o = record_head(kind, status, why);
    record_set(o, "workload",
               id->workload ? json_pack("{s:s, s:i, s:s}", "name", id->workload, "version", id->workload_version,
                                        "precision", train_precision(p))
                            : json_null());
    return o;
}

json_t *train_record(const struct train_result *r, const struct plan *p, const struct train_options *o,
                     const struct train_identity *id, const struct comm *world, json_t *machine) {
    json_t *record = head_of(p, id, "train", r->status, r->why);
    record_set(record, "launch", record_launch_json(id->launch));
    record_set(record, "machine", machine);
    record_set(record, "config", train_config(p, o));
    record_set(record, "layout", train_layout(p, world->nodes, id));
    record_set(record, "ledger", ledger_of(p, r->process_bytes, saving_of(r), false));
    if (id->scaling) record_set(record, "scaling", record_scaling_json(id->scaling));
    if (r->status == RECORD_FAILED)
        record_set(record, "samples", json_object()); /* samples would give a rate */
    else
        record_set(record, "samples", samples_of(r));
    json_t *result = result_of(r, p, o, world);
    if (r->status != RECORD_FAILED) record_set_lower_bound(result, machine);
    record_set(record, "result", result);
    return record;
}

json_t *train_plan_record(const struct plan *p, const struct train_identity *id, double process_bytes) {
    json_t *record = head_of(p, id, "plan", RECORD_PASSED, "");
    record_set(record, "config", train_plan_config(p));
    record_set(record, "layout", train_layout(p, 0, id));
    record_set(record, "ledger", ledger_of(p, process_bytes, 0, true));
    return record;
}
