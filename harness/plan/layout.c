/* SPDX-License-Identifier: Apache-2.0
 *
 * The rank grid of a layout, and the sizes it can divide. */
#include "plan/layout.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static const char *const recomputes[PLAN_RECOMPUTES] = {"none", "selective", "full"};

struct plan_layout plan_layout_free(void) {
    return (struct plan_layout){.tp = PLAN_FREE,
                                .pp = PLAN_FREE,
                                .cp = PLAN_FREE,
                                .dp = PLAN_FREE,
                                .ep = PLAN_FREE,
                                .vp = PLAN_FREE,
                                .zero = PLAN_FREE,
                                .sequence_parallel = PLAN_FREE,
                                .recompute = PLAN_FREE,
                                .schedule = PLAN_FREE,
                                .micro_batch = PLAN_FREE};
}

struct plan_layout plan_layout_data_parallel(int ranks, int64_t micro_batch) {
    return (struct plan_layout){
        .tp = 1, .pp = 1, .cp = 1, .dp = ranks, .ep = 1, .vp = 1, .schedule = PLAN_1F1B, .micro_batch = micro_batch};
}

int plan_layout_world(const struct plan_layout *l) {
    return l->tp * l->pp * l->cp * l->dp;
}

int plan_layout_replicas(const struct plan_layout *l) {
    return l->dp * l->cp;
}

void plan_layout_pipeline(const struct plan_layout *l, const struct plan_batch *b, struct plan_pipeline *p) {
    *p = (struct plan_pipeline){(enum plan_schedule)l->schedule, l->pp, l->vp,
                                b->global_batch / (l->dp * l->micro_batch)};
}

/* The divisor of n nearest to x; of two the smaller. */
static long long nearest_divisor(int64_t n, int64_t x) {
    for (int64_t d = 0; d <= n; d++) {
        if (x > d && n % (x - d) == 0) return (long long)(x - d);
        if (n % (x + d) == 0) return (long long)(x + d);
    }
    return 1;
}

bool plan_layout_fills(const struct model_config *c, int64_t parts) {
    return c->vocab > (c->vocab + parts - 1) / parts * (parts - 1);
}

/* Whether tensor parallel ranks can share this model, each with a part of everything that they split. */
static bool suits(const struct model_config *c, int64_t tp) {
    return c->heads % tp == 0 && (c->kv_heads % tp == 0 || tp % c->kv_heads == 0) && c->ffn % tp == 0 &&
           plan_layout_fills(c, tp);
}

/* The number of ranks nearest to tp that suits; of two the smaller. One always does. */
static long long nearest_tp(const struct model_config *c, int64_t tp) {
    for (int64_t d = 0;; d++) {
        if (tp > d && suits(c, tp - d)) return (long long)(tp - d);
        if (suits(c, tp + d)) return (long long)(tp + d);
    }
}

static int check_tensor(int tp, const struct model_config *c, struct base_error *e) {
    const long long take = suits(c, tp) ? tp : nearest_tp(c, tp);
    if (take == tp) return BASE_OK;
    if (c->heads % tp)
        return base_fail(e, BASE_USAGE, "--tp %d does not divide the %lld heads of %s; take %lld", tp,
                         (long long)c->heads, c->name, take);
    if (c->kv_heads % tp && tp % c->kv_heads)
        return base_fail(e, BASE_USAGE,
                         "--tp %d neither divides the %lld key/value heads of %s nor is a multiple; take %lld", tp,
                         (long long)c->kv_heads, c->name, take);
    if (c->ffn % tp)
        return base_fail(e, BASE_USAGE, "--tp %d does not divide the %lld columns of the MLP of %s; take %lld", tp,
                         (long long)c->ffn, c->name, take);
    return base_fail(e, BASE_USAGE, "--tp %d leaves ranks without a part of the %lld words of %s; take %lld", tp,
                     (long long)c->vocab, c->name, take);
}

/* The layers of each stage, if they are listed. */
static int check_stages(const struct plan_layout *l, const struct model_config *c, struct base_error *e) {
    const int stages = l->pp * l->vp;
    int listed = 0, layers = 0;
    while (listed < PLAN_STAGES_LISTED && l->stage_layers[listed]) layers += l->stage_layers[listed++];
    if (stages > c->layers)
        return base_fail(e, BASE_USAGE,
                         "--pp %d with --vp %d makes %d stages of the %lld layers of %s; take at most %lld stages",
                         l->pp, l->vp, stages, (long long)c->layers, c->name, (long long)c->layers);
    if (!listed || (listed == stages && layers == c->layers)) return BASE_OK;
    if (listed != stages)
        return base_fail(e, BASE_USAGE, "--stage-layers lists %d stages, and --pp %d with --vp %d makes %d; list %d",
                         listed, l->pp, l->vp, stages, stages);
    return base_fail(e, BASE_USAGE, "--stage-layers adds up to %d layers, and %s has %lld; list as many", layers,
                     c->name, (long long)c->layers);
}

