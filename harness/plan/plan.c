/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks a request's sizes and layout, and computes the memory of a rank. */
#include "plan/plan.h"

#include <math.h>

#include "base/arena.h"
#include "base/text.h"
#include "model/reference.h"
#include "plan/leaves.h"
#include "plan/memory.h"
#include "plan/writers.h"

static int check_sizes(const struct plan_request *r, struct base_error *e) {
    const struct plan_layout *l = &r->layout;
    const struct plan_batch batch = {r->seq, r->global_batch};
    const long long ranks = r->layout.dp, mbs = r->layout.micro_batch, gbs = r->global_batch, limit = 1 << 24;
    if (l->dp < 1 || l->tp < 1 || l->pp < 1 || l->vp < 1 || l->cp < 1 || l->ep < 0 || l->recompute < 0 ||
        l->recompute >= PLAN_RECOMPUTES || l->schedule < 0 || l->schedule >= PLAN_SCHEDULES)
        return base_fail(e, BASE_USAGE, "--tp, --pp, --cp, --ep, --vp and the data parallel ranks are at least 1 each");
    if (l->pp == 1 && (l->vp > 1 || l->schedule != PLAN_1F1B || l->stage_layers[0]))
        return base_fail(e, BASE_USAGE,
                         "--vp, --schedule and --stage-layers are of pipeline stages: they need --pp of at least 2");
    if (l->vp > MODEL_CHUNKS) return base_fail(e, BASE_USAGE, "--vp %d: take 1 to %d", l->vp, (int)MODEL_CHUNKS);
    if (l->schedule != PLAN_1F1B && l->vp > 1) /* stages of gpipe would wait for each other forever */
        return base_fail(e, BASE_USAGE, "--schedule %s runs one chunk on each stage: take --vp 1, or 1f1b",
                         plan_schedule_name((enum plan_schedule)l->schedule));
    if (l->sequence_parallel && l->tp == 1)
        return base_fail(e, BASE_USAGE, "--sp splits tokens over tensor parallel ranks: it needs --tp of at least 2");
    if (l->zero < 0 || l->zero > 3) return base_fail(e, BASE_USAGE, "--zero %d: take 0 to 3", l->zero);
    if (r->seq < 1 || r->seq > r->config.positions)
        return base_fail(e, BASE_USAGE, "--seq %lld: %s has %lld positions; take 1 to %lld", (long long)r->seq,
                         r->config.name, (long long)r->config.positions, (long long)r->config.positions);
    if (mbs < 1 || gbs < 1 || gbs > limit || mbs * r->seq > limit)
        return base_fail(e, BASE_USAGE,
                         "--mbs %lld, --gbs %lld: take at least 1, a global batch of at most %lld sequences and a "
                         "micro-batch of at most %lld tokens",
                         mbs, gbs, limit, limit);
    int code = plan_layout_check_experts(l, &r->config, e);
    if (!code) code = plan_layout_check_model(l, &batch, &r->config, e);
    if (code) return code;
    if (r->route.forced && r->config.experts == 0)
        return base_fail(e, BASE_USAGE, "--route is of experts, and %s is dense; leave it out", r->config.name);
    if (r->route.forced &&
        !(r->route.skew >= 1 && r->route.skew * (double)r->config.active <= (double)r->config.experts))
        return base_fail(
            e, BASE_USAGE,
            "--route skew=%.10g: an expert of %s gets 1 to %g times the mean, as a token passes it once at "
            "most; take such a number",
            r->route.skew, r->config.name, (double)r->config.experts / (double)r->config.active);
    if (gbs % ranks)
        return base_fail(e, BASE_USAGE,
                         "--gbs %lld does not divide over %lld data parallel ranks; take a multiple of %lld", gbs,
                         ranks, ranks);
    if (gbs / ranks % mbs)
        return base_fail(
            e, BASE_USAGE,
            "--mbs %lld does not divide the %lld sequences of each rank (--gbs %lld over %lld data parallel rank%s); "
            "take a divisor of %lld",
            mbs, gbs / ranks, gbs, ranks, ranks == 1 ? "" : "s", gbs / ranks);
    if ((code = plan_leaves_check(r, e)) != BASE_OK) return code;
    const long long micros = gbs / ranks / mbs;
    if (l->vp > 1 && micros % l->pp)
        return base_fail(
            e, BASE_USAGE,
            "--gbs %lld over %lld data parallel rank%s in micro-batches of --mbs %lld makes %lld, and --vp "
            "needs a multiple of the %d stages; take another --mbs, or a --gbs that is a multiple of %lld",
            gbs, ranks, ranks == 1 ? "" : "s", mbs, micros, l->pp, ranks * mbs * l->pp);
    return BASE_OK;
}

