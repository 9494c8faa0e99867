/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of a step: gradients summed in buckets, or under ZeRO in blocks of each range. */
#include "plan/leaves.h"
#include "plan/memory.h"

#include <string.h>

/* What is final but not yet sent: a stretch that grows downwards from the end, and the early token table. */
struct pending {
    plan_each_message *each;
    void *context;
    const char *group, *name;
    int64_t bucket, above, table; /* elements */
};

static void flush(struct pending *p, int64_t *elements, int64_t turn, int64_t least) {
    if (*elements < least || *elements == 0) return;
    const struct plan_message m = {turn, "all_reduce", p->group, p->name, 4.0 * (double)*elements, 1};
    p->each(p->context, &m);
    *elements = 0;
}

/* Whose ranks sum gradients of experts. */
static const char *expert_group(const struct plan *p) {
    return plan_layout_expert_ranks(&p->request.layout) > 1 ? "edp" : "dp";
}

/* The rule of parallel/buckets.h; experts' apart. */
static void buckets(const struct plan *p, const struct model_params *params, plan_each_message *each, void *context) {
    const struct plan_request *r = &p->request;
    const int64_t layers = params->layers;
    /* what is final before the layers: the table, or with late weight gradients all that precedes them */
    const int64_t table = model_is_late(&p->shape, 0) ? params->layer0
                          : p->rows_apart             ? model_config_table(&p->part)
                                                      : 0;
    const int64_t final = params->expert0 - model_params_start(params, layers + 1), rest = params->layer0 - table;
    const int64_t experts = plan_layout_expert_replicas(&r->layout) > 1 ? params->expert_size : 0;
    struct pending x = {each, context, "dp", "gradient all-reduce", r->bucket, 0, table};
    struct pending y = {each, context, expert_group(p), "expert gradient all-reduce", r->bucket, 0, 0};
    flush(&x, &x.table, 0, x.bucket);
    for (int64_t i = 0; i < layers + 2; i++) {
        if (i > 0 && i <= layers) y.above += experts;
        flush(&y, &y.above, i, i <= layers ? y.bucket : 1);
        x.above += i == 0 ? final : i <= layers ? params->layer_size : rest;
        const bool meets = i == layers + 1 || (i == layers && rest == 0); /* it touches the table */
        if (meets) x.above += x.table, x.table = 0;
        flush(&x, &x.above, i, i <= layers ? x.bucket : 1);
    }
    if (!p->rows_apart) return;
    const double rows = (double)plan_rows_count(r),
                 row = (double)r->config.width * (double)kernel_dtype_bytes(r->dtype);
    struct plan_message m = {layers + 1, "all_gather", "dp", "embedding rows all-gather", rows * sizeof(int32_t), 1};
    each(context, &m);
    m.bytes = rows * row;
    each(context, &m);
}

/* Gathers of a layer's range in a step of stage 3. Layers use two buffers in turn, so that the last two of a pass are
 * still there, until another layer needs the buffer. */
struct gathers {
    const struct plan *plan;
    int64_t range, held[2]; /* held: the range that is in a buffer; 0: none */
    double count;
};

static void gathers_of(void *context, const struct plan_step *step) {
    struct gathers *g = context;
    if (step->task == PLAN_WEIGHT) return; /* reads no weights */
    const struct model_chunk c = model_chunk_of(&g->plan->shape, step->chunk);
    const bool forward = step->task == PLAN_FORWARD;
    const int64_t first = 1 + c.first, last = first + c.layers - 1, at = forward ? g->range - first : last - g->range;
    if (at >= 0 && at < c.layers && (at > 1 || g->held[g->range % 2] != g->range)) g->count++;
    for (int64_t i = c.layers < 2 ? 0 : 1; i >= 0; i--) {
        const int64_t range = forward ? last - i : first + i;
        g->held[range % 2] = range;
    }
}

static double elements(const struct model_params *params, int64_t range) {
    return (double)(model_params_start(params, range + 1) - model_params_start(params, range));
}
static bool sends(const struct plan *p, const struct model_params *params, int64_t range) {
    return elements(params, range) > 0 && plan_range_replicas(&p->request.layout, params, range) > 1;
}

/* The sum of a range's gradients, which a micro-batch's backward has final in this turn. */
static void sum_range(const struct plan *p, const struct model_params *params, int64_t range, int64_t turn,
                      plan_each_message *each, void *context) {
    const bool experts = model_params_is_experts(params, range);
    const struct plan_message m = {.turn = turn,
                                   .op = "reduce_scatter",
                                   .group = experts ? expert_group(p) : "dp",
                                   .name = experts ? "expert gradient reduce-scatter" : "gradient reduce-scatter",
                                   .bytes = 4 * elements(params, range),
                                   .count = 1};
    if (sends(p, params, range)) each(context, &m);
}

