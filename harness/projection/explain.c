/* SPDX-License-Identifier: Apache-2.0
 *
 * Explains a step: every term with its formula and inputs. costmodel/ computes the terms; the texts here follow it. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "costmodel/device.h"
#include "costmodel/network.h"
#include "projection/record.h"
#include "records/set.h"

struct page {
    json_t *list;
    const struct cost_job *job;
    const struct cost_step *step;
    struct cost_rates rates;
    struct cost_links links;
};

static void add(struct page *p, const char *name, double seconds, const char *formula, const char *inputs,
                va_list args) {
    char text[512];
    json_t *o = json_object();
    vsnprintf(text, sizeof text, inputs, args);
    record_set(o, "term", json_string(name)), record_set_number(o, "seconds", seconds);
    record_set(o, "formula", json_string(formula)), record_set(o, "inputs", json_string(text));
    json_array_append_new(p->list, o);
}

__attribute__((format(printf, 4, 5))) static void term(struct page *p, enum cost_term t, const char *formula,
                                                       const char *inputs, ...) {
    va_list args;
    va_start(args, inputs);
    add(p, cost_term_name(t), cost_step_seconds(p->step, t), formula, inputs, args);
    va_end(args);
}

/* The experts' part of the term data_parallel. */
__attribute__((format(printf, 3, 4))) static void of_data_parallel(struct page *p, const char *formula,
                                                                   const char *inputs, ...) {
    va_list args;
    va_start(args, inputs);
    add(p, "of data_parallel", p->step->data_parallel_experts, formula, inputs, args);
    va_end(args);
}

static void compute(struct page *p) {
    const struct cost_step *s = p->step;
    const struct cost_job *j = p->job;
    const char *times = "micro-batches x layers / PP x ";
    char formula[256];
    snprintf(formula, sizeof formula,
             "%ssum over matmuls of max(2mnk, padded to tiles and waves, / rate, bytes / memory bandwidth)", times);
    term(p, COST_TERM_linear, formula,
         "%.0f micro-batches, %.0f layers, PP %d, %.0f tokens per micro-batch, rate %.4g FLOP/s, %.0f units, %.4g "
         "elements of k lost per tile, memory %.4g bytes/s",
         s->micro_batches, (double)j->model.layers, j->layout.pp, cost_job_tokens(j), p->rates.matmul, p->rates.units,
         p->rates.k0, p->rates.memory);
    snprintf(formula, sizeof formula, "%s%s", times,
             j->traits.flash ? "(4 forward + 4 x 2.5 / 0.9 backward) x attended share x b s^2 width / fused rate"
                             : "(2 forward and 4 backward matmuls of the whole square, 16 passes over the scores)");
    term(p, COST_TERM_attention, formula,
         "s %lld, attended share of its square %.4g, %.0f heads, width %.0f per rank, fused rate %.4g FLOP/s",
         (long long)j->batch.seq, cost_job_attended(j), (double)j->model.heads, cost_job_attention(j), p->rates.flash);
    term(p, COST_TERM_passes, "micro-batches x layers / PP x 3 x bytes / memory bandwidth", "memory %.4g bytes/s",
         p->rates.memory);
    term(p, COST_TERM_launch,
         j->traits.blocking ? "a constant per pass of a layer, since every launch waits for its kernel"
                            : "CPU time of a layer's launches, less the time of its kernels",
         "blocking %s", j->traits.blocking ? "yes" : "no");
    term(p, COST_TERM_head, "micro-batches / PP x (3 matmuls of tokens x vocabulary x width, cross-entropy in FP32)",
         "vocabulary %.0f, TP %d", (double)j->model.vocab, j->layout.tp);
}