/* A rank has two parts of each sequence. */
static int check_context(const struct plan_layout *l, const struct plan_batch *b, const struct model_config *c,
                         struct base_error *e) {
    const int64_t parts = 2 * (int64_t)l->cp, tp = l->sequence_parallel ? l->tp : 1;
    int64_t take = parts; /* also a multiple of cp * tp */
    char fix[64] = "a smaller --cp";
    while (take % (l->cp * tp)) take += parts;
    if (l->cp == 1 || b->seq % take == 0) return BASE_OK;
    if (take <= c->positions) snprintf(fix, sizeof fix, "a multiple of %lld", (long long)take);
    return base_fail(e, BASE_USAGE,
                     "--seq %lld does not divide over --cp %d, whose ranks have two parts each%s; take %s",
                     (long long)b->seq, l->cp, tp > 1 ? ", and with --sp over --tp" : "", fix);
}

int plan_layout_expert_ranks(const struct plan_layout *l) {
    return l->ep > 1 ? l->ep : 1;
}

int plan_layout_expert_slices(const struct plan_layout *l) {
    return l->etp > 0 ? l->etp : l->tp;
}

int plan_layout_expert_replicas(const struct plan_layout *l) {
    return l->tp * plan_layout_replicas(l) / (plan_layout_expert_slices(l) * plan_layout_expert_ranks(l));
}

/* Replicas divide the experts among themselves. */
int plan_layout_check_experts(const struct plan_layout *l, const struct model_config *c, struct base_error *e) {
    if (l->ep <= 1) return BASE_OK;
    if (c->experts == 0)
        return base_fail(e, BASE_USAGE, "--ep %d shares out experts, and %s is dense; leave out --ep", l->ep, c->name);
    if (c->experts % l->ep)
        return base_fail(e, BASE_USAGE, "--ep %d does not divide the %lld experts of %s; take %lld", l->ep,
                         (long long)c->experts, c->name, nearest_divisor(c->experts, l->ep));
    if (plan_layout_replicas(l) % l->ep)
        return base_fail(e, BASE_USAGE,
                         "--ep %d does not divide the %d data%s parallel ranks, which share out the experts; take %lld",
                         l->ep, plan_layout_replicas(l), l->cp > 1 ? " and context" : "",
                         nearest_divisor(plan_layout_replicas(l), l->ep));
    return BASE_OK;
}

int plan_layout_check_model(const struct plan_layout *l, const struct plan_batch *b, const struct model_config *c,
                            struct base_error *e) {
    int code = check_tensor(l->tp, c, e);
    if (!code) code = check_stages(l, c, e);
    if (code) return code;
    if (l->schedule == PLAN_ZERO_BUBBLE && l->recompute)
        return base_fail(e, BASE_USAGE,
                         "--schedule zero-bubble keeps what weight gradients read, which --recompute %s drops: take "
                         "--recompute none, or 1f1b",
                         plan_recompute_name((enum plan_recompute)l->recompute));
    if (l->cp == 1 && l->sequence_parallel && b->seq % l->tp)
        return base_fail(e, BASE_USAGE, "--seq %lld does not divide over --tp %d, as --sp needs; take a multiple of %d",
                         (long long)b->seq, l->tp, l->tp);
    return check_context(l, b, c, e);
}