int64_t plan_rows_count(const struct plan_request *r) {
    return r->layout.dp * r->layout.micro_batch * r->seq;
}

bool plan_rows_apart(const struct plan_request *r) {
    const struct model_config *c = &r->config;
    const struct plan_layout *l = &r->layout;
    if (!c->tied || plan_layout_replicas(l) == 1 || l->pp > 1 || l->zero || l->reproducible ||
        r->rows == PLAN_ROWS_TOGETHER)
        return false;
    const double row = (double)(c->width * (int64_t)kernel_dtype_bytes(r->dtype)) + sizeof(int32_t);
    return r->rows == PLAN_ROWS_APART ||
           (double)plan_rows_count(r) * row <= (double)(c->vocab * c->width) / r->layout.tp;
}

/* The gate's extra memory. Its checks at the timed sizes run one after the other, so the largest counts. That is the
 * FP64 sequence or the unfused result of a matmul with GELU. */
static double gate_bytes(const struct plan *p) {
    struct model_params params;
    struct model_reference r = {.params = &params, .shape = p->shape};
    const struct model_config *c = p->shape.config;
    const struct plan_layout *l = &p->request.layout;
    const bool all = l->tp == 1 && l->pp == 1 && plan_layout_expert_ranks(l) == 1 &&
                     (!l->zero || (l->zero < 3 && p->request.dtype == KERNEL_F32));
    model_params_size(&params, &p->request.config);
    r.shape.config = &p->request.config;
    const double plain =
        c->family->gated ? 0 : (double)(p->shape.batch * p->shape.seq * c->ffn) * kernel_dtype_bytes(p->shape.dtype);
    r.shape.batch = 1;
    r.shape.seq = p->request.seq < PLAN_GATE_TOKENS ? p->request.seq : PLAN_GATE_TOKENS;
    /* a rank that does not hold all weights reads them tensor by tensor */
    const double tensor = all ? 0 : 4 * (double)params.largest;
    return p->request.gate ? fmax(model_reference_bytes(&r, false) + tensor, plain) : 0;
}

/* The rank's chunks of layers, and how many micro-batches each keeps. */
static void fill_chunks(struct model_part *part, const struct plan *p) {
    const struct plan_layout *l = &p->request.layout;
    const int64_t layers = p->request.config.layers;
    struct plan_pipeline pipeline;
    int64_t first = 0;
    if (l->pp == 1) return;
    part->chunks = l->vp;
    plan_pipeline_of(p, &pipeline);
    for (int stage = 0; stage < l->pp * l->vp; stage++) {
        const int chunk = stage / l->pp, device = p->place.at[PLAN_PP];
        const int64_t own = plan_layout_layers(l, layers, stage);
        if (stage % l->pp == device)
            part->chunk[chunk] = (struct model_chunk){first, own, plan_pipeline_slots(&pipeline, device, chunk),
                                                      plan_pipeline_late(&pipeline, device, chunk)};
        first += own;
    }
}

void plan_pipeline_of(const struct plan *p, struct plan_pipeline *pipeline) {
    const struct plan_batch batch = {p->request.seq, p->request.global_batch};
    plan_layout_pipeline(&p->request.layout, &batch, pipeline);
}

