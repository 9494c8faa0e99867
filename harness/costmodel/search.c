/* SPDX-License-Identifier: Apache-2.0
 *
 * Enumerates all factorisations of the ranks, prices each, sorts them, then checks memory from the fastest on. */
#include "costmodel/search.h"

#include <math.h>
#include <stdlib.h>

/* Bytes of a GPU's context, libraries and message buffers (recalled: 1.5e9 to 4e9). */
static const double CONTEXT = 2.5e9;
/* Bytes of DeepSpeed's two buckets of 5e8 elements. */
static const double BUCKETS = 2e9;
enum { MICRO_BATCH_MOST = 32, CONTEXT_MOST = 64, CONTEXT_TOKENS_LEAST = 2048 };

/* What each framework supports. The search exceeds it only if the user asks. */
static const struct {
    bool tensor, pipeline, expert;
    int zero_least;
} support[COST_FRAMEWORKS] = {
    [COST_MEGATRON] = {true, true, true, 0},       [COST_MEGATRON_CORE] = {true, true, true, 0},
    [COST_FSDP] = {false, false, false, 3},        [COST_XLA] = {true, false, true, 3},
    [COST_HUGGINGFACE] = {false, false, false, 0}, [COST_INTERNEVO] = {true, true, true, 0},
};

struct candidate {
    struct plan_layout layout;
    float step_s;
};

struct search {
    const struct cost_ask *ask;
    const struct cost_parameters *p;
    struct candidate *list;
    size_t count, room;
};

/* Whether the user's choice allows x. */
static bool allows(int64_t given, int64_t x) {
    return given == PLAN_FREE || given == x;
}

void cost_search_job(const struct cost_ask *ask, const struct plan_layout *layout, struct cost_job *job) {
    *job = (struct cost_job){
        .model = *ask->config,
        .layout = *layout,
        .batch = {ask->seq, ask->global_batch},
        .accelerators = ask->ranks,
        .traits = ask->traits,
        .platform = ask->platform,
    };
    struct cost_traits *x = &job->traits;
    if (x->zero_group == 0) x->zero_group = layout->dp;
    x->overlap_tp = x->overlap_tp && layout->sequence_parallel;
}

struct cost_memory cost_search_memory(const struct model_config *config, const struct cost_job *job) {
    const struct cost_traits *x = &job->traits;
    const struct cost_numerics n = {
        .weight_bytes = x->weight_bytes,
        .gradient_bytes = x->grad_bytes + x->sum_bytes,
        .optimizer_bytes = x->weight_bytes > 2 ? 8 : 12,
        .activation_bytes = x->weight_bytes,
        .fused_attention = x->flash,
        .framework_bytes = CONTEXT + (x->deepspeed ? BUCKETS : 0),
    };
    struct plan_layout layout = job->layout; /* DeepSpeed's BF16 optimizer always shards its state */
    if (x->sum_bytes > 0 && layout.zero == 0) layout.zero = 1;
    return cost_memory(config, &layout, &job->batch, &n);
}

static int price(struct search *s, struct plan_layout c, struct base_error *e) {
    const struct cost_ablation none = {0};
    struct cost_job job;
    struct cost_step step;
    if (s->count == s->room) {
        const size_t room = s->room ? 2 * s->room : 4096;
        struct candidate *list = realloc(s->list, room * sizeof *list);
        if (!list) return base_fail(e, BASE_BROKEN, "out of memory for %zu layouts", room);
        s->list = list, s->room = room;
    }
    cost_search_job(s->ask, &c, &job);
    cost_step(&job, s->p, &none, &step);
    s->list[s->count++] = (struct candidate){c, (float)step.total};
    return BASE_OK;
}

/* Tries schedules and recompute modes, and prices each layout. */
static int vary_last(struct search *s, struct plan_layout c, struct base_error *e) {
    const struct plan_layout *g = &s->ask->choice;
    int code = BASE_OK;
    for (int schedule = 0; schedule < PLAN_SCHEDULES && !code; schedule++) {
        const bool usual = schedule == PLAN_1F1B || (schedule == PLAN_ZERO_BUBBLE && c.pp > 1);
        if (g->schedule == PLAN_FREE ? !usual : g->schedule != schedule) continue;
        if (schedule != PLAN_1F1B && c.vp > 1) continue;
        for (int r = 0; r < PLAN_RECOMPUTES && !code; r++) {
            /* fused attention stores no scores to recompute */
            if (g->recompute == PLAN_FREE ? r == PLAN_RECOMPUTE_SELECTIVE && s->ask->traits.flash : g->recompute != r)
                continue;
            if (schedule == PLAN_ZERO_BUBBLE && r != PLAN_RECOMPUTE_NONE) continue;
            c.schedule = schedule, c.recompute = (int)r;
            code = price(s, c, e);
        }
    }
    return code;
}

