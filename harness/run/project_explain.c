/* SPDX-License-Identifier: Apache-2.0
 *
 * Every term of a price, with its formula and what went into it. */
#include <stdarg.h>
#include <string.h>

#include "project/device.h"
#include "project/network.h"
#include "run/project.h"
#include "run/record_set.h"

struct page {
    json_t *list;
    const struct project_job *job;
    const struct project_step *step;
    struct project_rates rates;
    struct project_links links;
};

__attribute__((format(printf, 5, 6))) static void term(struct page *p, const char *name, double seconds,
                                                       const char *formula, const char *inputs, ...) {
    char text[512];
    va_list args;
    json_t *o = json_object();
    va_start(args, inputs);
    vsnprintf(text, sizeof text, inputs, args);
    va_end(args);
    set(o, "term", json_string(name)), set_number(o, "seconds", seconds);
    set(o, "formula", json_string(formula)), set(o, "inputs", json_string(text));
    json_array_append_new(p->list, o);
}

static void compute(struct page *p) {
    const struct project_step *s = p->step;
    const struct project_job *j = p->job;
    const char *times = "micro-batches x layers / PP x ";
    char formula[256];
    snprintf(formula, sizeof formula,
             "%ssum over matmuls of max(2mnk padded to tiles and waves / rate, bytes / memory)", times);
    term(p, "linear", s->linear, formula,
         "%.0f micro-batches, %.0f layers, PP %d, %.0f tokens a micro-batch, rate %.4g FLOP/s, %.0f units, %.4g "
         "elements of k "
         "lost a tile, memory %.4g bytes/s",
         s->micro_batches, j->shape.layers, j->layout.pp, project_job_tokens(j), p->rates.matmul, p->rates.units,
         p->rates.k0, p->rates.memory);
    snprintf(formula, sizeof formula, "%s%s", times,
             j->practice.flash ? "(2 forward + 2 x 2.5 / 0.9 backward) b s^2 width / fused rate"
                               : "(2 forward + 4 backward matmuls of the square, 16 passes over the scores)");
    term(p, "attention", s->attention, formula, "s %lld, heads %.0f, width %.0f a rank, fused rate %.4g FLOP/s",
         (long long)j->batch.seq, j->shape.heads, project_job_attention(j), p->rates.flash);
    term(p, "passes", s->passes, "micro-batches x layers / PP x 3 x bytes / memory", "memory %.4g bytes/s",
         p->rates.memory);
    term(p, "launch", s->launch,
         j->practice.blocking ? "a constant for each pass of a layer: every launch waits for its kernel"
                              : "what a layer's pass lacks to the CPU's time for its launches",
         "blocking %s", j->practice.blocking ? "yes" : "no");
    term(p, "head", s->head, "micro-batches / PP x (3 matmuls of tokens x vocabulary x width, cross-entropy in FP32)",
         "vocabulary %.0f, TP %d", j->shape.vocab, j->layout.tp);
}

static void communication(struct page *p) {
    const struct project_step *s = p->step;
    const struct project_job *j = p->job;
    const struct project_group g = project_group_data(j, &p->links);
    const double bytes = j->practice.weight_bytes * project_job_tokens(j) * j->shape.hidden;
    term(p, "tensor_parallel", s->tensor_parallel,
         "micro-batches x layers / PP x 4 all-reduces (6 with full recomputation)",
         "TP %d, %.4g bytes each, links %.4g bytes/s", j->layout.tp, bytes, p->links.inside);
    term(p, "zero3", s->zero3, "gathers before each pass, scatter after the second, less what runs beside compute",
         "ZeRO %d", j->layout.zero);
    term(p, "imbalance", s->imbalance, "micro-batches x (slowest stage - mean stage)",
         "stages: slowest %.4g s, mean %.4g s", s->stage_max, s->stage_sum / j->layout.pp);
    term(p, "bubble", s->bubble, "(sum of stages - slowest stage) / VP, and less what zero-bubble fills",
         "PP %d, VP %d, %s", j->layout.pp, j->layout.vp, plan_schedule_name(j->layout.schedule));
    term(p, "p2p", s->p2p, "2 (micro-batches x VP + PP - 1) hops", "hop %.4g s, %.4g bytes", s->hop, bytes);
    term(p, "data_parallel", s->data_parallel,
         "reduce-scatter of gradients and all-gather of weights over nodes, less what runs beside compute",
         "DP %d on %.0f nodes or domains, one group %.4g bytes/s, all of a node %.4g, ZeRO %d, overlap %s",
         j->layout.dp, g.nodes, p->links.group, p->links.node, j->layout.zero, j->practice.overlap_dp ? "yes" : "no");
    term(p, "embedding", s->embedding, "all-reduce of the table's gradient between first and last stage", "tied %s",
         j->practice.tied ? "yes" : "no");
    term(p, "optimizer", s->optimizer, "36 bytes an own parameter + 6 a gradient / memory", "memory %.4g bytes/s",
         p->rates.memory);
    term(p, "iteration", s->iteration, "a constant: data, gradient norm, logging", "fitted");
}

json_t *run_project_explain(const struct run_project *r, const struct project_fitted *fitted) {
    const struct project_ablation whole = {0};
    struct page p = {.list = json_array(), .job = &r->projection.job, .step = &r->projection.step};
    project_rates_fill(p.job, &fitted->parameters, &whole, &p.rates);
    project_links_fill(p.job, &fitted->parameters, &whole, &p.links);
    compute(&p);
    communication(&p);
    return p.list;
}