void plan_part_fill(struct plan *p) {
    static const enum model_kept kept[PLAN_RECOMPUTES] = {
        [PLAN_RECOMPUTE_NONE] = MODEL_KEPT_ALL,
        [PLAN_RECOMPUTE_SELECTIVE] = MODEL_KEPT_MATMULS,
        [PLAN_RECOMPUTE_FULL] = MODEL_KEPT_LAYERS,
    };
    const struct plan_request *r = &p->request;
    struct model_part part = {.whole = &r->config,
                              .ranks = r->layout.tp,
                              .rank = p->place.at[PLAN_TP],
                              .leaves = r->layout.reproducible,
                              .expert_ranks = plan_layout_expert_ranks(&r->layout),
                              .expert_rank = plan_grid_expert(&r->layout, &p->place)};
    fill_chunks(&part, p);
    p->part = model_part_config(&part);
    p->shape = (struct model_shape){.config = &p->part,
                                    .part = part,
                                    .sequence = r->layout.sequence_parallel != 0,
                                    .dtype = r->dtype,
                                    .batch = r->layout.micro_batch,
                                    .seq = r->seq / r->layout.cp,
                                    .context = {r->layout.cp, p->place.at[PLAN_CP]},
                                    .head_rows = r->head_rows,
                                    .kept = kept[r->layout.recompute],
                                    .route = r->route,
                                    .tree = plan_leaves_tree(r)};
}

int plan_make(struct plan *plan, const struct plan_request *request, struct base_error *e) {
    struct model_params params;
    int code = check_sizes(request, e);
    if (code) return code;
    struct plan *p = plan;
    *p = (struct plan){.request = *request};
    struct plan_request *r = &p->request;
    if (!r->bucket) r->bucket = PLAN_BUCKET;
    r->head_rows = plan_leaves_head_rows(r);
    p->accumulation = r->global_batch / r->layout.dp / r->layout.micro_batch;
    p->place = plan_grid_place(&r->layout, r->rank);
    plan_part_fill(p);
    p->rows_apart = plan_rows_apart(r);
    model_params_size(&params, &p->part);
    plan_memory_fill(p, &params);
    p->gate_bytes = gate_bytes(p);
    plan_ledger_fill(&p->ledger, p, &params);
    return BASE_OK;
}

bool plan_shared_heads(const struct plan *plan, const struct model_parameter *p) {
    return p->rows == MODEL_KV && model_part_sharing(&plan->shape.part) > 1;
}

bool plan_shared_norm(const struct plan *plan, const struct model_parameter *p) {
    static const bool norm[MODEL_ROLES] = {
        [MODEL_EMBED_GAIN] = true, [MODEL_EMBED_BIAS] = true, [MODEL_NORM1_GAIN] = true, [MODEL_NORM1_BIAS] = true,
        [MODEL_NORM2_GAIN] = true, [MODEL_NORM2_BIAS] = true, [MODEL_FINAL_GAIN] = true, [MODEL_FINAL_BIAS] = true};
    return plan->shape.sequence && !plan->shape.tree.leaves && norm[p->role];
}

int plan_make_largest(struct plan *plan, const struct plan_request *request, struct base_error *e) {
    struct plan_request r = *request;
    int most = 0;
    double bytes = 0;
    for (int stage = 0; stage < r.layout.pp; stage++) {
        r.rank = r.copies ? plan_writes_most(&r, stage) : plan_grid_stage_rank(&r.layout, stage);
        const int code = plan_make(plan, &r, e);
        if (code) return code;
        if (plan->memory_bytes > bytes) bytes = plan->memory_bytes, most = r.rank;
    }
    r.rank = most;
    return plan_make(plan, &r, e);
}

double plan_node_bytes(const struct plan_request *request, int local) {
    struct plan_request r = *request;
    struct plan plan;
    double sum = 0, most = 0;
    r.copies = false;
    for (int stage = 0; stage < r.layout.pp; stage++) {
        r.rank = plan_grid_stage_rank(&r.layout, stage);
        if (plan_make(&plan, &r, NULL)) return 1e300;
        const double bytes = plan.memory_bytes + plan.gate_bytes;
        sum += bytes * r.layout.tp * plan_layout_replicas(&r.layout);
        most = fmax(most, bytes);
    }
    return (local == plan_layout_world(&r.layout) ? sum : most * local) + plan_copies_bytes(request, local);
}