static int vary_zero(struct search *s, struct plan_layout c, struct base_error *e) {
    const struct plan_layout *g = &s->ask->choice;
    int code = BASE_OK;
    for (int zero = 0; zero <= 3 && !code; zero++) {
        if (!allows(g->zero, zero) || (g->zero == PLAN_FREE && zero > 1 && c.pp > 1)) continue;
        if (g->zero == PLAN_FREE && (c.dp == 1 ? zero > 0 : zero < support[s->ask->traits.framework].zero_least))
            continue;
        c.zero = zero;
        code = vary_last(s, c, e);
    }
    return code;
}

static int vary_micro_batch(struct search *s, struct plan_layout c, struct base_error *e) {
    const struct plan_layout *g = &s->ask->choice;
    const int64_t most = g->micro_batch == PLAN_FREE ? MICRO_BATCH_MOST : g->micro_batch;
    const int64_t least = g->micro_batch == PLAN_FREE ? 1 : g->micro_batch;
    int code = BASE_OK;
    for (int64_t micro = least; micro <= most && !code; micro *= 2) {
        const int64_t replica = c.dp * micro;
        if (s->ask->global_batch % replica) continue;
        if (c.vp > 1 && s->ask->global_batch / replica % c.pp) continue;
        c.micro_batch = micro;
        code = vary_zero(s, c, e);
    }
    return code;
}

static int vary_chunks(struct search *s, struct plan_layout c, struct base_error *e) {
    const struct plan_layout *g = &s->ask->choice;
    const int64_t layers = s->ask->config->layers;
    int code = BASE_OK;
    for (int64_t vp = 1; vp * c.pp <= layers && !code; vp++) {
        if (!allows(g->vp, vp) || (vp > 1 && (c.pp == 1 || layers % (vp * c.pp)))) continue;
        c.vp = (int)vp;
        code = vary_micro_batch(s, c, e);
    }
    return code;
}

/* Tries expert parallel ranks; a dense model has one. */
static int vary_experts(struct search *s, struct plan_layout c, struct base_error *e) {
    const int64_t experts = s->ask->config->experts;
    const bool can = support[s->ask->traits.framework].expert;
    int code = BASE_OK;
    for (int64_t ep = 1; (ep == 1 || ep <= experts) && !code; ep++) {
        if (!allows(s->ask->choice.ep, ep) || c.dp % ep || (ep > 1 && experts % ep)) continue;
        if (s->ask->choice.ep == PLAN_FREE && ep > 1 && !can) continue;
        c.ep = (int)ep;
        code = vary_chunks(s, c, e);
    }
    return code;
}

static bool tensor_legal(const struct cost_ask *ask, int64_t tp) {
    const struct model_config *c = ask->config;
    if (!allows(ask->choice.tp, tp) || c->heads % tp || c->ffn % tp || ask->ranks % tp) return false;
    return ask->choice.tp != PLAN_FREE ||
           (double)tp <= (support[ask->traits.framework].tensor ? ask->platform.domain : 1);
}

static bool context_legal(const struct cost_ask *ask, int64_t cp) {
    if (!allows(ask->choice.cp, cp) || (cp > 1 && ask->seq % (2 * cp))) return false;
    return ask->choice.cp != PLAN_FREE || cp == 1 || (ask->seq / cp >= CONTEXT_TOKENS_LEAST && !(cp & (cp - 1)));
}

/* Tries pipeline ranks for given tp and cp. Data parallel ranks are what remains. */
static int vary_grid(struct search *s, struct plan_layout c, struct base_error *e) {
    const struct cost_ask *ask = s->ask;
    const int64_t left = ask->ranks / c.tp / c.cp;
    const bool can = c.tp > 1 && ask->seq / c.cp % c.tp == 0, usual = ask->traits.framework == COST_MEGATRON_CORE;
    int code = BASE_OK;
    c.sequence_parallel = ask->choice.sequence_parallel == PLAN_FREE ? can && usual : ask->choice.sequence_parallel;
    if (c.sequence_parallel && !can) return BASE_OK;
    for (int64_t pp = 1; pp <= ask->config->layers && pp <= left && !code; pp++) {
        if (!allows(ask->choice.pp, pp) || left % pp) continue;
        if (ask->choice.pp == PLAN_FREE && pp > 1 && !support[ask->traits.framework].pipeline) continue;
        c.pp = (int)pp, c.dp = (int)(left / pp);
        code = vary_experts(s, c, e);
    }
    return code;
}