/* The rule of parallel/zero.h. */
static void zero(const struct plan *p, const struct model_params *params, plan_each_message *each, void *context) {
    const int64_t layers = params->layers, last = layers + 1, ranges = model_params_ranges(params);
    const int stage = p->request.layout.zero;
    const double size = (double)kernel_dtype_bytes(p->request.dtype);
    struct plan_pipeline stages;
    plan_pipeline_of(p, &stages);
    for (int64_t micro = stage == 1 ? p->accumulation - 1 : 0; micro < p->accumulation; micro++)
        for (int64_t turn = 0; turn <= last; turn++) {
            const int64_t range = last - turn, of_experts = last + range;
            if (range > 0 && range < last && of_experts < ranges) sum_range(p, params, of_experts, turn, each, context);
            sum_range(p, params, range, turn, each, context);
        }
    for (int64_t range = 0; range < ranges; range++) {
        const bool experts = model_params_is_experts(params, range);
        struct gathers g = {.plan = p, .range = experts ? range - last : range};
        if (stage == 3 && g.range > 0 && g.range < last)
            plan_pipeline_each(&stages, p->place.at[PLAN_PP], gathers_of, &g);
        const struct plan_message m = {.turn = layers + 2,
                                       .op = "all_gather",
                                       .group = experts ? expert_group(p) : "dp",
                                       .name = "weight all-gather",
                                       .bytes = size * elements(params, range),
                                       .count = g.count > 0 ? g.count : 1};
        if (sends(p, params, range)) each(context, &m);
    }
}

/* Gradients of what tensor parallel ranks share. */
static void shared(const struct plan *p, plan_each_message *each, void *context) {
    const struct model_family *f = p->part.family;
    const double times = p->request.layout.zero < 2 ? 1 : (double)p->accumulation;
    for (int i = 0; i < f->parameter_count; i++) {
        const struct model_parameter *x = &f->parameters[i];
        const bool heads = plan_shared_heads(p, x), layered = strstr(x->name, "%d") != NULL;
        if (!model_config_has(&p->part, x->role) || !(heads || plan_shared_norm(p, x))) continue;
        const struct plan_message m = {.turn = p->part.layers + 2,
                                       .op = "all_reduce",
                                       .group = heads ? "kv" : "tp",
                                       .name = heads ? "shared heads' gradient" : "norm gradients",
                                       .bytes = 4.0 * (double)model_config_dim(&p->part, x->rows) *
                                                (double)model_config_dim(&p->part, x->cols),
                                       .count = times * (layered ? (double)p->part.layers : 1)};
        each(context, &m);
    }
}

/* Messages that are no gradients. */
static void list(const struct plan *p, const struct plan_message *messages, size_t n, plan_each_message *each,
                 void *context) {
    for (size_t i = 0; i < n; i++) {
        struct plan_message m = messages[i];
        m.turn = p->part.layers + 2;
        if (m.count > 0) each(context, &m);
    }
}

/* Sums over tensor parallel ranks: after the attention and the MLP, and in backward before them; the embedding's and
 * the head's; and for each part of the head's rows its statistics. With sequence parallelism each gets its share, and
 * the shares are gathered before matmuls, in backward too. */
static void tensor(const struct plan *p, plan_each_message *each, void *context) {
    const double micro = (double)p->accumulation, layers = (double)p->part.layers;
    const int64_t t = p->shape.batch * p->shape.seq;
    const struct plan_chunks cut = plan_leaves_head_chunks(p);
    const double x = (double)(t * p->part.width), size = (double)kernel_dtype_bytes(p->shape.dtype);
    const double embeds = p->part.lacks_embedding ? 0 : 1, heads = p->part.lacks_head ? 0 : 1;
    const double again = (double)plan_layers_again(p);
    const double matmuls = p->shape.kept == MODEL_KEPT_LAYERS ? again : 0;
    const double rows = 3 * sizeof(float) * (double)model_vocab_parts(&p->shape);
    const double vectors = p->part.family->rms ? 1 : 2, parts = (double)(p->shape.batch * p->shape.tree.leaves);
    const double norms = 2 * layers + heads + model_config_has(&p->part, MODEL_EMBED_GAIN);
    const char *const sum = p->shape.sequence ? "reduce_scatter" : "all_reduce";
    const struct plan_message messages[] = {
        {0, sum, "tp", "partial sum", 4 * x, micro * (4 * layers + matmuls)},
        {0, sum, "tp", "head partial sum", 4 * x, micro * heads},
        {0, sum, "tp", "embedding sum", size * x, micro * embeds},
        {0, "all_gather", "tp", "tokens' shares", size * x,
         p->shape.sequence ? micro * (4 * layers + embeds + heads + 2 * again) : 0},
        {0, "all_gather", "tp", "norm gradients of parts", 4 * vectors * parts * (double)p->part.width,
         p->shape.sequence && parts > 0 ? micro * norms : 0},
        {0, "all_gather", "tp", "cross-entropy statistics", rows * (double)cut.rows, heads * micro * cut.full},
        {0, "all_gather", "tp", "cross-entropy statistics", rows * (double)cut.rest, heads * micro * cut.rests},
    };
    list(p, messages, sizeof messages / sizeof *messages, each, context);
    shared(p, each, context);
}