/* Terms that only a mixture of experts has. */
static void mixture(struct page *p) {
    const struct cost_job *j = p->job;
    const struct cost_group all = cost_group_expert(j, &p->links), data = cost_group_expert_data(j, &p->links);
    const int ep = plan_layout_expert_ranks(&j->layout);
    const double k = (double)j->model.active, rows = k * cost_job_routed_tokens(j);
    if (j->model.experts == 0) return;
    term(p, COST_TERM_experts,
         "micro-batches x layers / PP x matmuls of E / EP experts in one launch, t k EP / E rows each; computed as "
         "linear, with balanced routing",
         "E %.0f, k %.0f, EP %d, t %.0f: %.0f experts of %.0f rows, width %.0f a rank", (double)j->model.experts, k, ep,
         cost_job_tokens(j), cost_job_experts_held(j), cost_job_expert_rows(j), (double)j->model.ffn / j->layout.tp);
    term(p, COST_TERM_router,
         "micro-batches x layers / PP x (matmul of tokens x E x hidden, 4 passes over the scores, 4 over the rows when "
         "dispatched and combined, 4 when sorted by a rank's experts)",
         "%.0f rows of width %.0f", rows, (double)j->model.width);
    term(p, COST_TERM_all_to_all,
         "micro-batches x layers / PP x 4 (6 with full recompute) x (max(bytes (r - 1) / EP / links, bytes (EP - r) / "
         "EP / network) + alpha per peer); never overlapped",
         "%.4g bytes per rank, EP %d, r %.0f ranks in a domain, links %.4g bytes/s, a rank's share of the network %.4g "
         "bytes/s",
         j->traits.weight_bytes * rows * (double)j->model.width, ep, all.ranks, p->links.inside * all.share,
         fmin(p->links.group / all.ranks, p->links.node / all.ranks / all.sharing));
    of_data_parallel(
        p, "gradients and weights of experts, among the DP / EP ranks that hold the same ones, before overlap",
        "%.4g parameters per layer and rank, DP / EP %.0f on %.0f nodes or domains", cost_job_expert_parameters(j),
        (double)j->layout.dp / ep, data.nodes);
}

static void communication(struct page *p) {
    const struct cost_step *s = p->step;
    const struct cost_job *j = p->job;
    const struct cost_group g = cost_group_data(j, &p->links);
    const double bytes = j->traits.weight_bytes * cost_job_tokens(j) * (double)j->model.width;
    term(p, COST_TERM_tensor_parallel,
         j->model.experts > 0 ? "micro-batches x layers / PP x 4 all-reduces (6 with full recompute); with SP and EP, "
                                "which gather routed rows, those of experts have k times the bytes"
                              : "micro-batches x layers / PP x 4 all-reduces (6 with full recompute)",
         "TP %d, %.4g bytes each, links %.4g bytes/s", j->layout.tp, bytes, p->links.inside);
    term(p, COST_TERM_zero3,
         "all-gathers before each pass, reduce-scatter after the second, less what overlaps compute", "ZeRO %d",
         j->layout.zero);
    term(p, COST_TERM_imbalance, "micro-batches x (slowest stage - mean stage)", "stages: slowest %.4g s, mean %.4g s",
         s->stage_max, s->stage_sum / j->layout.pp);
    term(p, COST_TERM_bubble, "(sum of stages - slowest stage) / VP, less what zero-bubble fills", "PP %d, VP %d, %s",
         j->layout.pp, j->layout.vp, plan_schedule_name(j->layout.schedule));
    term(p, COST_TERM_p2p, "2 (micro-batches x VP + PP - 1) messages", "%.4g s and %.4g bytes each", s->hop, bytes);
    term(p, COST_TERM_data_parallel,
         "reduce-scatter of gradients and all-gather of weights over nodes, less what overlaps compute",
         "DP %d on %.0f nodes or domains, %.4g bytes/s for one group, %.4g for a whole node, ZeRO %d, overlap %s",
         j->layout.dp, g.nodes, p->links.group, p->links.node, j->layout.zero, j->traits.overlap_dp ? "yes" : "no");
    term(p, COST_TERM_embedding, "all-reduce of the embedding's gradient between first and last stage", "tied %s",
         j->traits.tied ? "yes" : "no");
    term(p, COST_TERM_optimizer, "(36 bytes per owned parameter + 6 per gradient) / memory bandwidth",
         "memory %.4g bytes/s", p->rates.memory);
    term(p, COST_TERM_iteration, "a constant: data, gradient norm, logging", "fitted");
}

json_t *projection_explain(const struct projection_outcome *r, const struct fit_result *fitted) {
    const struct cost_ablation whole = {0};
    struct page p = {.list = json_array(), .job = &r->projection.job, .step = &r->projection.step};
    cost_rates_fill(p.job, &fitted->parameters, &whole, &p.rates);
    cost_links_fill(p.job, &fitted->parameters, &whole, &p.links);
    compute(&p);
    mixture(&p);
    communication(&p);
    return p.list;
}