int plan_layout_check(const struct plan_layout *l, const struct plan_batch *b, const struct model_config *c,
                      struct base_error *e) {
    struct plan_pipeline pipeline;
    if (l->tp < 1 || l->pp < 1 || l->cp < 1 || l->dp < 1 || l->vp < 1 || l->ep < 0)
        return base_fail(e, BASE_USAGE, "--tp, --pp, --cp, --ep, --vp and the data parallel ranks are at least 1 each");
    if (l->zero < 0 || l->zero > 3) return base_fail(e, BASE_USAGE, "--zero %d: take 0 to 3", l->zero);
    int code = plan_layout_check_experts(l, c, e);
    if (code) return code;
    if (b->seq < 1 || l->micro_batch < 1 || b->global_batch < 1)
        return base_fail(e, BASE_USAGE, "--seq, --mbs and --gbs are at least 1 each");
    if (b->global_batch % (l->dp * l->micro_batch))
        return base_fail(e, BASE_USAGE,
                         "--gbs %lld does not divide over %d data parallel ranks in micro-batches of %lld; take a "
                         "multiple of %lld",
                         (long long)b->global_batch, l->dp, (long long)l->micro_batch,
                         (long long)l->dp * l->micro_batch);
    if ((code = plan_layout_check_model(l, b, c, e)) != BASE_OK) return code;
    plan_layout_pipeline(l, b, &pipeline);
    return plan_pipeline_check(&pipeline, e);
}

int64_t plan_layout_slots(const struct plan_layout *l, int64_t layers, int stage) {
    return plan_layout_layers(l, layers + 2, stage) - (stage == 0) - (stage == l->pp * l->vp - 1);
}

static int list_slots(struct plan_layout *l, int64_t layers, struct base_error *e) {
    const int stages = l->pp * l->vp;
    const int64_t most = (layers + 2) / 2 < PLAN_STAGES_LISTED ? (layers + 2) / 2 : PLAN_STAGES_LISTED;
    struct plan_layout listed = *l;
    if (most < 2)
        return base_fail(e, BASE_USAGE, "--stage-layers slots: a single layer makes no stages; leave out --pp");
    if (stages > most)
        return base_fail(e, BASE_USAGE,
                         "--stage-layers slots: %lld layers, embedding and head do not give each of %d stages two of "
                         "them; take %lld stages or fewer",
                         (long long)layers, stages, (long long)most);
    for (int i = 0; i < stages; i++) listed.stage_layers[i] = (short)plan_layout_slots(l, layers, i);
    *l = listed;
    return BASE_OK;
}

int plan_layout_list(struct plan_layout *l, const char *text, int64_t layers, struct base_error *e) {
    if (l->pp == 1) return base_fail(e, BASE_USAGE, "--stage-layers is of pipeline stages: give --pp of at least 2");
    if (!strcmp(text, "slots")) return list_slots(l, layers, e);
    int count = 0;
    for (const char *at = text;; at++) {
        char *end;
        const long n = *at >= '1' && *at <= '9' ? strtol(at, &end, 10) : 0;
        if (n < 1 || n > SHRT_MAX || count == PLAN_STAGES_LISTED || (*end && *end != ','))
            return base_fail(e, BASE_USAGE,
                             "--stage-layers \"%.40s\": give at most %d numbers of at least 1, as in 5,6,6,5, or slots",
                             text, (int)PLAN_STAGES_LISTED);
        l->stage_layers[count++] = (short)n;
        if (!*(at = end)) return BASE_OK;
    }
}

int64_t plan_layout_layers(const struct plan_layout *l, int64_t layers, int stage) {
    if (l->stage_layers[0]) return l->stage_layers[stage];
    const int64_t stages = (int64_t)l->pp * l->vp, each = layers / stages, rest = layers % stages;
    /* the last stage also has the head, so it never gets an extra layer */
    const bool more = stage == stages - 1 ? false : stage >= stages - 1 - rest;
    return each + more;
}

double plan_layout_share(const struct plan_layout *l, const struct model_config *c, const struct model_parameter *p) {
    const double whole = (double)model_config_dim(c, p->rows) * (double)model_config_dim(c, p->cols);
    const double held = p->expert ? (double)c->experts / plan_layout_expert_ranks(l) : 1;
    return whole * held / (p->shard == MODEL_SHARD_NONE ? 1 : p->expert ? plan_layout_expert_slices(l) : l->tp);
}

double plan_layout_experts(const struct plan_layout *l, const struct model_config *c) {
    double sum = 0;
    for (int i = 0; i < c->family->parameter_count; i++)
        if (c->family->parameters[i].expert) sum += plan_layout_share(l, c, &c->family->parameters[i]);
    return sum;
}

const char *plan_recompute_name(enum plan_recompute recompute) {
    return recomputes[recompute];
}

bool plan_recompute_find(const char *name, enum plan_recompute *recompute) {
    const int i = base_text_find(name, recomputes, PLAN_RECOMPUTES);
    if (i >= 0) *recompute = (enum plan_recompute)i;
    return i >= 0;
}