static int enumerate(struct search *s, struct base_error *e) {
    const struct cost_ask *ask = s->ask;
    const int64_t given = ask->choice.cp, least = given > 0 ? given : 1, most = given > 0 ? given : CONTEXT_MOST;
    int code = BASE_OK;
    for (int64_t tp = 1; tp <= ask->config->heads && tp <= ask->ranks && !code; tp++) {
        if (!tensor_legal(ask, tp)) continue;
        for (int64_t cp = least; cp <= ask->ranks / tp && cp <= most && !code; cp++)
            if (context_legal(ask, cp) && ask->ranks / tp % cp == 0)
                code = vary_grid(s, (struct plan_layout){.tp = (int)tp, .cp = (int)cp}, e);
    }
    return code;
}

/* Says why no layout has what the user gave. plan_layout_check() has most of the reasons. */
static int explain_none(const struct cost_ask *ask, struct base_error *e) {
    const struct plan_layout *g = &ask->choice;
    struct plan_layout l = {.tp = g->tp > 0 ? g->tp : 1,
                            .pp = g->pp > 0 ? g->pp : 1,
                            .cp = g->cp > 0 ? g->cp : 1,
                            .ep = g->ep > 0 ? g->ep : 1,
                            .vp = g->vp > 0 ? g->vp : 1,
                            .zero = g->zero > 0 ? g->zero : 0,
                            .sequence_parallel = g->sequence_parallel > 0,
                            .schedule = g->schedule >= 0 ? g->schedule : PLAN_1F1B,
                            .recompute = g->recompute > 0 ? g->recompute : PLAN_RECOMPUTE_NONE,
                            .micro_batch = g->micro_batch > 0 ? g->micro_batch : 1};
    const struct plan_batch b = {ask->seq, ask->global_batch};
    const int inner = l.tp * l.pp * l.cp;
    if (ask->ranks % inner)
        return base_fail(e, BASE_USAGE,
                         "%d accelerators do not divide into --tp %d x --pp %d x --cp %d = %d; take a multiple",
                         ask->ranks, l.tp, l.pp, l.cp, inner);
    if (l.vp > 1 && (g->pp == 1 || l.schedule != PLAN_1F1B))
        return base_fail(e, BASE_USAGE,
                         "--vp %d interleaves chunks of pipeline ranks; give --pp 2 or more, and --schedule 1f1b",
                         l.vp);
    if (l.sequence_parallel && l.tp == 1)
        return base_fail(e, BASE_USAGE, "--sp splits the sequence among tensor parallel ranks; give --tp 2 or more");
    l.dp = ask->ranks / inner;
    int code = plan_layout_check(&l, &b, ask->config, e);
    if (code) return code;
    if (ask->config->experts > 0 && l.dp % l.ep)
        return base_fail(e, BASE_USAGE,
                         "--ep %d does not divide the %d data parallel ranks; projections share experts out over those "
                         "alone: take another --ep, or a smaller --cp",
                         l.ep, l.dp);
    return base_fail(
        e, BASE_USAGE,
        "no layout of %s on %d accelerators fits the given flags: chunks of --vp must be whole layers of the %lld, "
        "and replicas x micro-batch must divide --gbs %lld; change a flag or leave it out",
        ask->config->name, ask->ranks, (long long)ask->config->layers, (long long)ask->global_batch);
}

static int by_time(const void *a, const void *b) {
    const struct candidate *x = a, *y = b;
    return (x->step_s > y->step_s) - (x->step_s < y->step_s);
}

static int choose(struct search *s, int most, struct cost_search *out, struct base_error *e) {
    out->best = calloc((size_t)most, sizeof *out->best);
    if (!out->best) return base_fail(e, BASE_BROKEN, "out of memory for %d layouts", most);
    qsort(s->list, s->count, sizeof *s->list, by_time);
    out->legal = (long long)s->count;
    for (size_t i = 0; i < s->count && out->count < most; i++) {
        struct cost_layout_price x = {.layout = s->list[i].layout, .step_s = s->list[i].step_s};
        struct cost_job job;
        cost_search_job(s->ask, &x.layout, &job);
        x.memory = cost_search_memory(s->ask->config, &job);
        if (i == 0 || x.memory.total < out->least.memory.total) out->least = x;
        if (cost_memory_needed(&x.memory) <= s->ask->platform.memory_bytes)
            out->best[out->count++] = x;
        else if (out->count == 0)
            out->faster++;
    }
    return BASE_OK;
}

int cost_search(const struct cost_ask *ask, const struct cost_parameters *p, int most, struct cost_search *out,
                struct base_error *e) {
    struct search s = {.ask = ask, .p = p};
    *out = (struct cost_search){0};
    int code = enumerate(&s, e);
    if (!code && s.count == 0) code = explain_none(ask, e);
    if (!code) code = choose(&s, most, out, e);
    free(s.list);
    return code;
}

void cost_search_free(struct cost_search *search) {
    free(search->best);
    search->best = NULL;
}