/* The rule of model/context.c: keys and values go round in each pass, and in backward their gradients to the end. */
static void ring(const struct plan *p, plan_each_message *each, void *context) {
    const double micro = (double)p->accumulation, layers = (double)p->part.layers, ranks = (double)p->request.layout.cp;
    const double elements = (double)(p->shape.batch * p->shape.seq * 2 * model_config_dim(&p->part, MODEL_KV));
    const double passes = 2 * layers + (double)plan_layers_again(p);
    const struct plan_message messages[] = {
        {0, "send", "cp", "keys and values", (double)kernel_dtype_bytes(p->shape.dtype) * elements,
         micro * (ranks - 1) * passes},
        {0, "send", "cp", "their gradients", 4 * elements, micro * ranks * layers},
    };
    list(p, messages, sizeof messages / sizeof *messages, each, context);
}

/* Rows to experts and home (model/experts.c): the counts, rows and their weights forward, and in backward the rows'
 * gradients out and both back. The rows that come back are those of balanced loads. Tensor parallel ranks add up the
 * gradients of weights; context parallel ones the loads of sequences. */
static void experts(const struct plan *p, plan_each_message *each, void *context) {
    const struct plan_layout *l = &p->request.layout;
    const double layers = (double)p->accumulation * (double)p->part.layers;
    const double again =
        p->shape.kept == MODEL_KEPT_LAYERS ? (double)p->accumulation * (double)plan_layers_again(p) : 0;
    const double rows = (double)(p->shape.batch * p->shape.seq * p->part.active), width = (double)p->part.width;
    const double size = (double)kernel_dtype_bytes(p->shape.dtype), home = model_is_split(&p->shape) ? 4 : size;
    const double away = plan_layout_expert_ranks(l) > 1, split = l->tp > 1, shares = l->cp > 1;
    const struct plan_message messages[] = {
        {0, "all_to_all", "ep", "numbers of rows", 4 * (double)p->part.experts, away * (layers + again)},
        {0, "all_to_all_v", "ep", "rows to experts", size * rows * width, away * (2 * layers + again)},
        {0, "all_to_all_v", "ep", "rows from experts", home * rows * width, away * 2 * layers},
        {0, "all_to_all_v", "ep", "rows' weights", 4 * rows, away * (2 * layers + again)},
        {0, "all_reduce", "tp", "gradients of rows' weights", 4 * rows, split * layers},
        {0, "all_reduce", "cp", "experts' loads", 4 * (double)(p->shape.batch * p->part.experts),
         shares * (layers + again)},
    };
    if (p->part.experts > 0) list(p, messages, sizeof messages / sizeof *messages, each, context);
}

/* The rules of parallel/pipeline.h and tied.h. */
static void pipeline(const struct plan *p, plan_each_message *each, void *context) {
    const double micro = (double)p->accumulation, chunks = (double)p->request.layout.vp;
    const double size = (double)kernel_dtype_bytes(p->request.dtype);
    const double rows = (double)(p->shape.batch * p->shape.seq / (p->shape.sequence ? p->shape.part.ranks : 1));
    const double stream = rows * (double)p->part.width * size, table = (double)(p->part.vocab * p->part.width);
    const bool lends = model_part_lends(&p->part), borrows = model_part_borrows(&p->part);
    const bool tree = p->shape.tree.leaves > 0;
    const struct plan_message messages[] = {
        {0, "send", "pp", "activations", stream, micro * (chunks - !p->part.lacks_head)},
        {0, "send", "pp", "activations' gradient", stream, micro * (chunks - !p->part.lacks_embedding)},
        {0, "send", "ends", "tied token table", size * table, lends},
        {0, tree ? "send" : "all_reduce", "ends", "tied token table's gradient", 4 * table,
         (lends && !tree) || borrows},
    };
    list(p, messages, sizeof messages / sizeof *messages, each, context);
}

/* With a tree a tied head's gradient is summed apart from its table's (tied.h), once it is final. */
static void tied_head(const struct plan *p, plan_each_message *each, void *context) {
    const struct plan_message m = {0, "all_reduce", "dp", PLAN_TIED_HEAD, 4 * (double)(p->part.vocab * p->part.width),
                                   1};
    if (p->part.tied && !p->part.lacks_head) each(context, &m);
}

void plan_messages(const struct plan *p, const struct model_params *params, plan_each_message *each, void *context) {
    if (p->request.layout.tp > 1) tensor(p, each, context);
    if (p->request.layout.cp > 1) ring(p, each, context);
    if (p->request.layout.pp > 1) pipeline(p, each, context);
    experts(p, each, context);
    if (plan_layout_replicas(&p->request.layout) == 1) return;
    if (p->shape.tree.leaves > 0) tied_head(p, each, context);
    if (p->request.layout.zero) {
        zero(p, params, each, context);
        return;
    }
    buckets(p, params, each, context);
}