/* The same with another micro-batch and another number of layers. */
static double memory_with(const struct plan *plan, int64_t micro_batch, int64_t layers, int local) {
    struct plan_request r = plan->request;
    r.layout.micro_batch = micro_batch;
    if (r.layout.pp == 1) r.global_batch = micro_batch * r.layout.dp;
    if (r.layout.pp == 1 && r.layout.reproducible && r.layout.zero < 2) r.global_batch *= r.layout.reproducible;
    if (layers != r.config.layers) r.layout.stage_layers[0] = 0;
    r.config.layers = layers;
    r.head_rows = 0;
    return plan_node_bytes(&r, local);
}

/* The same, if it keeps only the layers' inputs. */
static double memory_least(const struct plan *plan, int64_t micro_batch, int local) {
    struct plan other = *plan;
    other.request.layout.recompute = PLAN_RECOMPUTE_FULL;
    return memory_with(&other, micro_batch, plan->request.config.layers, local);
}

/* The most layers that fit with this micro-batch; one for each stage if none do. Memory grows with layers. */
static int64_t layers_fitting(const struct plan *plan, int64_t micro_batch, int local, double available) {
    int64_t fits = plan->request.layout.pp * plan->request.layout.vp, over = plan->request.config.layers + 1;
    while (over - fits > 1) {
        const int64_t middle = fits + (over - fits) / 2;
        if (memory_with(plan, micro_batch, middle, local) > available)
            over = middle;
        else
            fits = middle;
    }
    return fits;
}

int plan_check_memory(const struct plan *plan, int local, double available, struct base_error *e) {
    char need[32], have[32], fix[128], slice[64] = "";
    const struct plan_request *r = &plan->request;
    const double needed = available < 0 ? 0 : plan_node_bytes(r, local);
    if (available < 0 || needed <= available) return BASE_OK;
    if (!e) return BASE_USAGE; /* the caller does not want a message */
    int64_t micro = r->layout.micro_batch, layers = r->config.layers;
    struct plan_request plain = *r;
    plain.copies = false;
    const bool without = r->copies && plan_node_bytes(&plain, local) <= available;
    /* under such a tree there is one micro-batch */
    const bool only = r->layout.reproducible && r->layout.zero > 1;
    while (!only && micro > 1 &&
           (r->global_batch / r->layout.dp % micro || memory_with(plan, micro, layers, local) > available))
        micro--;
    layers = layers_fitting(plan, micro, local, available);
    if (without)
        snprintf(fix, sizeof fix, "without --async-save it would fit");
    else if (memory_with(plan, micro, layers, local) > available)
        snprintf(fix, sizeof fix, "not even --mbs 1 --layers %lld fits: take fewer ranks a node or a shorter --seq",
                 (long long)layers);
    else if (layers == r->config.layers)
        snprintf(fix, sizeof fix, "--mbs %lld would fit", (long long)micro);
    else if (memory_least(plan, micro, local) <= available)
        snprintf(fix, sizeof fix, "--mbs %lld --recompute full would fit", (long long)micro);
    else
        snprintf(fix, sizeof fix, "--mbs %lld --layers %lld would fit", (long long)micro, (long long)layers);
    base_text_bytes(needed, need, sizeof need);
    base_text_bytes(available, have, sizeof have);
    if (r->config.layers < r->config.full_layers)
        snprintf(slice, sizeof slice, " (%lld of %lld layers)", (long long)r->config.layers,
                 (long long)r->config.full_layers);
    return base_fail(e, BASE_USAGE, "%s%s needs %s on this node (%d rank%s), which has %s free: %s", r->config.name,
                     slice, need, local, local == 1 ? "" : "s", have, fix);
}

void plan_choose_micro_batch(struct plan_request *r, int64_t share, int local, double available) {
    enum {
        USUAL_TOKENS = 8192, /* enough for full matmul speed, with modest activations */
        FILLED = 4           /* micro-batches for each pipeline stage: the bubble is under a fifth of the step */
    };
    struct plan plan;
    for (int64_t m = share; m > 1; m--) {
        r->layout.micro_batch = m;
        if (share % m || m * (r->seq / r->layout.cp) > USUAL_TOKENS) continue;
        if (r->layout.pp > 1 && share / m < FILLED * r->layout.pp) continue;
        if (plan_make(&plan, r, NULL) || plan_check_memory(&plan, local, available, NULL)) continue;
        return;
    }
    r->layout.micro_batch = r->layout.reproducible && r->layout.zero > 1 ? share : 1;
}
